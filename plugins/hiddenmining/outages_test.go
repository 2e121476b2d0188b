package hiddenmining

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

func TestCommonUnit(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 3))
	for _, want := range []float64{3.25, 1.45, 0.62} {
		var sizes []float64
		for _, k := range []float64{1, 2, 1, 3, 1, 2, 1} {
			sizes = append(sizes, k*want*(1+0.01*rng.NormFloat64()))
		}
		unit, odds := commonUnit(sizes)
		if odds <= 0 || math.Abs(unit-want) > 0.05*want {
			t.Errorf("multiples of %v kW: unit %.2f, log-odds %.2f", want, unit, odds)
		}
	}
	chance := 0
	for range 100 {
		var sizes []float64
		for range 7 {
			sizes = append(sizes, 0.5+9*rng.Float64())
		}
		if _, odds := commonUnit(sizes); odds > 0 {
			chance++
		}
	}
	if chance > 10 {
		t.Errorf("%d of 100 sets of any sizes share a unit", chance)
	}
	if _, odds := commonUnit([]float64{3, 3}); odds != 0 {
		t.Errorf("two sizes weigh %v", odds)
	}
}

// TestOutages trips a machine of 3 kW five times and a supply twice.
func TestOutages(t *testing.T) {
	home := sdktest.Household(4)
	load := func(d, q int) float64 {
		switch {
		case d%8 == 5 && q >= 10 && q < 14: // the machine alone
			return home(d, q)
		case d%20 == 11 && q >= 50 && q < 60: // everything
			return 0
		}
		return home(d, q) + 3
	}
	s := sdktest.Scene{Members: []sdktest.Member{sdktest.Point("u", load)}, Days: 42}
	m, ok := Measure(s.Window(New().Describe(), true), 0)
	if !ok || m.drops != 5 || math.Abs(m.dropKW-3) > 0.4 {
		t.Errorf("%d falls of %.2f kW, want 5 of 3", m.drops, m.dropKW)
	}
}

// TestCurrent gives a meter power factor and distortion: those of what was
// added are worked out from the whole, and a meter without them loses nothing.
func TestCurrent(t *testing.T) {
	s := sdktest.Scene{Members: []sdktest.Member{sdktest.Point("u", sdktest.From(20, sdktest.Household(4), sdktest.Flat(3)))}, Days: 42}
	d := New().Describe()
	plain, _ := Measure(s.Window(d, true), 0)
	if _, ok := plain.Factors[PowerFactor]; ok {
		t.Errorf("a power factor of %v without a meter for it", plain.Factors[PowerFactor])
	}
	with := func(pf float64) float64 {
		w := s.Window(d, true)
		mean := w.Feature(sdk.MeanKW, 0)
		column := make([]float32, w.Days)
		for k := range column {
			own, added := float64(mean[k]), 0.0
			if k >= 20 {
				own, added = own-3, 3
			}
			q := own*math.Tan(math.Acos(0.9)) + added*math.Tan(math.Acos(pf))
			column[k] = float32((own + added) / math.Hypot(own+added, q))
		}
		w.SetFeature(sdk.PowerFactorAvg, column)
		m, _ := Measure(w, 0)
		return m.Factors[PowerFactor]
	}
	for _, pf := range []float64{0.75, 0.9, 0.98} {
		if got := with(pf); math.Abs(got-pf) > 0.02 {
			t.Errorf("the power factor of what was added is %.3f, want %.2f", got, pf)
		}
	}
}
