-- The vault's own data keys, wrapped under the key-encryption key: see vault/seal.
CREATE TABLE vault_keys (
  purpose TEXT   PRIMARY KEY,
  kek     TEXT   NOT NULL, -- which key-encryption key wrapped it
  wrapped BYTEA  NOT NULL,
  created BIGINT NOT NULL
);
