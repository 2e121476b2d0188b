package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"strings"
)

// DB is an opened store. It is safe for concurrent use.
type DB struct {
	sql    *sql.DB
	engine engine
	writer chan struct{} // holds one token while this process writes to SQLite
	name   string        // for messages, without a password
	host   string        // this process among those that share the database
	curves *Curves
	log    *slog.Logger
}

// Option changes how a database is opened.
type Option func(*options)

type options struct {
	passwordFile string
	log          *slog.Logger
	connections  int
}

// WithPasswordFile names a file whose first line is the password for
// PostgreSQL. It is read for every new connection, so that a password that is
// changed there needs no restart.
func WithPasswordFile(path string) Option { return func(o *options) { o.passwordFile = path } }

// WithLogger has the progress of long migrations logged.
func WithLogger(log *slog.Logger) Option { return func(o *options) { o.log = log } }

// WithConnections bounds the connections to PostgreSQL, 16 by default.
func WithConnections(n int) Option { return func(o *options) { o.connections = n } }

// Open opens the database at where and brings its schema up to date: the path
// of an SQLite file, which is made with its folder where it is not there, or
// the postgres:// URL of a PostgreSQL database that is there. A database that
// a newer version has written is refused and left as it is.
func Open(ctx context.Context, where string, opts ...Option) (*DB, error) {
	o := options{log: slog.New(slog.DiscardHandler), connections: postgresConnections}
	for _, opt := range opts {
		opt(&o)
	}
	open := openSQLite
	if IsPostgres(where) {
		open = openPostgres
	}
	db, err := open(where, &o)
	if err != nil {
		return nil, err
	}
	db.log = o.log
	if err := db.migrate(ctx); err != nil {
		_ = db.sql.Close()
		return nil, fmt.Errorf("database %s: %w", db.name, err)
	}
	db.curves = newCurves(db)
	return db, nil
}

// IsPostgres reports whether where names a PostgreSQL database.
func IsPostgres(where string) bool {
	return strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://")
}

// Close closes the database.
func (db *DB) Close() error {
	if err := db.sql.Close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}

// SQL returns the connection pool, for looking at. Write through Write.
func (db *DB) SQL() *sql.DB { return db.sql }
