package watchlist

import (
	"context"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Detector holds listed hash rates against measured loads. The zero value is
// ready to use and safe for concurrent use.
type Detector struct{}

// New returns the detector.
func New() *Detector { return &Detector{} }

// Describe implements sdk.Detector.
func (*Detector) Describe() sdk.Description {
	return sdk.Description{
		Name: "watchlist", Version: "1.0.0",
		Summary:        "Listed addresses against the meter: does the load carry the power that the listed hash rate needs?",
		Scope:          sdk.ScopeUsagePoint,
		Features:       []sdk.Feature{sdk.MeanKW, sdk.P10KW, sdk.GoodShare},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   90,
		Attributes: []string{
			sdk.AttrListedIP, sdk.AttrListedEntries, sdk.AttrListedShared, sdk.AttrListedHashrate, sdk.AttrListedAlgorithm,
			sdk.AttrListedLowKW, sdk.AttrListedHighKW, sdk.AttrListedSources,
			sdk.AttrPeerNightKW, sdk.AttrDeclaredUse, sdk.AttrRegisteredDC,
		},
		OnlyWith:     []string{sdk.AttrListedIP},
		Corroborates: true,
	}
}

const (
	recentDays = 30 // levels are those of the last month
	minDays    = 5
)

// Evaluate implements sdk.Detector.
func (*Detector) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	for i := range w.Subjects {
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &w.Subjects[i]
		if s.Kind != sdk.UsagePoint || !s.Flag(sdk.AttrListedIP) {
			continue
		}
		l, ok := newLoad(w, i)
		if !ok {
			continue
		}
		v := weigh(readListing(s), &l, s)
		out.Add(v.finding(w, s, &l, robust.Sigmoid(robust.Logit(w.Prior)+v.total())))
	}
	return nil
}

// load is what the last month of a usage point looks like, kW.
type load struct {
	first, last int     // days of the window that it spans
	days        int     // with a value
	base        float64 // median of the level that a day stays above for nine hours in ten
	highest     float64 // mean power that nine days in ten stay below
}

func newLoad(w *sdk.Window, i int) (load, bool) {
	mean, base, good := w.Feature(sdk.MeanKW, i), w.Feature(sdk.P10KW, i), w.Feature(sdk.GoodShare, i)
	if mean == nil || base == nil {
		return load{}, false
	}
	var means, bases []float64
	var l load
	for d := w.Days - 1; d >= 0 && len(means) < recentDays; d-- {
		if !plausible(mean[d]) || !plausible(base[d]) || good != nil && good[d] < 0.5 {
			continue
		}
		if len(means) == 0 {
			l.last = d
		}
		l.first = d
		means, bases = append(means, float64(mean[d])), append(bases, float64(base[d]))
	}
	l.days, l.base, l.highest = len(means), max(0, robust.Median(bases)), robust.Quantile(means, 0.9)
	return l, len(means) >= minDays
}

// plausible reports whether a power can be one of a customer, kW.
func plausible(kw float32) bool { return math.Abs(float64(kw)) < 1e6 }

// listing is what the offices say, as the host has joined it.
type listing struct {
	entries, shared float64
	lowKW, highKW   float64 // 0 where no hash rate with a known algorithm stands in the list
	algorithm       string
	sources         string
}

func readListing(s *sdk.Subject) listing {
	l := listing{
		entries: max(1, amount(s, sdk.AttrListedEntries)), shared: amount(s, sdk.AttrListedShared),
		lowKW: amount(s, sdk.AttrListedLowKW), highKW: amount(s, sdk.AttrListedHighKW),
		algorithm: s.Text(sdk.AttrListedAlgorithm), sources: s.Text(sdk.AttrListedSources),
	}
	l.shared = min(l.shared, l.entries)
	if l.lowKW == 0 || l.highKW < l.lowKW {
		l.lowKW, l.highKW = 0, 0
	}
	return l
}

// amount returns a number that makes sense as a count or a power, else 0.
func amount(s *sdk.Subject, name string) float64 {
	if v := s.Number(name); v > 0 && v < 1e6 {
		return v
	}
	return 0
}
