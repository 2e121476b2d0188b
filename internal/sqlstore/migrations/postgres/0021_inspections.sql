-- +goose Up

-- What inspections found, with what had been said of the point before.
CREATE TABLE inspections (
    usage_point_id text COLLATE "C" NOT NULL,
    day            bigint NOT NULL,      -- since 1970-01-01
    stored         bigint NOT NULL,      -- Unix nanoseconds
    inspection     bytea NOT NULL,       -- JSON
    PRIMARY KEY (usage_point_id, day)
);

-- +goose Down
DROP TABLE inspections;
