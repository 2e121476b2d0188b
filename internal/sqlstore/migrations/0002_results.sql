-- +goose Up

-- Detection runs, whole, as JSON.
CREATE TABLE detection_runs (
    run_id TEXT PRIMARY KEY,
    at     INTEGER NOT NULL,             -- Unix nanoseconds
    result BLOB NOT NULL
);
CREATE INDEX detection_runs_by_time ON detection_runs (at);

-- +goose Down
DROP TABLE detection_runs;
