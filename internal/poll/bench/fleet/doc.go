// Package fleet is what the simulator and the runner of the polling benchmark
// both know of the simulated devices: which value each register holds in each
// second, and which devices are silent when. It lets the runner recompute what
// a poll must have read, so that a value of another device, of another second
// or of a neighbouring register never passes for the right one.
//
// Devices are numbered from 0. A device has Registers registers; ten points
// lie in them, named f0 to f4 (float32) and u0 to u4 (unsigned 16 bit).
// Only the benchmark's programs import it.
package fleet
