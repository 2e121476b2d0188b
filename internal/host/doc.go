// Package host wires the parts into one running program: it opens the stores
// and streams, links drivers and detectors, and runs polling, detection, cases
// and the console until its context ends.
//
// It holds no domain logic of its own. Only cmd imports it.
package host
