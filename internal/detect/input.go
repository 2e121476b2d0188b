package detect

import (
	"errors"
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/registry"
	"github.com/gridwarden/gridwarden/internal/risk"
	"github.com/gridwarden/gridwarden/internal/tariff"
)

// Input is all that a run needs. The same Input gives the same Result, but
// for RunID and At, in whatever order batches are judged.
type Input struct {
	Network     *grid.Network
	Curves      curve.Store
	First, Last curve.Date // both inclusive
	Location    *time.Location
	Uses        *registry.Uses   // what declared uses usually look like; nil knows none
	Tariffs     *tariff.Book     // nil knows none
	Prior       float64          // base rate of abnormal use, 0 … 1 exclusive
	Calibration risk.Calibration // what inspections have shown; the zero value changes nothing
	Evaluators  []Evaluator
	Shadow      []string // names of those that are heard and weigh nothing (see Shadow)

	// PseudonymKey is the installation's secret behind the pseudonyms. Without
	// one a key is derived from the data of the run, which no detector sees whole.
	PseudonymKey []byte

	Progress func(Progress)   // called from several goroutines; may be nil
	Now      func() time.Time // nil is time.Now
}

// Progress is how far one detector has come in a run.
type Progress struct {
	Detector    string
	Done, Total int // windows
}

// Batch sizes: a usage-point window holds about this many float32 values of
// features, which is 2 MB on the wire.
const (
	windowValues   = 500_000
	windowSubjects = 4096
)

// mostDays bounds the span of a run.
const mostDays = 3660

func (in *Input) check() error {
	switch {
	case in.Network == nil || in.Curves == nil:
		return errors.New("detection needs a network and curves")
	case in.First > in.Last:
		return fmt.Errorf("detection from %s to %s: the first day is after the last", in.First, in.Last)
	case in.Last-in.First >= mostDays:
		return fmt.Errorf("detection over %d days; ten years are the most", in.Last-in.First+1)
	case !(in.Prior > 0 && in.Prior < 1):
		return fmt.Errorf("prior %v; give the base rate of abnormal use between 0 and 1, such as 0.01", in.Prior)
	}
	if c := in.Calibration; !c.Valid() {
		return fmt.Errorf("calibration with intercept %v and slope %v; the slope lies between %v and %v, the intercept within %v of 0", c.Intercept, c.Slope, risk.MinSlope, risk.MaxSlope, risk.MaxIntercept)
	}
	names := make(map[string]bool)
	for _, e := range in.Evaluators {
		name := e.Describe().Name
		if names[name] {
			return fmt.Errorf("two detectors are called %q; remove one", name)
		}
		names[name] = true
	}
	return nil
}

func (in *Input) location() *time.Location {
	if in.Location == nil {
		return time.UTC
	}
	return in.Location
}

func (in *Input) now() time.Time {
	if in.Now == nil {
		return time.Now().UTC()
	}
	return in.Now().UTC()
}
