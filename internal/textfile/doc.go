// Package textfile reads the line-based files that people hand to Gridwarden:
// it opens them plain, gzipped or zstd-compressed, splits them into lines of
// bounded length that are checked to be UTF-8, splits lines into CSV fields,
// matches headers, and collects what is wrong as "file:line: what; mend".
//
// It knows nothing of the network or of readings; registry and ingest import it.
package textfile
