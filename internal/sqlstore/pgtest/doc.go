// Package pgtest runs a private PostgreSQL server for tests and benchmarks:
// Debian's programs, a cluster in a temporary folder, a free loopback port,
// nothing of which is left behind.
package pgtest
