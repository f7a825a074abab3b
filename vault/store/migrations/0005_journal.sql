-- Writes that were begun, for a quarter of an hour: see vault/guard.
CREATE TABLE journal (
    device  TEXT NOT NULL,
    stream  TEXT NOT NULL,
    call    TEXT NOT NULL,
    person  TEXT NOT NULL,
    tenant  TEXT NOT NULL,
    tool    TEXT NOT NULL,
    print   BYTEA NOT NULL,
    started BIGINT NOT NULL,
    result  BYTEA, -- sealed; NULL until the write has finished
    PRIMARY KEY (device, stream, call)
);

CREATE INDEX journal_started ON journal (started);
