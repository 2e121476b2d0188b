-- +goose Up

-- Their rows have moved to day_chunks, open_days and day_versions; what
-- accumulators keep is in reader_states.
DROP TABLE meter_days;
DROP TABLE meter_day_versions;
DROP TABLE checkpoints;

-- +goose Down
CREATE TABLE checkpoints (
    name TEXT PRIMARY KEY,
    data BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE meter_day_versions (
    day         INTEGER NOT NULL,
    meter       INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    replaced_at INTEGER NOT NULL,
    features    BLOB NOT NULL,
    curve       BLOB NOT NULL,
    PRIMARY KEY (day, meter, version)
) WITHOUT ROWID;
CREATE TABLE meter_days (
    day      INTEGER NOT NULL,
    meter    INTEGER NOT NULL REFERENCES meters (id),
    version  INTEGER NOT NULL,
    open     INTEGER NOT NULL,
    features BLOB NOT NULL,
    curve    BLOB NOT NULL,
    PRIMARY KEY (day, meter)
) WITHOUT ROWID;
