// Package registry reads the records of a network from the CSV files that a
// utility exports (transformers, customers, usage points and the optional
// reference files), checks them strictly and makes one grid.Network of them.
// It also owns the catalogue of declared uses (configs/uses.yaml).
//
// The optional meter_events.csv holds what meters logged: meter_id, time (RFC
// 3339, with its offset) and code. Codes are those of sdk.EventCodes, short
// forms of the end device events of IEC 61968-9, such as cover_opened or
// power_failed; the usual names of DLMS event logs ("terminal cover removed",
// "strong DC field detected") are taken as well. An event counts for the usage
// point that the meter served at that moment.
//
// Readings are not its business (ingest), nor is storing (sqlstore).
package registry
