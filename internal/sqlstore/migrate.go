package sqlstore

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations/*.sql migrations/postgres/*.sql
var migrations embed.FS

// migrate brings the schema up to date. It refuses a database that a newer
// version has written before it changes anything.
func (db *DB) migrate(ctx context.Context) error {
	folder, dialect := "migrations", goose.DialectSQLite3
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true), goose.WithAllowOutofOrder(true)}
	if db.engine == sqliteEngine {
		mover := rowMover{db: db, log: db.log, batch: movedAtOnce}
		options = append(options, goose.WithGoMigrations(mover.migration()))
	} else {
		folder, dialect = "migrations/postgres", goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker() // hosts that start together do it one after another
		if err != nil {
			return fmt.Errorf("migrations: %w", err)
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	provider, err := goose.NewProvider(dialect, db.sql, files, options...)
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if err := db.refuseNewer(ctx, provider.ListSources()); err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("bring the schema up to date: %w", db.engine.explain(err))
	}
	return nil
}

// refuseNewer returns an error where the database has a migration that this
// version does not know.
func (db *DB) refuseNewer(ctx context.Context, known []*goose.Source) error {
	newest := int64(0)
	for _, source := range known {
		newest = max(newest, source.Version)
	}
	there := `SELECT count(*) FROM sqlite_schema WHERE name = 'goose_db_version'`
	if db.engine == postgresEngine {
		there = `SELECT count(*) FROM pg_class WHERE oid = to_regclass('goose_db_version')`
	}
	var tables int
	if err := db.read().queryRow(ctx, there).Scan(&tables); err != nil {
		return fmt.Errorf("cannot be read: %w; %s", err, db.engine.unreadable())
	}
	if tables == 0 {
		return nil
	}
	var version int64
	if err := db.read().queryRow(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version`).Scan(&version); err != nil {
		return fmt.Errorf("read the version of its schema: %w", err)
	}
	if version > newest {
		return fmt.Errorf("its schema is of version %d, and this program knows them up to %d; run the newer program that wrote it, or name another database", version, newest)
	}
	return nil
}
