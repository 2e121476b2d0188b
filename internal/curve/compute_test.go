package curve

import (
	"math"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func TestFeatureOrderIsTheSDKs(t *testing.T) {
	names := sdk.Features()
	if len(names) != FeatureCount {
		t.Fatalf("the sdk names %d features, FeatureCount is %d", len(names), FeatureCount)
	}
	for at, want := range map[int]sdk.Feature{
		fEnergyKWh: sdk.EnergyKWh, fMeanKW: sdk.MeanKW, fMinKW: sdk.MinKW, fP10KW: sdk.P10KW, fP25KW: sdk.P25KW,
		fP50KW: sdk.P50KW, fP75KW: sdk.P75KW, fP90KW: sdk.P90KW, fMaxKW: sdk.MaxKW, fPeakKW: sdk.PeakKW,
		fNightKW: sdk.NightKW, fMorningKW: sdk.MorningKW, fDaytimeKW: sdk.DaytimeKW, fEveningKW: sdk.EveningKW,
		fStdKW: sdk.StdKW, fRoughnessKW: sdk.RoughnessKW, fFlatShare: sdk.FlatShare, fLongestFlatH: sdk.LongestFlatH,
		fLoadFactor: sdk.LoadFactor, fGoodShare: sdk.GoodShare, fEstimatedShare: sdk.EstimatedShare,
		fPowerFactorAvg: sdk.PowerFactorAvg, fTHDCurrentAvg: sdk.THDCurrentAvg, fVoltageAvg: sdk.VoltageAvg,
	} {
		if names[at] != want {
			t.Errorf("feature %d is %s here and %s in the sdk", at, want, names[at])
		}
	}
}

// dayOf makes a day of n intervals in hours hours whose mean power in elapsed
// hour h is kw(h).
func dayOf(perHour, hours int, kw func(h int) float64) *Day {
	n := perHour * hours
	d := &Day{MeterID: "M", Date: 20000, Interval: time.Hour / time.Duration(perHour), Start: Date(20000).Start(time.UTC),
		EnergyKWh: make([]float64, n), Quality: make([]meter.Quality, n)}
	for i := range n {
		d.EnergyKWh[i] = kw(i/perHour) / float64(perHour)
		d.Quality[i] = meter.Good
	}
	return d
}

func near(a float32, b float64) bool {
	if b != b {
		return a != a
	}
	return math.Abs(float64(a)-b) <= 1e-5*math.Max(1, math.Abs(b))
}

func TestComputeIsTheSameAtEveryResolution(t *testing.T) {
	for _, perHour := range []int{1, 2, 4, 12} {
		f := Compute(dayOf(perHour, 24, func(h int) float64 { return float64(h) }))
		for i, want := range map[int]float64{
			fEnergyKWh: 276, fMeanKW: 11.5, fMinKW: 0, fP10KW: 2.3, fP25KW: 5.75, fP50KW: 11.5, fP75KW: 17.25, fP90KW: 20.7,
			fMaxKW: 23, fPeakKW: 23, fNightKW: 2, fMorningKW: 6.5, fDaytimeKW: 12.5, fEveningKW: 19,
			fStdKW: math.Sqrt((24*24 - 1) / 12.0), fRoughnessKW: 1, fFlatShare: 0, fLongestFlatH: 2, fLoadFactor: 0.5,
			fGoodShare: 1, fEstimatedShare: 0, fPowerFactorAvg: math.NaN(), fTHDCurrentAvg: math.NaN(), fVoltageAvg: math.NaN(),
		} {
			if i == fLongestFlatH {
				continue // looked at below
			}
			if !near(f[i], want) {
				t.Errorf("%d an hour: %s is %v, want %v", perHour, sdk.Features()[i], f[i], want)
			}
		}
	}
}

func TestComputeFlatness(t *testing.T) {
	f := Compute(dayOf(4, 24, func(int) float64 { return 3.3 }))
	if !near(f[fFlatShare], 1) || !near(f[fLongestFlatH], 24) || !near(f[fLoadFactor], 1) || !near(f[fRoughnessKW], 0) {
		t.Errorf("an even load gave flat share %v, run %v, load factor %v, roughness %v", f[fFlatShare], f[fLongestFlatH], f[fLoadFactor], f[fRoughnessKW])
	}
	f = Compute(dayOf(4, 24, func(h int) float64 {
		if h < 10 {
			return 10 + 0.2*float64(h%2) // within 3 % of each other
		}
		return 20 + float64(h)
	}))
	if !near(f[fLongestFlatH], 10) {
		t.Errorf("the longest run is %v hours, want 10", f[fLongestFlatH])
	}
	f = Compute(dayOf(4, 24, func(int) float64 { return 0 }))
	if !near(f[fEnergyKWh], 0) || !near(f[fLoadFactor], math.NaN()) {
		t.Errorf("an empty house gave energy %v and load factor %v", f[fEnergyKWh], f[fLoadFactor])
	}
}

func TestComputeAtClockChanges(t *testing.T) {
	wall := func(hours int) func(h int) float64 { // 1 kW by night, 5 kW from 05:00 on
		return func(h int) float64 {
			if h < 5+hours-24 {
				return 1
			}
			return 5
		}
	}
	for _, hours := range []int{23, 24, 25} {
		f := Compute(dayOf(4, hours, wall(hours)))
		night := 5 + hours - 24
		energy := float64(night) + 5*float64(hours-night)
		if !near(f[fNightKW], 1) || !near(f[fMorningKW], 5) || !near(f[fEnergyKWh], energy) || !near(f[fMeanKW], energy/float64(hours)) {
			t.Errorf("%d hours: night %v, morning %v, energy %v, mean %v", hours, f[fNightKW], f[fMorningKW], f[fEnergyKWh], f[fMeanKW])
		}
	}
}

func TestComputeLeavesBadIntervalsOut(t *testing.T) {
	d := dayOf(4, 24, func(int) float64 { return 2 })
	for i := range 24 { // the first six hours
		d.Quality[i] = meter.Bad
		d.EnergyKWh[i] = 1000
	}
	d.EnergyKWh[30] = math.NaN()
	d.Quality[30] = meter.Bad
	d.Quality[31] = meter.Uncertain
	d.Flag(31, meter.Estimated)
	f := Compute(d)
	for i, want := range map[int]float64{fEnergyKWh: 48, fMeanKW: 2, fPeakKW: 2, fNightKW: math.NaN(), fMorningKW: 2,
		fMaxKW: 2, fGoodShare: 70.0 / 96, fEstimatedShare: 1.0 / 96} {
		if !near(f[i], want) {
			t.Errorf("%s is %v, want %v", sdk.Features()[i], f[i], want)
		}
	}
	for i := range 50 {
		d.Quality[i] = meter.Bad
	}
	f = Compute(d)
	for i, v := range f {
		if i != fGoodShare && i != fEstimatedShare && v == v {
			t.Errorf("with half of the day bad %s is %v, want NaN", sdk.Features()[i], v)
		}
	}
}

func TestComputeElectricalFeatures(t *testing.T) {
	d := dayOf(1, 24, func(int) float64 { return 4 })
	fill := func(v float32) []float32 {
		c := make([]float32, 24)
		for i := range c {
			c[i] = v
		}
		return c
	}
	d.Other = map[meter.Quantity][]float32{meter.ReactivePower: fill(3), meter.THDCurrent: fill(12), meter.VoltageA: fill(230), meter.VoltageB: fill(234)}
	f := Compute(d)
	if !near(f[fPowerFactorAvg], 0.8) || !near(f[fTHDCurrentAvg], 12) || !near(f[fVoltageAvg], 232) {
		t.Errorf("power factor %v, THD %v, voltage %v; want 0.8, 12, 232", f[fPowerFactorAvg], f[fTHDCurrentAvg], f[fVoltageAvg])
	}
	d.Other[meter.PowerFactor] = fill(0.95)
	if f = Compute(d); !near(f[fPowerFactorAvg], 0.95) {
		t.Errorf("the measured power factor gave %v, want 0.95", f[fPowerFactorAvg])
	}
}
