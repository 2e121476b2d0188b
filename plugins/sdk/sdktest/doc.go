// Package sdktest is the conformance suite that authors run against their
// detector, in one line of a test:
//
//	func TestConformance(t *testing.T) { sdktest.Conform(t, &Detector{}) }
//
// It feeds the detector windows that a host may well send it (no subject, no
// data, days cut by the clock, impossible values) and asks what the host asks:
// reports that make sense, the same ones for the same window, no panic, an
// end when it is cancelled. It says nothing of whether the detector is right.
//
// Scene builds such windows from synthetic loads; authors may use it for their
// own tests too.
package sdktest
