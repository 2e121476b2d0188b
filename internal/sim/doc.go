// Package sim is a simulated distribution district: one 35/10 kV substation,
// four feeders, forty transformers and a thousand usage points, deterministic
// by seed, with stories of abnormal use planted in it whose truth is known.
// It exports the district's records and load history, and serves its meters
// live over Modbus TCP and OPC UA. README.md states the model's parameters.
//
// It is a world of its own: it knows nothing of detectors or of how they
// judge. cmd/gridsim, the demo and tests of other packages may import it;
// it imports curve (dates), sdk/meter (quantities) and libraries.
//
// Everything is a pure function of (seed, subject, day): the curve of any
// meter on any day can be had without those before it, so the district runs
// on through the present by itself.
package sim
