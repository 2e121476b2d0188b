// Package sdk is the public contract between Gridwarden and its detectors,
// and all that a detector needs besides the standard library.
//
// # A detector in fifteen minutes
//
// A detector is a program of its own that the host starts, feeds and stops. It
// needs Go and this module. The program makes the beginning of one:
//
//	gridwarden plugins new nightowl
//	cd nightowl && go mod tidy && make test
//
// With sources of Gridwarden at hand, `plugins new nightowl --sdk PATH` builds
// against them, and nothing is fetched. The project has a small detector that
// finds something, its tests, and a README with the steps that follow: build,
// sign, lock, shadow, promote.
//
// By hand it is three files in a new folder:
//
//	mkdir nightowl && cd nightowl
//	go mod init example.org/nightowl
//	go get github.com/gridwarden/gridwarden/plugins/sdk
//
// or, where there is no released version to get, instead of the last line
//
//	go mod edit -require github.com/gridwarden/gridwarden@v0.0.0 -replace github.com/gridwarden/gridwarden=PATH
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
// file, ready to copy but for its package's name. Describe says which features
// the detector needs; Evaluate goes through the subjects of a [Window], and for
// each either gives a [Report.Score] or adds a [Finding].
//
// nightowl_test.go has the conformance suite and whatever proves that the
// detector is right; sdktest makes windows from synthetic loads:
//
//	package main
//
//	import (
//		"testing"
//
//		"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
//	)
//
//	func TestConformance(t *testing.T) { sdktest.Conform(t, NewNightOwl()) }
//
// Test it, build it, and hold the program against the contract over the wire:
//
//	go mod tidy && go test . && go build -o dist/nightowl/nightowl .
//	gridwarden plugins conform dist/nightowl/nightowl
//
// Sign the folder with a key of your own, put it into the host's plugins
// folder, and have it admitted there:
//
//	gridwarden plugins keygen
//	gridwarden plugins sign dist/nightowl --key plugins.key
//	gridwarden plugins lock -c gridwarden.yaml nightowl
//
// where gridwarden.yaml has
//
//	plugins:
//	  folder: plugins
//	  keys: [plugins.pub]
//	  shadow: [nightowl]
//
// What is unsigned, changed or not admitted never starts. In shadow mode its
// findings are recorded and open no case; `gridwarden replay --detector
// nightowl` shows what it would change. The plugins page and `gridwarden
// plugins list` show that it runs.
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
// Nothing comes that was not declared: no other feature, quantity or attribute,
// no event, no interval below the declared quality. Subjects bear pseudonyms; no name,
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
// plugins/examples/nightload-python is a detector in Python, and its README
// describes the protocol in one page. `gridwarden plugins conform PROGRAM`
// holds a program in any language against it.
package sdk
