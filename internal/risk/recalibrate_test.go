package risk

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

const testPrior = 0.01

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// world is a population whose true calibration is known, with a hunch that
// officers have and that the risk does not know.
type world struct {
	risks    []float64
	abnormal []bool
	hunch    []float64
}

func newWorld(rng *rand.Rand, n int, intercept, slope float64) world {
	var w world
	base := logit(testPrior)
	for range n {
		evidence := 2.2 * rng.NormFloat64()
		hunch := rng.NormFloat64()
		w.risks = append(w.risks, sigmoid(base+evidence))
		w.hunch = append(w.hunch, hunch)
		// The hunch shifts single points, and on average nothing.
		p := sigmoid(base + intercept + slope*evidence + 1.5*hunch)
		w.abnormal = append(w.abnormal, rng.Float64() < p)
	}
	return w
}

// inspect visits the points that officers choose and those that the lot does.
func (w *world) inspect(chosen, drawn int) []Labelled {
	var out []Labelled
	candidates := make([]Candidate, len(w.risks))
	index := make(map[string]int)
	for i, r := range w.risks {
		id := strings.Repeat("x", i%7) + string(rune('a'+i%26)) + "-" + itoa(i)
		candidates[i], index[id] = Candidate{id, r}, i
	}
	for _, d := range Draw("seed", candidates, drawn) {
		i := index[d.ID]
		out = append(out, Labelled{Risk: w.risks[i], Abnormal: w.abnormal[i], Drawn: true})
	}
	n := 0
	for i := range w.risks {
		if n < chosen && w.risks[i] > 0.2 && w.hunch[i] > 0.5 {
			out = append(out, Labelled{Risk: w.risks[i], Abnormal: w.abnormal[i]})
			n++
		}
	}
	return out
}

func itoa(i int) string {
	if i < 10 {
		return string(rune('0' + i))
	}
	return itoa(i/10) + string(rune('0'+i%10))
}

// marginal is what a calibration without the hunch can be at best: the fit to
// the whole population.
func (w *world) marginal(t *testing.T) *Fit {
	t.Helper()
	var all []Labelled
	for i := range w.risks {
		all = append(all, Labelled{w.risks[i], w.abnormal[i], true})
	}
	f, err := Recalibrate(testPrior, all)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestRecalibrationResistsTheChoice(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 9))
	for _, truth := range []Calibration{{0, 1}, {-0.8, 0.7}, {0.7, 1.2}} {
		w := newWorld(rng, 60_000, truth.Intercept, truth.Slope)
		want := w.marginal(t)
		labels := w.inspect(300, 400)
		got, err := Recalibrate(testPrior, labels)
		if err != nil {
			t.Fatal(err)
		}
		naive := append([]Labelled(nil), labels...)
		for i := range naive {
			naive[i].Drawn = true // who does not ask how they were chosen
		}
		blind, err := Recalibrate(testPrior, naive)
		if err != nil {
			t.Fatal(err)
		}
		// Judged where it matters: the risk given to points between 5 and 80 %.
		off := func(f *Fit) float64 {
			sum, n := 0.0, 0
			for _, r := range w.risks {
				if r < 0.05 || r > 0.8 {
					continue
				}
				a, _ := f.Calibrate(testPrior, r, nil)
				b, _ := want.Calibrate(testPrior, r, nil)
				sum += math.Abs(logOdds(a) - logOdds(b))
				n++
			}
			return sum / float64(n)
		}
		t.Logf("truth %+v: population %+.2f %.2f, fitted %+.2f %.2f choice %+.2f; off by %.2f, blind to the choice by %.2f log-odds",
			truth, want.Intercept, want.Slope, got.Intercept, got.Slope, got.Choice, off(got), off(blind))
		if off(got) > 0.5 || off(got) > off(blind) {
			t.Errorf("truth %+v: the calibration is off by %.2f log-odds, blind to the choice by %.2f", truth, off(got), off(blind))
		}
		if got.Choice < 0.3 {
			t.Errorf("truth %+v: the officers' hunch counts %.2f log-odds, it was worth more", truth, got.Choice)
		}
	}
}

func TestRecalibrationNeedsALot(t *testing.T) {
	label := func(n int, l Labelled) []Labelled {
		var out []Labelled
		for range n {
			out = append(out, l)
		}
		return out
	}
	for what, labels := range map[string][]Labelled{
		"chosen by lot":       append(label(100, Labelled{0.9, true, false}), label(19, Labelled{0.01, false, true})...),
		"found abnormal use":  append(label(4, Labelled{0.9, true, false}), label(40, Labelled{0.01, false, true})...),
		"found nothing":       label(40, Labelled{0.9, true, true}),
		"0 inspections were ": nil,
	} {
		if _, err := Recalibrate(testPrior, labels); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("error %v; want one that says %q", err, what)
		}
	}
}

func TestCalibrateIsMonotoneAndAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Calibration{rapid.Float64Range(-3, 3).Draw(t, "a"), rapid.Float64Range(MinSlope, MaxSlope).Draw(t, "b")}
		prior := rapid.Float64Range(0.0005, 0.2).Draw(t, "prior")
		p := rapid.Float64Range(1e-4, 1-1e-4).Draw(t, "p")
		q := p + (1-1e-4-p)*rapid.Float64Range(0, 1).Draw(t, "rise")
		list := []Contribution{{Source: "prior", LogOdds: logit(prior)}, {Source: "x", LogOdds: logit(p) - logit(prior)}}
		a, contributions := c.Calibrate(prior, p, list)
		b, _ := c.Calibrate(prior, q, nil)
		if b < a-1e-12 {
			t.Fatalf("a risk of %v became %v, the higher %v only %v", p, a, q, b)
		}
		sum := 0.0
		for _, x := range contributions {
			sum += x.LogOdds
		}
		if math.Abs(sigmoid(sum)-a) > 1e-9 {
			t.Fatalf("contributions make %v, the risk is %v", sigmoid(sum), a)
		}
		if same, more := (Calibration{}).Calibrate(prior, p, list); same != p || len(more) != len(list) {
			t.Fatalf("no calibration made %v of %v", same, p)
		}
	})
}
