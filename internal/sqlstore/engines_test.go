package sqlstore

import (
	"context"
	"path/filepath"
	"sync"
	"testing"

	"github.com/gridwarden/gridwarden/internal/sqlstore/pgtest"
)

// testCluster is the PostgreSQL server of this test run. It starts with the
// first test that asks for a database.
type testCluster struct {
	once    sync.Once
	cluster *pgtest.Cluster
	err     error
}

func (c *testCluster) get() (*pgtest.Cluster, error) {
	c.once.Do(func() { c.cluster, c.err = pgtest.Start(context.Background()) })
	return c.cluster, c.err
}

func (c *testCluster) close() error {
	if c.cluster == nil {
		return nil
	}
	return c.cluster.Close()
}

var postgres testCluster

// newPostgres returns the URL of an empty schema of a PostgreSQL database.
func newPostgres(t testing.TB) string {
	t.Helper()
	cluster, err := postgres.get()
	if err != nil {
		t.Fatal(err)
	}
	url, err := cluster.Schema(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return url
}

// newSQLite returns the path of an SQLite database that is not there yet.
func newSQLite(t testing.TB) string {
	t.Helper()
	return filepath.Join(t.TempDir(), "data dir", "grid#warden?.db")
}

// openAt opens a database until the test ends.
func openAt(t testing.TB, where string) *DB {
	t.Helper()
	db, err := Open(t.Context(), where)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// onBoth runs a test on either engine; empty returns where an empty database
// is to be opened.
func onBoth(t *testing.T, test func(t *testing.T, empty func(t testing.TB) string)) {
	t.Helper()
	t.Run("SQLite", func(t *testing.T) { test(t, newSQLite) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, newPostgres) })
}

// eachEngine runs a test with an empty database of either engine.
func eachEngine(t *testing.T, test func(t *testing.T, db *DB)) {
	t.Helper()
	onBoth(t, func(t *testing.T, empty func(t testing.TB) string) { test(t, openAt(t, empty(t))) })
}
