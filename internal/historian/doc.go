// Package historian keeps telemetry in InfluxDB, through its v2 write API and
// Flux, and can run an InfluxDB 1.8 of its own as a child process.
//
// # Schema
//
// One measurement, `meter`. One point (a line) holds what one device said of
// one meter at one moment; each quantity is a field, so that a read of twenty
// quantities costs one line, and series are counted by meters and not by
// meters times quantities.
//
//	tag    meter_id            the utility's meter number
//	tag    device_id           name of the device in the configuration
//	time                       event time, nanoseconds
//	float  QUANTITY            the value, in the quantity's unit
//	int    QUANTITY.quality    0 bad, 1 uncertain; absent: good
//	int    QUANTITY.flags      meter.Flags as a number; absent: none
//	float  QUANTITY.rejected   what a bad reading said, where it said a number
//	string QUANTITY.raw        native code in hex, where quality is not good
//	string QUANTITY.detail     why, where quality is not good
//	int    received            receive time, nanoseconds of the epoch
//
// Both tags are bounded by the installed devices. The type of each field is
// fixed by its name: values are floats, whatever the register was, so that
// two devices can never disagree about a field's type. A bad reading has no
// value, not a zero: it is its quality, flags and detail.
//
// In counts and metrics a point is one reading: one value of one quantity, or
// the note that there was none.
//
// # Failure
//
// Write returns an error when the engine does not take readings after a few
// attempts; the caller keeps them (the stream delivers them again). Writing a
// reading twice changes nothing: series, time and fields are the same.
// Readings that the engine will never take (a field type that another program
// has spoilt, a time before its retention) are found by halving the batch and
// handed to Config.Rejected; the others are stored.
//
// What does not live here: when readings are written (internal/host wires the
// stream to Write), and the curves that detectors see (internal/curve). Only
// internal/host may write; internal/console and internal/api may query.
package historian
