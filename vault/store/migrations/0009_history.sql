-- What is usual for each person, in a few sealed KiB: see vault/anomaly/watch.
CREATE TABLE person_history (
    person    TEXT PRIMARY KEY,
    sealed    BYTEA NOT NULL, -- empty where only a suspension is known
    version   BIGINT NOT NULL,
    saved     BIGINT NOT NULL,
    suspended BIGINT NOT NULL -- until when the person cannot sign in; 0 for never
);

CREATE INDEX person_history_saved ON person_history (saved);
