-- +goose Up

-- Meters get small numbers, so that a meter-day's key is short.
CREATE TABLE meters (
    id       INTEGER PRIMARY KEY,
    meter_id TEXT NOT NULL UNIQUE
);

-- The latest version of every meter-day, by day first: a nightly run reads
-- one day of all meters in one sweep, and imports append.
CREATE TABLE meter_days (
    day      INTEGER NOT NULL,           -- civil day since 1970-01-01
    meter    INTEGER NOT NULL REFERENCES meters (id),
    version  INTEGER NOT NULL,
    open     INTEGER NOT NULL,           -- 1: the day is still in progress
    features BLOB NOT NULL,              -- little-endian float32, in the order of sdk.Features
    curve    BLOB NOT NULL,              -- curve.Encode
    PRIMARY KEY (day, meter)
) WITHOUT ROWID;

-- Versions that were replaced; raw values are never lost.
CREATE TABLE meter_day_versions (
    day         INTEGER NOT NULL,
    meter       INTEGER NOT NULL,
    version     INTEGER NOT NULL,
    replaced_at INTEGER NOT NULL,        -- Unix seconds
    features    BLOB NOT NULL,
    curve       BLOB NOT NULL,
    PRIMARY KEY (day, meter, version)
) WITHOUT ROWID;

-- Small states of long-running readers, by name.
CREATE TABLE checkpoints (
    name TEXT PRIMARY KEY,
    data BLOB NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE checkpoints;
DROP TABLE meter_day_versions;
DROP TABLE meter_days;
DROP TABLE meters;
