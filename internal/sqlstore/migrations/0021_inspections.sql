-- +goose Up

-- What inspections found, with what had been said of the point before.
CREATE TABLE inspections (
    usage_point_id TEXT NOT NULL,
    day            INTEGER NOT NULL,     -- since 1970-01-01
    stored         INTEGER NOT NULL,     -- Unix nanoseconds
    inspection     BLOB NOT NULL,        -- JSON
    PRIMARY KEY (usage_point_id, day)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE inspections;
