package sqlstore

import (
	"database/sql"
	"fmt"
	"net/url"
	"os"
	"path/filepath"

	_ "modernc.org/sqlite" // the driver named "sqlite"
)

// sqliteConnections bounds the pool: one writer at a time and a few readers.
const sqliteConnections = 8

func openSQLite(path string, _ *options) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w; give a folder that can be written", err)
	}
	pool, err := sql.Open("sqlite", dataSource(path))
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	pool.SetMaxOpenConns(sqliteConnections)
	pool.SetMaxIdleConns(sqliteConnections)
	return &DB{sql: pool, engine: sqliteEngine, writer: make(chan struct{}, 1), name: path}, nil
}

// dataSource names path with the settings of every connection. Transactions
// begin immediate, so that two writers queue instead of failing half way; a
// writer in another connection is waited for. With WAL and synchronous NORMAL
// a killed process loses nothing that was committed; a power cut may lose the
// last commits, never the consistency.
func dataSource(path string) string {
	query := url.Values{"_txlock": {"immediate"}, "_pragma": {
		"busy_timeout(60000)", "journal_mode(WAL)", "synchronous(NORMAL)", "foreign_keys(1)",
		"cache_size(-65536)", "temp_store(MEMORY)", "journal_size_limit(67108864)",
	}}
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: query.Encode()}).String()
}
