package detect

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// A mine whose days were all estimated or edited is found and shown, with
// nothing that stands against the customer.
func TestAMineOfEstimatesIsShownAndStandsAgainstNobody(t *testing.T) {
	for name, spoil := range map[string]func(d *curve.Day, i int){
		"measured":    func(*curve.Day, int) {},
		"estimated":   func(d *curve.Day, i int) { d.Quality[i] = meter.Uncertain; d.Flag(i, meter.Estimated) },
		"edited":      func(d *curve.Day, i int) { d.Quality[i] = meter.Uncertain; d.Flag(i, meter.Edited) },
		"edited good": func(d *curve.Day, i int) { d.Flag(i, meter.Edited) },
		"uncertain":   func(d *curve.Day, i int) { d.Quality[i] = meter.Uncertain },
	} {
		t.Run(name, func(t *testing.T) {
			in := district(t)
			store := in.Curves.(*memory)
			for date := firstDay + 10; date <= lastDay; date++ {
				day := store.days["MTR-00007"][date]
				day.Quality = slices.Clone(day.Quality)
				for i := range day.Quality {
					spoil(&day, i)
				}
				store.days["MTR-00007"][date] = day
			}
			found := says{"found", sdk.ScopeFleet, func(w *sdk.Window, out *sdk.Report) {
				out.Add(sdk.Finding{Subject: find(w, 7), Kind: sdk.UsagePoint, Reason: "base_step", Probability: 0.9, ExcessKWhMonth: 500,
					FirstDay: w.FirstDay, LastDay: w.LastDay(),
					Evidence: []sdk.Evidence{{Code: "step", Text: "the base load rose", FirstDay: sdk.Date(firstDay + 10), LastDay: sdk.Date(lastDay)}}})
			}}
			a := mustRun(t, in, Local(found)).UsagePoints[0]
			want := Measured(1)
			stands := 0.01
			if name == "measured" {
				want, stands = 0, 0.9
			}
			if a.UsagePointID != "UP-0007" || a.EstimatedShare != want || a.Findings[0].EstimatedShare != want || math.Abs(a.Risk-0.9) > 1e-9 {
				t.Errorf("%s: estimated share %v and %v, risk %v; want %v", a.UsagePointID, a.EstimatedShare, a.Findings[0].EstimatedShare, a.Risk, want)
			}
			if got := a.RiskThatStands(); math.Abs(got-stands) > 1e-9 {
				t.Errorf("the risk that stands is %v; want %v", got, stands)
			}
		})
	}
}

func TestEstimatedShareCountsIntervalsOfTheEvidence(t *testing.T) {
	day := func(date curve.Date, interval time.Duration, uncertain, bad int) curve.Day {
		d := flatDay(date, time.UTC, interval, func(int) float64 { return 1 })
		for i := range uncertain {
			d.Quality[i] = meter.Uncertain
		}
		for i := range bad {
			d.Quality[len(d.Quality)-1-i] = meter.Bad
		}
		return d
	}
	read := []curve.Day{day(100, 15*time.Minute, 96, 0), day(101, 15*time.Minute, 24, 0), day(102, time.Hour, 6, 12), day(103, time.Hour, 24, 0)}
	evidence := func(spans ...span) *Finding {
		f := &Finding{Finding: sdk.Finding{FirstDay: 100, LastDay: 103}}
		for _, s := range spans {
			f.Evidence = append(f.Evidence, sdk.Evidence{FirstDay: sdk.Date(s.first), LastDay: sdk.Date(s.last)})
		}
		return f
	}
	for name, c := range map[string]struct {
		finding *Finding
		want    float64
	}{
		"a day":             {evidence(span{101, 101}), 0.25},
		"missing apart":     {evidence(span{102, 102}), 0.5},
		"two days":          {evidence(span{101, 102}), 30.0 / 108},
		"two spans":         {evidence(span{100, 100}, span{103, 103}), 1},
		"the finding's own": {evidence(), (96 + 24 + 6 + 24.0) / (96 + 96 + 12 + 24)},
		"no day":            {evidence(span{200, 201}), math.NaN()},
	} {
		got := float64(estimatedShare(c.finding, read))
		if math.Abs(got-c.want) > 1e-12 || math.IsNaN(got) != math.IsNaN(c.want) {
			t.Errorf("%s: %v; want %v", name, got, c.want)
		}
	}
}

func TestWhatRestsOnEstimatesDoesNotAddUp(t *testing.T) {
	in := district(t)
	store := in.Curves.(*memory)
	day := store.days["MTR-00004"][firstDay+2]
	day.Quality = slices.Repeat([]meter.Quality{meter.Uncertain}, day.Intervals())
	store.days["MTR-00004"][firstDay+2] = day
	on := func(w *sdk.Window, p float64, day curve.Date) sdk.Finding {
		return sdk.Finding{Subject: find(w, 4), Kind: sdk.UsagePoint, Reason: "flat_load", Probability: p, FirstDay: sdk.Date(day), LastDay: sdk.Date(day)}
	}
	two := says{"two", sdk.ScopeFleet, func(w *sdk.Window, out *sdk.Report) {
		f, g := on(w, 0.9, firstDay+2), on(w, 0.3, firstDay+3)
		g.Reason = "night_load"
		out.Add(f)
		out.Add(g)
	}}
	other := says{"other", sdk.ScopeFleet, func(w *sdk.Window, out *sdk.Report) { out.Add(on(w, 0.4, firstDay+4)) }}
	alone := says{"two", sdk.ScopeFleet, func(w *sdk.Window, out *sdk.Report) { out.Add(on(w, 0.3, firstDay+3)) }}
	got := mustRun(t, in, Local(two), Local(other)).UsagePoints[0]
	want := mustRun(t, in, Local(alone), Local(other)).UsagePoints[0].Risk
	if got.Risk < 0.9 || math.Abs(got.MeasuredRisk-want) > 1e-12 || got.RiskThatStands() != got.MeasuredRisk {
		t.Errorf("risk %v, measured %v; want %v", got.Risk, got.MeasuredRisk, want)
	}
}
