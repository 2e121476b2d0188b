// Package sdk is the public contract between Gridwarden and its detectors,
// and all that a detector needs besides the standard library.
//
// # A detector in fifteen minutes
//
// A detector is a program of its own that the host starts, feeds and stops. It
// needs Go, this module and three files in a new folder.
//
// Make the module:
//
//	mkdir nightowl && cd nightowl
//	go mod init example.org/nightowl
//	go get github.com/gridwarden/gridwarden/plugins/sdk
//
// main.go serves the detector and does nothing else:
//
//	package main
//
//	import "github.com/gridwarden/gridwarden/plugins/sdk"
//
//	func main() { sdk.Serve(NewNightOwl()) }
//
// nightowl.go implements [Detector]: the example of this package is such a
// file, ready to copy. Describe says which features the detector needs;
// Evaluate goes through the subjects of a [Window], and for each either gives
// a [Report.Score] or adds a [Finding].
//
// nightowl_test.go has the conformance suite and whatever proves that the
// detector is right; sdktest makes windows from synthetic loads:
//
//	func TestConformance(t *testing.T) { sdktest.Conform(t, NewNightOwl()) }
//
// Build it, and name it in the host's configuration with its checksum:
//
//	go test . && go build . && sha256sum nightowl
//
// The host refuses a program whose checksum is not the one that is pinned. The
// plugins page and `gridwarden plugins list` show that it runs; its findings
// stand in the queue beside those of the others.
//
// # What a detector is given
//
// A window holds daily features of many subjects over a span of days, in
// columns of float32 in which NaN means that there is no value, and what the
// records say of each subject as attributes. Which subjects come together is
// the detector's [Scope]: a batch of usage points that are judged each by
// itself, one transformer (the first subject) with all points behind it, or
// all points at once.
//
// Nothing comes that was not declared: no other feature, no other quantity, no
// interval below the declared quality. Subjects bear pseudonyms; no name,
// address or number of a real customer or meter reaches a detector.
//
// Raw curves come only on request. [Report.RequestCurves] in a window makes
// the host send a second one with [Window.Curves] for those subjects; what is
// said there replaces what was said before. Ask for the few that daily values
// cannot decide.
//
// # What is expected of it
//
// Probabilities are calibrated at [Window.Prior], the base rate of abnormal
// use: of the points scored 0.3, three in ten should turn out abnormal. Score
// every point that could be judged, also those with nothing to report; leave
// out those that could not.
//
// A finding is read by an officer who must defend it. Its evidence says what
// was measured, when, and with which unit; its innocent explanations say what
// else it could be and how that was tested. It names no action: that is for
// people and the law.
//
// The same window and configuration must give the same report. Keep nothing
// from one window for another, read no clock and no file, and do not iterate
// over maps where the order shows: findings are replayed. Evaluate is called
// for several windows at a time.
//
// # What happens when it fails
//
// An error from Evaluate, or a panic, means that the window was not judged;
// the detector's run then counts as failed and the other detectors go on. A
// process that ends, takes longer than its deadline or sends what is not in
// the contract (see [Report.Check]) is stopped, started again for the next
// run, and quarantined after repeated failure. What it wrote to stderr last
// is shown with the failure. A plugin ends when its host does.
//
// # Other languages
//
// The wire is one gRPC service, documented in proto/detector/v1/detector.proto,
// behind the handshake of hashicorp/go-plugin: [Handshake] has its cookie.
package sdk
