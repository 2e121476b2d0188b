-- +goose Up

CREATE TABLE users (
    login        TEXT PRIMARY KEY,
    display_name TEXT NOT NULL,
    roles        TEXT NOT NULL,    -- JSON list of role codes
    hash         TEXT NOT NULL,    -- PHC string of Argon2id
    created      INTEGER NOT NULL, -- Unix nanoseconds
    disabled     INTEGER NOT NULL
) WITHOUT ROWID;

-- Logins of the console. Only the SHA-256 of a token is kept, so that whoever
-- reads the file cannot take a session over.
CREATE TABLE sessions (
    token_hash BLOB PRIMARY KEY,
    data       BLOB NOT NULL,
    expiry     INTEGER NOT NULL    -- Unix nanoseconds
) WITHOUT ROWID;
CREATE INDEX sessions_by_expiry ON sessions (expiry);

-- +goose Down
DROP TABLE sessions;
DROP TABLE users;
