-- +goose Up

-- Readers of the stream: how far they are, and the highest fencing token of
-- their leases.
CREATE TABLE readers (
    id       INTEGER PRIMARY KEY,
    name     TEXT NOT NULL UNIQUE,
    token    INTEGER NOT NULL,
    position INTEGER NOT NULL            -- sequence of the stream
);

-- What a reader keeps of a meter beside its days, in the reader's own form.
CREATE TABLE reader_states (
    meter  INTEGER NOT NULL,             -- meters.id
    day    INTEGER NOT NULL,             -- of the state of one of its days; 0: of the meter itself
    reader INTEGER NOT NULL,             -- readers.id
    data   BLOB NOT NULL,
    PRIMARY KEY (meter, day)
) WITHOUT ROWID;
CREATE INDEX reader_states_by_reader ON reader_states (reader) WHERE day = 0;

-- Letters for the stream, written with the change that they tell of.
CREATE TABLE outbox (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    topic  TEXT NOT NULL,
    key    TEXT NOT NULL,
    msg_id TEXT NOT NULL,
    data   BLOB NOT NULL
);

ALTER TABLE detection_runs ADD COLUMN considered INTEGER NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE detection_runs DROP COLUMN considered;
DROP TABLE outbox;
DROP TABLE reader_states;
DROP TABLE readers;
