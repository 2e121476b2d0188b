// Package risk makes one number of what several detectors say about a usage
// point: Merge gives the probability of abnormal use, Priority the place in
// the queue. Both are pure functions, monotone in everything they take, and
// know neither detectors nor findings; detect calls them.
package risk
