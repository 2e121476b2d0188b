// Package risk makes one number of what several detectors say about a usage
// point: Merge gives the probability of abnormal use, Priority the place in
// the queue. Both are monotone in everything they take.
//
// What inspections find comes back: Draw chooses points by lot, so that not
// only the suspicious are seen; Prevalence and Recalibrate learn from what was
// found there without the bias of the choice; a Calibration bends the merged
// risk accordingly. All are pure functions that know neither detectors nor
// findings; detect and outcomes call them.
package risk
