package scan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/dueprocess"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/ingest"
	"github.com/gridwarden/gridwarden/internal/registry"
	"github.com/gridwarden/gridwarden/internal/tariff"
	"github.com/gridwarden/gridwarden/internal/watchlist"
)

// MaxDays is the longest span that one scan judges; earlier days are left out.
const MaxDays = 400

// Options say what to scan against what.
type Options struct {
	Network    *grid.Network
	Uses       *registry.Uses
	Tariffs    *tariff.Book
	Policy     *dueprocess.Policy
	Evaluators []detect.Evaluator
	Shadow     []string // names of those that are heard and weigh nothing

	Readings []string // files
	Location *time.Location
	Until    curve.Date // last day, inclusive; 0 is the last in the files
	Prior    float64
	Now      func() time.Time

	Reading   func(ingest.Progress) // may be nil
	Detecting func(detect.Progress) // called from several goroutines; may be nil
}

// Outcome is what a scan gives.
type Outcome struct {
	Import *ingest.Report
	Result *detect.Result
	// Open names the measures that are open today, by usage point.
	Open map[string][]string
	// Watchlist is the reconciliation of the registry's watchlist, nil without one.
	Watchlist *watchlist.Report
	Seconds   Seconds
}

// Seconds say how long the steps of a scan took.
type Seconds struct {
	Read   float64 `json:"read"`   // reading, validating, computing features
	Detect float64 `json:"detect"` // judging
}

// ErrNoDays is returned where the files hold no meter-day of the span.
var ErrNoDays = errors.New("the readings hold no day to judge; check --until, and that the files have data rows")

// Days are the meter-days of an export, validated, with their features.
type Days struct {
	Report *ingest.Report
	// Took is how long reading, validating and computing features took.
	Took  time.Duration
	store *store
}

// Read reads the export.
func Read(ctx context.Context, o Options) (*Days, error) {
	began := time.Now()
	d := &Days{store: newStore()}
	var err error
	d.Report, err = ingest.Into(ctx, ingest.Options{
		Files: o.Readings, Location: o.Location, Until: o.Until, Network: o.Network, Progress: o.Reading,
		SinkRollsBack: true, // where it fails, the store is not used
	}, d.store)
	if err != nil {
		return nil, fmt.Errorf("readings:\n%w", err)
	}
	d.Took = time.Since(began)
	return d, nil
}

// Judge judges an export that was read.
func Judge(ctx context.Context, o Options, days *Days) (*Outcome, error) {
	began := time.Now()
	list, err := eras(days.store)
	if err != nil {
		return nil, err
	}
	result, err := judge(ctx, detect.Input{
		Network: o.Network, Curves: days.store, Location: o.Location, Uses: o.Uses, Tariffs: o.Tariffs,
		Prior: o.Prior, Evaluators: o.Evaluators, Shadow: o.Shadow, Progress: o.Detecting, Now: o.Now,
	}, list)
	if err != nil {
		return nil, err
	}
	service, err := cases.NewService(cases.Config{
		Store: cases.NewMemory(), Policy: o.Policy, Clock: o.Now, Location: o.Location,
		Customer: func(id string) *grid.Customer { return o.Network.Customer(id) },
	})
	if err != nil {
		return nil, fmt.Errorf("measures: %w", err)
	}
	open, err := OpenMeasures(service, result)
	if err != nil {
		return nil, err
	}
	reconciled, err := Reconcile(ctx, o, days, watchlist.Claim{})
	if err != nil {
		return nil, err
	}
	return &Outcome{Import: days.Report, Result: result, Open: open, Watchlist: reconciled, Seconds: Seconds{Read: days.Took.Seconds(), Detect: time.Since(began).Seconds()}}, nil
}

// OpenMeasures names the measures that are open today for every usage point
// of a result, mildest first.
func OpenMeasures(service *cases.Service, r *detect.Result) (map[string][]string, error) {
	open := make(map[string][]string, len(r.UsagePoints))
	for i := range r.UsagePoints {
		a := &r.UsagePoints[i]
		measures, err := service.OpenFor(r, a)
		if err != nil {
			return nil, fmt.Errorf("measures of usage point %s: %w", a.UsagePointID, err)
		}
		open[a.UsagePointID] = measures
	}
	return open, nil
}
