// Package detect runs detectors over the curves: it launches them out of
// process, hands them pseudonymised windows, and merges what they report into
// one Result.
package detect
