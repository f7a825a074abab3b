-- Devices that people signed in on: see vault/session. A device has one row at
-- most; a revoked one stays as a tombstone until the device signs in again.
CREATE TABLE sessions (
    id         TEXT PRIMARY KEY,
    device     TEXT NOT NULL UNIQUE,
    person     TEXT NOT NULL,
    tenant     TEXT NOT NULL,
    created    BIGINT NOT NULL,
    used       BIGINT NOT NULL,
    idle_until BIGINT NOT NULL,
    until      BIGINT NOT NULL,
    revoked    BIGINT NOT NULL,
    shown      TEXT NOT NULL -- JSON
);

CREATE INDEX sessions_person ON sessions (person);
CREATE INDEX sessions_until ON sessions (until);

-- One row. It moves with each revocation of anything; replicas watch it.
CREATE TABLE epoch (
    id    BIGINT PRIMARY KEY CHECK (id = 1),
    value BIGINT NOT NULL
);

INSERT INTO epoch (id, value) VALUES (1, 1);
