// Package sqlstore keeps registry, curves, results, cases and users behind the
// interfaces that their owners define (curve.WorkStore, detect.ResultStore,
// the stores of cases and access), in SQLite or in PostgreSQL: one layer, with
// statements that both engines understand. SQLite is one file in WAL mode with
// any number of readers and one writer at a time; a PostgreSQL database may be
// shared by several hosts.
//
// Schema changes are goose migrations, embedded: migrations/ for SQLite,
// migrations/postgres/ for PostgreSQL; a released one is never edited. Only
// host and cmd import this package, to wire it.
package sqlstore
