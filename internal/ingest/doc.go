// Package ingest reads interval readings that a head-end has exported: wide
// and long CSV, plain, gzipped or zstd-compressed, and Parquet. It turns them
// into meter-days of the site's time zone, validated and estimated by curve,
// and passes them on in batches with bounded memory.
//
// A file that cannot be parsed is refused whole, and nothing of any file is
// passed on then: either every file is checked before the first meter-day
// leaves, or the sink is a transaction that is rolled back.
//
// Where readings go is the caller's business: Into stores them, Read hands
// them to a function. The registry's files are registry's.
package ingest
