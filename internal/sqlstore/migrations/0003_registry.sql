-- +goose Up

-- The records of the network, one snapshot: kind says which record, seq its
-- place in the file it came from.
CREATE TABLE registry_records (
    kind   TEXT NOT NULL,
    seq    INTEGER NOT NULL,
    record BLOB NOT NULL,                -- JSON
    PRIMARY KEY (kind, seq)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE registry_records;
