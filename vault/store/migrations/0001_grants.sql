-- Grants: see vault/grant.
CREATE TABLE grants (
  id            TEXT   PRIMARY KEY,
  person        TEXT   NOT NULL,
  tenant        TEXT   NOT NULL,
  state         TEXT   NOT NULL, -- live, sign_in_again, superseded, revoked
  account       TEXT   NOT NULL, -- Atlassian account id
  scopes        TEXT   NOT NULL, -- JSON array
  sites         TEXT   NOT NULL, -- JSON array of grant.Site
  issued        BIGINT NOT NULL,
  refreshed     BIGINT NOT NULL,
  used          BIGINT NOT NULL,
  token_expires BIGINT NOT NULL,
  expires       BIGINT NOT NULL,
  next_refresh  BIGINT NOT NULL,
  ended         BIGINT NOT NULL, -- when revoked or superseded, 0 before
  last_error    TEXT   NOT NULL,
  version       BIGINT NOT NULL, -- grows with each stored pair; the fence
  data_key      BYTEA,           -- wrapped; NULL when revoked or superseded, like the two below
  access        BYTEA,           -- sealed under data_key
  refresh       BYTEA,           -- sealed under data_key
  claim         TEXT   NOT NULL, -- who refreshes, '' for nobody
  claim_until   BIGINT NOT NULL,
  intent_at     BIGINT NOT NULL  -- when the refresh token may have been sent, 0 when it was not
);
-- At most one grant of a person and tenant can be used or revived.
CREATE UNIQUE INDEX grants_current ON grants (person, tenant) WHERE state IN ('live', 'sign_in_again');
