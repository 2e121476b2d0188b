package sqlstore

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver named "sqlite"
)

//go:embed migrations/*.sql
var migrations embed.FS

// connections bounds the pool: one writer at a time and a few readers.
const connections = 8

// DB is an opened store. It is safe for concurrent use.
type DB struct {
	sql    *sql.DB
	writer chan struct{} // holds one token while this process writes; SQLite has one writer
	curves *Curves
}

// Open opens the database at path, creating it where it is not there, and
// brings its schema up to date. Its folder is created too.
func Open(ctx context.Context, path string) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w; give a folder that can be written", err)
	}
	pool, err := sql.Open("sqlite", dataSource(path))
	if err != nil {
		return nil, fmt.Errorf("database %s: %w", path, err)
	}
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	if err := migrate(ctx, pool); err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("database %s: %w; if it is no Gridwarden database, name another file", path, err)
	}
	db := &DB{sql: pool, writer: make(chan struct{}, 1)}
	db.curves = &Curves{db: db, meters: map[string]int64{}}
	return db, nil
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

func migrate(ctx context.Context, pool *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, pool, files,
		goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", err)
	}
	return nil
}

// Close closes the database.
func (db *DB) Close() error {
	if err := db.sql.Close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// SQL returns the connection pool, for reading and for the stores that other
// parts keep in this package. Write through Write.
func (db *DB) SQL() *sql.DB { return db.sql }

// Write runs fn in one transaction, one writer at a time: committed where fn
// returns nil, rolled back where it fails or panics. fn must use tx alone;
// calling Write again within it would wait for itself.
func (db *DB) Write(ctx context.Context, fn func(tx *sql.Tx) error) error {
	select {
	case db.writer <- struct{}{}:
		defer func() { <-db.writer }()
	case <-ctx.Done():
		return fmt.Errorf("wait for another writer: %w", ctx.Err())
	}
	tx, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // without effect after Commit
	if err := fn(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}
