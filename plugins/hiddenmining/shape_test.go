package hiddenmining

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// measured takes the factors of one load, raw curve and all.
func measured(t *rapid.T, load sdktest.Load, days int) Measures {
	s := sdktest.Scene{Members: []sdktest.Member{sdktest.Point("u", load)}, Days: days}
	m, ok := Measure(s.Window(New().Describe(), true), 0)
	if !ok {
		t.Fatal("not measured")
	}
	return m
}

// building is a load of some size with a base, working days and noise.
func building(seed uint64) sdktest.Load {
	return func(d, q int) float64 {
		r := rand.New(rand.NewPCG(seed, uint64(d*100+q)))
		h := float64(q) / 4
		kw := 20 + 2*r.Float64()
		if d%7 < 5 {
			kw += 30 * math.Exp(-(h-13)*(h-13)/18) * (0.9 + 0.2*r.Float64())
		}
		return kw
	}
}

// TestUnitsScale holds that a load in other units has the same shape: the
// factors that are shares stay, whatever the size.
func TestUnitsScale(t *testing.T) {
	shares := []Factor{
		StepUniform, StepNoise, StepDrift, StepStays, StepRatio, StepWeek, StepAll, FlatLevel, LowerFlat, NightDay, Notch, Roughness,
		DayToDay, WeekendRatio, HourlyEven, NotchDepth, EnvelopeEven, EnvelopeTight,
	}
	rapid.Check(t, func(t *rapid.T) {
		load := building(rapid.Uint64Range(0, 1000).Draw(t, "seed"))
		if rapid.Bool().Draw(t, "mine") {
			load = sdktest.From(rapid.IntRange(10, 30).Draw(t, "from"), load, sdktest.Flat(rapid.Float64Range(8, 40).Draw(t, "kw")))
		}
		scale := rapid.Float64Range(2, 50).Draw(t, "scale")
		a := measured(t, load, 42)
		b := measured(t, func(d, q int) float64 { return scale * load(d, q) }, 42)
		for _, f := range shares {
			x, y := a.Factors[f], b.Factors[f]
			if math.Abs(x-y) > 0.02+0.02*math.Abs(x) {
				t.Fatalf("%s is %v, and %v at %.1f times the load", f, x, y, scale)
			}
		}
	})
}

// TestKnownLoad adds a constant known load from the first day on: the step
// stays on its day, of its size, and as even as it was.
func TestKnownLoad(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := rapid.IntRange(10, 30).Draw(t, "from")
		load := sdktest.From(day, building(rapid.Uint64Range(0, 1000).Draw(t, "seed")), sdktest.Flat(rapid.Float64Range(8, 40).Draw(t, "kw")))
		known := rapid.Float64Range(1, 100).Draw(t, "known")
		a := measured(t, load, 42)
		b := measured(t, func(d, q int) float64 { return load(d, q) + known }, 42)
		if a.st.At != b.st.At || math.Abs(a.st.Rise-b.st.Rise) > 0.02*a.st.Rise {
			t.Fatalf("a step of %.2f kW on day %d becomes one of %.2f kW on day %d", a.st.Rise, a.st.At, b.st.Rise, b.st.At)
		}
		for _, f := range []Factor{StepUniform, StepNoise, StepDrift, StepStays, StepWeek, StepAll, StepKW} {
			if x, y := a.Factors[f], b.Factors[f]; math.Abs(x-y) > 0.02 {
				t.Fatalf("%s is %v, and %v with the known load", f, x, y)
			}
		}
	})
}

// TestWeeksShift moves a window by whole weeks: the report moves with it.
func TestWeeksShift(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		load := sdktest.From(20, sdktest.Household(rapid.Uint64Range(0, 1000).Draw(t, "seed")), sdktest.Flat(3.2))
		weeks := rapid.IntRange(-200, 200).Draw(t, "weeks")
		s := sdktest.Scene{Members: []sdktest.Member{sdktest.Point("u", load)}, Days: 42, NoReference: true}
		judge := func(by int) sdk.Finding {
			w := s.Window(New().Describe(), true)
			w.FirstDay += sdk.Date(7 * by)
			r, err := sdk.Judge(context.Background(), New(), w)
			if err != nil || len(r.Findings()) != 1 {
				t.Fatalf("%d findings, error %v", len(r.Findings()), err)
			}
			return r.Findings()[0]
		}
		a, b := judge(0), judge(weeks)
		if a.Probability != b.Probability || b.FirstDay-a.FirstDay != sdk.Date(7*weeks) || b.LastDay-a.LastDay != sdk.Date(7*weeks) {
			t.Fatalf("%v from %s, and %v from %s %d weeks on", a.Probability, a.FirstDay, b.Probability, b.FirstDay, weeks)
		}
	})
}

// TestDegenerateLoads holds that nothing that a meter may send breaks the
// arithmetic or accuses anybody.
func TestDegenerateLoads(t *testing.T) {
	for name, load := range map[string]sdktest.Load{
		"nothing":      sdktest.Nothing(),
		"zero":         sdktest.Flat(0),
		"a trickle":    sdktest.Flat(0.0005),
		"absurd":       sdktest.Flat(1e30),
		"negative":     sdktest.Flat(-4),
		"one reading":  func(d, q int) float64 { return only(d == 10 && q == 40, 2) },
		"one day":      func(d, _ int) float64 { return only(d == 10, 2) },
		"every third":  func(_, q int) float64 { return only(q%3 == 0, 0.2) },
		"infinite":     func(_, _ int) float64 { return math.Inf(1) },
		"one spike":    func(d, q int) float64 { return 0.2 + max(0, only(d == 9 && q == 3, 1e6)) },
		"half a curve": func(d, _ int) float64 { return only(d < 20, 0.3) },
	} {
		for _, curves := range []bool{false, true} {
			s := sdktest.Scene{Members: []sdktest.Member{sdktest.Point("u", load)}, Days: 40}
			r, err := sdk.Judge(context.Background(), New(), s.Window(New().Describe(), curves))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			for _, p := range r.Scores() {
				if !(p >= 0 && p < 0.5) {
					t.Errorf("%s: probability %v", name, p)
				}
			}
			for _, f := range r.Findings() {
				if f.Probability >= 0.5 {
					t.Errorf("%s: accused at %v", name, f.Probability)
				}
			}
		}
	}
}

func only(here bool, kw float64) float64 {
	if here {
		return kw
	}
	return math.NaN()
}
