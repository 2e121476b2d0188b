package stress

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/registry"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Window builds the window of the scene's customer, with the raw curve where
// curves are wanted. peers draws the band of the neighbours.
func (s *Scene) Window(rng *rand.Rand, uses *registry.Uses, prior float64) func(curves bool) *sdk.Window {
	subject := sdk.Subject{
		ID: "u", Kind: sdk.UsagePoint, HasMeter: true,
		Numbers: map[string]float64{sdk.AttrPeerCount: 100, sdk.AttrPeerNightKW: 0.25 + 0.5*rng.Float64(), sdk.AttrRegisteredDC: 0},
		Texts:   map[string]string{sdk.AttrCategory: s.Category, sdk.AttrDeclaredUse: s.DeclaredUse},
	}
	if s.DeclaredUse != "dwelling" {
		delete(subject.Numbers, sdk.AttrPeerNightKW)
		subject.Numbers[sdk.AttrPeerCount] = 5
	}
	if s.RegisteredDC {
		subject.Numbers[sdk.AttrRegisteredDC] = 1
	}
	if s.ContractedKVA > 0 {
		subject.Numbers[sdk.AttrContractedKVA] = s.ContractedKVA
	}
	if use := uses.Use(s.DeclaredUse); use != nil {
		subject.Numbers[sdk.AttrExpectedLowKWh], subject.Numbers[sdk.AttrExpectedHighKWh] = use.DailyKWhLow, use.DailyKWhHigh
		subject.Numbers[sdk.AttrExpectedNight] = use.NightDayRatio
		if use.Flat {
			subject.Numbers[sdk.AttrExpectedFlat] = 1
		}
	}
	features := s.features()
	return func(curves bool) *sdk.Window {
		w := &sdk.Window{ID: 1, Scope: sdk.ScopeUsagePoint, FirstDay: sdk.Date(s.First), Days: s.Days, Prior: prior, Subjects: []sdk.Subject{subject}}
		for name, column := range features {
			w.SetFeature(name, column)
		}
		if s.Weather {
			w.TemperatureC = s.dailyTemperature()
		}
		if curves {
			w.Curves = []sdk.Curve{s.curve()}
		}
		return w
	}
}

// features computes the daily features as the host does.
func (s *Scene) features() map[sdk.Feature][]float32 {
	names := sdk.Features()
	out := make(map[sdk.Feature][]float32, len(names))
	for _, name := range names {
		out[name] = make([]float32, s.Days)
	}
	perDay := s.PerDay()
	interval := time.Duration(s.StepMinutes) * time.Minute
	day := curve.Day{MeterID: "u", Interval: interval, EnergyKWh: make([]float64, perDay), Quality: make([]meter.Quality, perDay)}
	for d := range s.Days {
		day.Date = s.First + curve.Date(d)
		day.Start = day.Date.Start(time.UTC)
		for i := range perDay {
			kw := s.KW[d*perDay+i]
			day.EnergyKWh[i], day.Quality[i] = kw*interval.Hours(), meter.Good
			if math.IsNaN(kw) {
				day.Quality[i] = 0
			}
		}
		f := curve.Compute(&day)
		for k, name := range names {
			out[name][d] = f[k]
		}
	}
	if s.pf != nil {
		out[sdk.PowerFactorAvg], out[sdk.THDCurrentAvg] = s.pf, s.thd
	}
	return out
}

func (s *Scene) dailyTemperature() []float32 {
	out := make([]float32, s.Days)
	for d := range out {
		for h := range 24 {
			out[d] += float32(s.TempC[d*24+h] / 24)
		}
	}
	return out
}

func (s *Scene) curve() sdk.Curve {
	c := sdk.Curve{IntervalSeconds: s.StepMinutes * 60, Start: s.First.Start(time.UTC), Columns: map[meter.Quantity][]float32{}}
	kw := make([]float32, len(s.KW))
	for i, v := range s.KW {
		kw[i] = float32(v)
	}
	c.Columns[meter.ActivePower] = kw
	for d := range s.Days + 1 {
		c.DayStart = append(c.DayStart, int32(d*s.PerDay()))
	}
	return c
}

// Judge has a detector judge the scene as a host does, and returns the
// probability that it gives.
func (s *Scene) Judge(ctx context.Context, d sdk.Detector, window func(curves bool) *sdk.Window) (float64, error) {
	p := math.NaN()
	for _, curves := range []bool{false, true} {
		r, err := sdk.Judge(ctx, d, window(curves))
		if err != nil {
			return p, fmt.Errorf("a scene of %s: %w", s.Kind, err)
		}
		for _, v := range r.Scores() {
			p = v
		}
		for _, f := range r.Findings() {
			p = f.Probability
		}
		if len(r.Requests()) == 0 {
			break
		}
	}
	if math.IsNaN(p) {
		return 0.01, nil // too little data to judge: the prior
	}
	return p, nil
}
