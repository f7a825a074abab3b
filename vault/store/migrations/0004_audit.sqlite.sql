-- What happened: see vault/audit. One hash chain for each tenant, '' is the
-- vault's own. Nothing is ever changed or taken away.
CREATE TABLE audit (
    tenant TEXT NOT NULL,
    seq    BIGINT NOT NULL CHECK (seq > 0),
    at     BIGINT NOT NULL,
    event  TEXT NOT NULL,
    body   BYTEA NOT NULL, -- the entry as it was hashed
    prev   BYTEA NOT NULL, -- empty in the first record
    hash   BYTEA NOT NULL,
    PRIMARY KEY (tenant, seq)
);

-- The end of each chain, so that records cut off at the end are missed.
CREATE TABLE audit_heads (
    tenant TEXT PRIMARY KEY,
    seq    BIGINT NOT NULL,
    hash   BYTEA NOT NULL
);

-- The next number or none: REPLACE would otherwise get round the triggers below.
CREATE TRIGGER audit_in_order BEFORE INSERT ON audit
WHEN NEW.seq <> coalesce((SELECT seq FROM audit_heads WHERE tenant = NEW.tenant), 0) + 1
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;

CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;

CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;

CREATE TRIGGER audit_heads_in_order BEFORE INSERT ON audit_heads
WHEN NEW.seq <> coalesce((SELECT seq FROM audit_heads WHERE tenant = NEW.tenant), 0) + 1
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;

CREATE TRIGGER audit_heads_forward BEFORE UPDATE ON audit_heads
WHEN NEW.tenant <> OLD.tenant OR NEW.seq <> OLD.seq + 1
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;

CREATE TRIGGER audit_heads_no_delete BEFORE DELETE ON audit_heads
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;
