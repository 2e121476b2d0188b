// Package historian keeps telemetry in InfluxDB or an engine that takes its v2
// write API, and can run an InfluxDB 1.8 of its own as a child process.
// README.md is for those who operate the engine.
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
// Both tags are bounded by the installed devices: a device reads one meter, so
// that there is a series for each device, and one more for each exchange. The
// fields are those of Schema, six a quantity and `received`. The type of each
// field is fixed by its name alone (TypeOf): values are floats, of counters
// and states too, whatever the register was, so that two devices can never
// disagree about a field's type. A bad reading has no value, not a zero: it is
// its quality, flags and detail.
//
// In counts and metrics a point is one reading: one value of one quantity, or
// the note that there was none.
//
// # Failure
//
// Write returns an error when the engine does not take readings after a few
// attempts; the caller keeps them (the stream delivers them again). Memory
// holds the batches in hand, Config.Writers of them, and nothing that waits.
// Between attempts it waits twice as long each time, spread at random, or as
// long as the engine asks (Retry-After), and then all writers do. Writing a
// reading twice, or in any order, changes nothing: series, time and fields are
// the same.
//
// Readings that the engine will never take (a field whose type another program
// has spoilt, a time before its retention) are parted from the others and
// handed to Config.Rejected; the others are stored. What the engine says about
// a refusal (the field, how many points, which lines) guides the splitting of
// a request and saves most of it; a reading is given up only when it was
// refused by itself or the engine says that it dropped as many points as it
// was sent. A refusal that does not speak of content (a proxy's 400, say) is
// believed only once the engine takes another line; until then nothing is
// given up and the readings wait.
//
// An engine that answers without end, slowly, or nonsense costs a bounded time
// and memory (guard), and what it says never brings the token into a log.
//
// # Engines
//
// The engine is asked once which it is. InfluxDB 1.8 and 2 answer queries in
// Flux; VictoriaMetrics has none and is asked through its export of raw
// samples. Provision sets InfluxDB 2 up, and says what to do by hand on others.
//
// What does not live here: when readings are written (internal/host wires the
// stream to Feed), and the curves that detectors see (internal/curve). Only
// internal/host may write; internal/console and internal/api may query;
// cmd/gridwarden sets up and asks for the state.
package historian
