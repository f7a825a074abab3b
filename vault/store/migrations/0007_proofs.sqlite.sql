-- Hashes of proofs of possession that were used, until nobody accepts them any
-- more anyway: see internal/dpop.
CREATE TABLE proofs (
    id    TEXT PRIMARY KEY,
    until BIGINT NOT NULL
) WITHOUT ROWID;

CREATE INDEX proofs_until ON proofs (until);
