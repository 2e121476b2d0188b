// Package sqlstore keeps registry, curves, results and cases in SQLite behind
// the interfaces that their owners define (curve.Store, detect.ResultStore,
// the stores of cases and access). One file in WAL mode: any number of
// readers, one writer at a time.
//
// Schema changes are goose migrations in migrations/, embedded; a released
// one is never edited. Only host and cmd import this package, to wire it.
package sqlstore
