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

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit records are append-only';
END;
$$;

-- The next number or none: the one before is there, and this one not yet, or
-- the primary key would refuse it.
CREATE FUNCTION audit_next() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.seq > 1 AND NOT EXISTS (SELECT 1 FROM audit WHERE tenant = NEW.tenant AND seq = NEW.seq - 1) THEN
        RAISE EXCEPTION 'audit records are append-only' USING ERRCODE = 'unique_violation';
    END IF;
    RETURN NEW;
END;
$$;

CREATE FUNCTION audit_forward() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.tenant <> OLD.tenant OR NEW.seq <= OLD.seq THEN
        RAISE EXCEPTION 'audit records are append-only';
    END IF;
    RETURN NEW;
END;
$$;

CREATE TRIGGER audit_in_order BEFORE INSERT ON audit FOR EACH ROW EXECUTE FUNCTION audit_next();
CREATE TRIGGER audit_no_change BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_heads_forward BEFORE UPDATE ON audit_heads FOR EACH ROW EXECUTE FUNCTION audit_forward();
CREATE TRIGGER audit_heads_no_delete BEFORE DELETE ON audit_heads FOR EACH ROW EXECUTE FUNCTION audit_refuse();
CREATE TRIGGER audit_heads_no_truncate BEFORE TRUNCATE ON audit_heads FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse();
