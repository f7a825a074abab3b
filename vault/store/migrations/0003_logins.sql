-- Runs of the browser dance: see vault/consent. link and state are hashes;
-- secrets and code are sealed, and gone when a login has ended (but for the
-- link, which leads to a page that says how).
CREATE TABLE logins (
    id      TEXT PRIMARY KEY,
    device  TEXT NOT NULL,
    tenant  TEXT NOT NULL, -- '' until it is chosen
    phase   TEXT NOT NULL,
    version BIGINT NOT NULL,
    created BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    ended   BIGINT NOT NULL, -- 0 while it is under way
    told    BIGINT NOT NULL, -- 1 when its expiry was reported
    link    BYTEA NOT NULL UNIQUE,
    state   BYTEA UNIQUE,
    details TEXT NOT NULL, -- JSON
    secrets BYTEA NOT NULL,
    code    BYTEA
);

-- A device has one login under way, over all replicas.
CREATE UNIQUE INDEX logins_one ON logins (device) WHERE ended = 0;
CREATE INDEX logins_device ON logins (device, created);
CREATE INDEX logins_ended ON logins (ended);

-- Processes of a device that wait for a login.
CREATE TABLE starts (
    id        TEXT PRIMARY KEY,
    login     TEXT NOT NULL REFERENCES logins (id) ON DELETE CASCADE,
    device    TEXT NOT NULL,
    stream    TEXT NOT NULL,
    loopback  TEXT NOT NULL,
    challenge TEXT NOT NULL,
    created   BIGINT NOT NULL,
    seen      BIGINT NOT NULL,
    no_tab    BIGINT NOT NULL
);

CREATE INDEX starts_login ON starts (login);
