-- Segments of audit chains that the vault sealed with a signature. Only the
-- records of one that is marked as dropped can be deleted, and a segment is
-- marked only after all before it.
CREATE TABLE audit_segments (
    tenant    TEXT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq  BIGINT NOT NULL,
    prev      BYTEA NOT NULL, -- hash of the record before the first
    hash      BYTEA NOT NULL, -- of the last record
    since     BIGINT NOT NULL,
    until     BIGINT NOT NULL,
    note      BYTEA NOT NULL, -- all of this, signed
    dropped   BIGINT NOT NULL,
    PRIMARY KEY (tenant, last_seq)
);

CREATE TRIGGER audit_segments_in_order BEFORE INSERT ON audit_segments
WHEN NEW.dropped <> 0 OR NEW.last_seq < NEW.first_seq
    OR NEW.first_seq <> coalesce((SELECT max(last_seq) FROM audit_segments WHERE tenant = NEW.tenant), 0) + 1
    OR NEW.last_seq >= coalesce((SELECT seq FROM audit_heads WHERE tenant = NEW.tenant), 0)
    OR NOT EXISTS (SELECT 1 FROM audit WHERE tenant = NEW.tenant AND seq = NEW.last_seq AND hash = NEW.hash)
BEGIN SELECT RAISE(ABORT, 'audit segments are append-only'); END;

CREATE TRIGGER audit_segments_forward BEFORE UPDATE ON audit_segments
WHEN OLD.dropped <> 0 OR NEW.dropped <= 0 OR NEW.tenant <> OLD.tenant OR NEW.first_seq <> OLD.first_seq OR NEW.last_seq <> OLD.last_seq
    OR NEW.prev <> OLD.prev OR NEW.hash <> OLD.hash OR NEW.since <> OLD.since OR NEW.until <> OLD.until OR NEW.note <> OLD.note
    OR EXISTS (SELECT 1 FROM audit_segments WHERE tenant = OLD.tenant AND last_seq < OLD.first_seq AND dropped = 0)
BEGIN SELECT RAISE(ABORT, 'audit segments are append-only'); END;

CREATE TRIGGER audit_segments_no_delete BEFORE DELETE ON audit_segments
BEGIN SELECT RAISE(ABORT, 'audit segments are append-only'); END;

DROP TRIGGER audit_no_delete;

CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit
WHEN coalesce((SELECT dropped FROM audit_segments WHERE tenant = OLD.tenant AND last_seq >= OLD.seq ORDER BY last_seq LIMIT 1), 0) = 0
BEGIN SELECT RAISE(ABORT, 'audit records are append-only'); END;
