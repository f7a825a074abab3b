-- What the company's identity provider said of the person of each session: see
-- vault/signin/company. A row is nothing without its session.
CREATE TABLE signins (
    session TEXT PRIMARY KEY,
    device  TEXT NOT NULL,
    person  TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL,
    sid     TEXT NOT NULL, -- the provider's own name of its session; '' for none
    said    TEXT NOT NULL, -- JSON
    sealed  BYTEA NOT NULL, -- groups and refresh token
    created BIGINT NOT NULL,
    due     BIGINT NOT NULL, -- when the provider is asked again
    step_up BIGINT NOT NULL, -- when a fresh sign-in was last asked for
    version BIGINT NOT NULL
);

CREATE INDEX signins_due ON signins (due);
CREATE INDEX signins_subject ON signins (issuer, subject);
CREATE INDEX signins_sid ON signins (issuer, sid);
