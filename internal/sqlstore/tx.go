package sqlstore

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"time"
)

// statements is what both *sql.DB and *sql.Tx do.
type statements interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// conn runs statements on either engine: outside a transaction each for
// itself, inside one with the others.
type conn struct {
	run    statements
	engine engine
}

// exec runs a statement and returns how many rows it touched.
func (c conn) exec(ctx context.Context, statement string, args ...any) (int64, error) {
	result, err := c.run.ExecContext(ctx, c.engine.bind(statement), args...)
	if err != nil {
		return 0, c.engine.explain(err)
	}
	n, err := result.RowsAffected()
	if err != nil {
		return 0, fmt.Errorf("rows affected: %w", err)
	}
	return n, nil
}

// query runs a query and calls row for each of its rows.
func (c conn) query(ctx context.Context, row func(rows *sql.Rows) error, query string, args ...any) error {
	rows, err := c.run.QueryContext(ctx, c.engine.bind(query), args...)
	if err != nil {
		return c.engine.explain(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		if err := row(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// queryRow runs a query of one row.
func (c conn) queryRow(ctx context.Context, query string, args ...any) *sql.Row {
	return c.run.QueryRowContext(ctx, c.engine.bind(query), args...)
}

// Tx is a transaction that writes.
type Tx struct {
	conn
	tx *sql.Tx
}

// attempts bounds how often a transaction is run that others keep from its end.
const attempts = 12

// Write runs fn in one transaction: committed where fn returns nil, rolled
// back where it fails or panics. fn must use tx alone; calling Write within it
// would wait for itself. On SQLite there is one writer at a time. On
// PostgreSQL transactions run beside each other, hold the rows that they
// change, and where two are in each other's way one of them is run again: so
// fn must be such that running it again from its beginning is right.
func (db *DB) Write(ctx context.Context, fn func(tx *Tx) error) error {
	release, err := db.wait(ctx)
	if err != nil {
		return err
	}
	defer release()
	for attempt := range attempts {
		if err = db.writeOnce(ctx, fn); err == nil || !db.engine.again(err) {
			return err
		}
		select {
		case <-time.After(rand.N(time.Duration(attempt+1) * 10 * time.Millisecond)):
		case <-ctx.Done():
			return fmt.Errorf("wait for other writers: %w", ctx.Err())
		}
	}
	return fmt.Errorf("given up after %d attempts, others were in the way: %w", attempts, err)
}

// wait waits for the other writers of this process where the engine has one at
// a time.
func (db *DB) wait(ctx context.Context) (release func(), err error) {
	if db.engine != sqliteEngine {
		return func() {}, nil
	}
	select {
	case db.writer <- struct{}{}:
		return func() { <-db.writer }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for another writer: %w", ctx.Err())
	}
}

func (db *DB) writeOnce(ctx context.Context, fn func(tx *Tx) error) error {
	tx, err := db.sql.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin transaction: %w", db.engine.explain(err))
	}
	defer func() { _ = tx.Rollback() }() // without effect after Commit
	if err := fn(&Tx{conn{tx, db.engine}, tx}); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", db.engine.explain(err))
	}
	return nil
}

// read returns what reads outside a transaction.
func (db *DB) read() conn { return conn{db.sql, db.engine} }

// snapshot runs fn with everything as it is at one moment.
func (db *DB) snapshot(ctx context.Context, fn func(c conn) error) error {
	tx, err := db.sql.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: db.engine.snapshotLevel()})
	if err != nil {
		return fmt.Errorf("begin reading: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // it only read
	return fn(conn{tx, db.engine})
}
