// Package topology is the detector of meters that do not hang where the
// records say: behind another transformer, or on another phase. It matches
// each member's load with the balance of its transformer, and voltages with
// those of the neighbours where meters give them. What it doubts it measures
// as attributes for the detectors that run after it.
//
// It imports the plugin SDK and the standard library only.
package topology
