-- +goose Up

-- Closed days of 64 meters of successive numbers on one date. The key is the
-- day shifted left by 32 bits plus the meters' number divided by 64.
CREATE TABLE day_chunks (
    id       INTEGER PRIMARY KEY,
    days     BLOB NOT NULL,              -- which meters, their versions and origins, and where their curves end
    curves   BLOB NOT NULL,              -- curve.Encode, meter after meter
    features BLOB NOT NULL               -- little-endian float32, in the order of sdk.Features, meter after meter
);

-- Days in progress.
CREATE TABLE open_days (
    chunk   INTEGER NOT NULL,            -- day_chunks.id once it closes
    meter   INTEGER NOT NULL,
    version INTEGER NOT NULL,
    at      INTEGER NOT NULL,            -- Unix nanoseconds
    rule    TEXT NOT NULL,
    author  TEXT NOT NULL,
    reason  TEXT NOT NULL,
    curve   BLOB NOT NULL,
    PRIMARY KEY (chunk, meter)
) WITHOUT ROWID;

-- Versions that were replaced; raw values are never lost.
CREATE TABLE day_versions (
    meter    INTEGER NOT NULL,
    day      INTEGER NOT NULL,           -- civil day since 1970-01-01
    version  INTEGER NOT NULL,
    at       INTEGER NOT NULL,           -- when it came, Unix nanoseconds; 0 where that was not kept
    rule     TEXT NOT NULL,
    author   TEXT NOT NULL,
    reason   TEXT NOT NULL,
    features BLOB NOT NULL,
    curve    BLOB NOT NULL,
    PRIMARY KEY (meter, day, version)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE day_versions;
DROP TABLE open_days;
DROP TABLE day_chunks;
