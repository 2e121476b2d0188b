// Package registry reads the records of a network from the CSV files that a
// utility exports (transformers, customers, usage points and the optional
// reference files), checks them strictly and makes one grid.Network of them.
// It also owns the catalogue of declared uses (configs/uses.yaml).
//
// Readings are not its business (ingest), nor is storing (sqlstore).
package registry
