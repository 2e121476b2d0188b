// Package hiddenmining is the detector of hidden mining: machines that run
// day and night at constant power behind a usage point where nothing of the
// kind is declared.
//
// From daily features it measures how the base load rose, how evenly over the
// day, how flat and how steady it is, and how it compares with homes or the
// declared use; a score card turns each into log-odds. For candidates it asks
// for the raw curve and measures the same things hour by hour, with what
// happens now and then: jumps, outages and recoveries. The weights are fitted by
// "go run ./internal/accuracy/fit"; README.md says on what.
//
// It imports the plugin SDK and the standard library only.
package hiddenmining
