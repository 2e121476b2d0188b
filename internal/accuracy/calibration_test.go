package accuracy

import (
	"math"
	"math/rand/v2"
	"testing"
)

func near(t *testing.T, what string, got, want, within float64) {
	t.Helper()
	if !(math.Abs(got-want) <= within) {
		t.Errorf("%s: got %v, want %v within %v", what, got, want, within)
	}
}

func TestAUCWithTies(t *testing.T) {
	near(t, "all equal", AUC([]float64{1, 1}, []float64{1, 1, 1}), .5, 0)
	near(t, "apart", AUC([]float64{2, 3}, []float64{0, 1}), 1, 0)
	near(t, "upside down", AUC([]float64{0, 1}, []float64{2, 3}), 0, 0)
	// Of six pairs four are in order and two are tied.
	near(t, "some ties", AUC([]float64{1, 2}, []float64{0, 1, 0}), 5.5/6, 1e-12)
	if !math.IsNaN(AUC(nil, []float64{1})) {
		t.Error("no positives gave an area")
	}
}

func TestPrecisionAtIsHardOnTies(t *testing.T) {
	near(t, "half of the two highest", PrecisionAt(2, []float64{.9, .1}, []float64{.8, .7}), .5, 0)
	near(t, "a tie goes to the others", PrecisionAt(1, []float64{.5}, []float64{.5}), 0, 0)
	near(t, "more than there are", PrecisionAt(4, []float64{.9, .8}, []float64{.1}), .5, 0)
}

func TestBrierSkill(t *testing.T) {
	perfect := []Forecast{{1, true, 1}, {0, false, 1}, {0, false, 2}}
	near(t, "perfect", BrierSkill(perfect), 1, 1e-12)
	base := []Forecast{{.25, true, 1}, {.25, false, 1}, {.25, false, 2}}
	near(t, "base rate", BrierSkill(base), 0, 1e-12)
	worse := []Forecast{{.9, false, 3}, {.1, true, 1}}
	if BrierSkill(worse) >= 0 {
		t.Error("a wrong forecast has skill")
	}
}

func TestAtPriorMakesTheShareOfTheTrueOnesThePrior(t *testing.T) {
	var f []Forecast
	for i := range 200 {
		f = append(f, Forecast{.1, i < 10, 1 + float64(i%3)})
	}
	positives, all := 0.0, 0.0
	for _, x := range AtPrior(f, .01) {
		all += x.Weight
		if x.True {
			positives += x.Weight
		}
	}
	near(t, "share", positives/all, .01, 1e-12)
	if f[0].Weight != 1 {
		t.Error("the forecasts that were given have changed")
	}
}

// forecasts draws risks whose truth follows them by a line in log-odds.
func forecasts(intercept, slope float64) []Forecast {
	rng := rand.New(rand.NewPCG(3, 4))
	var out []Forecast
	for range 40000 {
		x := -3 + 2*rng.NormFloat64()
		p := 1 / (1 + math.Exp(-x))
		truth := rng.Float64() < 1/(1+math.Exp(-intercept-slope*x))
		out = append(out, Forecast{p, truth, 1})
	}
	return out
}

func TestCalibrationLineFindsTheLine(t *testing.T) {
	for _, want := range [][2]float64{{0, 1}, {.5, .7}, {-1, 1.3}} {
		intercept, slope := CalibrationLine(forecasts(want[0], want[1]))
		near(t, "intercept", intercept, want[0], .15)
		near(t, "slope", slope, want[1], .06)
	}
}

func TestCalibrationLineOfWhatIsToldApartEntirely(t *testing.T) {
	_, slope := CalibrationLine([]Forecast{{.1, false, 1}, {.2, false, 1}, {.8, true, 1}, {.9, true, 1}})
	if slope < 3 && !math.IsNaN(slope) {
		t.Errorf("slope %v, want a steep one", slope)
	}
}

func TestReliability(t *testing.T) {
	bins := Reliability([]Forecast{{.05, false, 1}, {.05, true, 1}, {.5, true, 2}, {1, true, 4}}, []float64{0, .1, .5, 1})
	if len(bins) != 3 || bins[0].Count != 2 || bins[1].Count != 0 || bins[2].Count != 2 {
		t.Fatalf("bins %+v", bins)
	}
	near(t, "share of the first", bins[0].Share, .5, 1e-12)
	near(t, "mean of the last", bins[2].Mean, 5./6, 1e-12)
	near(t, "weight of the last", bins[2].Weight, .75, 1e-12)
}
