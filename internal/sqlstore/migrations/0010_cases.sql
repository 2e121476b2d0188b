-- +goose Up

-- The last number given to a case, by year. It moves in the transaction that
-- stores the case, so that numbers have no gaps.
CREATE TABLE case_numbers (
    year INTEGER PRIMARY KEY,
    last INTEGER NOT NULL
);

-- Each case as its events leave it. The events are the truth; this row is what
-- lists and look-ups read.
CREATE TABLE cases (
    serial       INTEGER PRIMARY KEY AUTOINCREMENT, -- order of opening
    id           TEXT NOT NULL UNIQUE,
    subject_kind TEXT NOT NULL,
    subject_id   TEXT NOT NULL,
    state        TEXT NOT NULL,
    version      INTEGER NOT NULL,
    head         BLOB NOT NULL,                     -- JSON
    UNIQUE (subject_kind, subject_id)
);
CREATE INDEX cases_by_state ON cases (state, serial);

CREATE TABLE case_events (
    case_id TEXT NOT NULL REFERENCES cases (id),
    seq     INTEGER NOT NULL,
    at      INTEGER NOT NULL,                       -- Unix nanoseconds
    type    TEXT NOT NULL,
    event   BLOB NOT NULL,                          -- JSON
    PRIMARY KEY (case_id, seq)
) WITHOUT ROWID;

-- +goose StatementBegin
CREATE TRIGGER case_events_stay BEFORE UPDATE ON case_events
BEGIN
    SELECT RAISE(ABORT, 'case events are appended, never changed');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER case_events_last BEFORE DELETE ON case_events
BEGIN
    SELECT RAISE(ABORT, 'case events are appended, never deleted');
END;
-- +goose StatementEnd

-- +goose Down
DROP TABLE case_events;
DROP TABLE cases;
DROP TABLE case_numbers;
