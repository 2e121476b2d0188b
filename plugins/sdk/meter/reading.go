package meter

import (
	"strings"
	"time"
)

// Quality is the class of trust in a value. The zero value is Bad, so that a
// value nobody vouched for is never taken for a good one.
type Quality uint8

// Quality classes, worst first, so that min is the quality of a combination.
const (
	Bad Quality = iota
	Uncertain
	Good
)

// String returns "bad", "uncertain" or "good".
func (q Quality) String() string {
	switch q {
	case Good:
		return "good"
	case Uncertain:
		return "uncertain"
	}
	return "bad"
}

// Flags say why a value has its quality. They combine.
type Flags uint16

// Flags in use; their meaning follows the quality codes of IEC 61968-9 annex C.
const (
	Stale Flags = 1 << iota
	Estimated
	Substituted
	Edited
	OutOfRange
	Rollover
	Test
	CommFailure
	Missing
	Spike
	Negative
	Duplicate
	Frozen
	Implausible
)

var flagNames = [...]string{
	"stale", "estimated", "substituted", "edited", "out_of_range", "rollover", "test",
	"comm_failure", "missing", "spike", "negative", "duplicate", "frozen", "implausible",
}

// Has reports whether all flags of other are set in f.
func (f Flags) Has(other Flags) bool { return f&other == other }

// String returns the names of the set flags joined by ";".
func (f Flags) String() string {
	var names []string
	for i, name := range flagNames {
		if f&(1<<i) != 0 {
			names = append(names, name)
		}
	}
	return strings.Join(names, ";")
}

// Reading is one value of one quantity at one moment. When Quality is Bad
// because nothing was obtained, Value is NaN: a failed read is a reading too,
// never a silent gap or a zero.
type Reading struct {
	DeviceID    string    // name of the device in the configuration
	MeterID     string    // the utility's meter number; what curves and registry are keyed by
	Quantity    Quantity  // what
	Value       float64   // in Quantity.Unit(), primary
	EventTime   time.Time // when it was true at the device, UTC
	ReceiveTime time.Time // when it reached the driver, UTC
	Quality     Quality
	Flags       Flags
	Raw         []byte // the native code as it came (register bytes, variant), at most 32 bytes
	Detail      string // for bad readings: what failed, in words that name the mend
}
