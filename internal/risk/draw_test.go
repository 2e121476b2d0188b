package risk

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

func TestDrawIsFairAndRepeatable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		risks := rapid.SliceOfN(rapid.Float64Range(0, 1), 0, 200).Draw(t, "risks")
		n := rapid.IntRange(-1, 250).Draw(t, "n")
		var candidates []Candidate
		size := map[int]int{}
		for i, r := range risks {
			candidates = append(candidates, Candidate{fmt.Sprint("U", i), r})
			b, low, high := Band(r)
			if r < low || r > high {
				t.Fatalf("risk %v in band %v to %v", r, low, high)
			}
			size[b]++
		}
		seed := rapid.String().Draw(t, "seed")
		drawn := Draw(seed, candidates, n)
		if want := min(max(n, 0), len(candidates)); len(drawn) != want {
			t.Fatalf("%d drawn, %d were wanted", len(drawn), want)
		}
		seen, perBand := map[string]bool{}, map[int]int{}
		for _, d := range drawn {
			if seen[d.ID] {
				t.Fatalf("%s drawn twice", d.ID)
			}
			seen[d.ID] = true
			perBand[d.Band]++
		}
		for _, d := range drawn {
			if want := float64(perBand[d.Band]) / float64(size[d.Band]); math.Abs(d.Propensity-want) > 1e-12 {
				t.Fatalf("%s has the propensity %v, its band gives %v", d.ID, d.Propensity, want)
			}
		}
		again := Draw(seed, rapid.Permutation(candidates).Draw(t, "order"), n)
		if !reflect.DeepEqual(drawn, again) && len(drawn) > 0 {
			t.Fatal("the same lot fell otherwise in another order")
		}
	})
}

// TestPrevalenceIsThatOfAll draws many times from a population in which
// abnormal use goes with risk: the rarer bands are drawn more, and the estimate
// must not show it.
func TestPrevalenceIsThatOfAll(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var candidates []Candidate
	abnormal := map[string]bool{}
	truth := 0.0
	for i := range 20_000 {
		r := math.Pow(rng.Float64(), 16)
		c := Candidate{fmt.Sprint("U", i), r}
		candidates = append(candidates, c)
		if rng.Float64() < r {
			abnormal[c.ID] = true
			truth++
		}
	}
	truth /= float64(len(candidates))
	sum, covered, hits := 0.0, 0, 0.0
	const draws = 200
	for k := range draws {
		var list []Weighted
		n := 0
		for _, d := range Draw(fmt.Sprint(k), candidates, 300) {
			list = append(list, Weighted{d.Propensity, abnormal[d.ID]})
			if abnormal[d.ID] {
				n++
			}
		}
		r := Prevalence(list)
		sum += r.Share
		hits += float64(n) / 300
		if r.Low <= truth && truth <= r.High {
			covered++
		}
	}
	t.Logf("truth %.4f, mean estimate %.4f, mean hit rate %.4f, intervals that hold it %d of %d", truth, sum/draws, hits/draws, covered, draws)
	if mean := sum / draws; math.Abs(mean-truth) > 0.05*truth {
		t.Errorf("mean estimate %.4f of a prevalence of %.4f", mean, truth)
	}
	if covered < draws*88/100 {
		t.Errorf("%d of %d intervals hold the prevalence", covered, draws)
	}
	if hits/draws < 1.5*truth {
		t.Errorf("the hit rate of %.4f does not show that suspicious bands were drawn more; the test tests nothing", hits/draws)
	}
}

func TestRates(t *testing.T) {
	if r := NewRate(8, 10); math.Abs(r.Low-0.4902) > 1e-3 || math.Abs(r.High-0.9433) > 1e-3 {
		t.Errorf("Wilson's interval of 8 of 10 is %.4f to %.4f", r.Low, r.High)
	}
	if r := NewRate(0, 0); !math.IsNaN(r.Share) || r.Low != 0 || r.High != 1 {
		t.Errorf("nothing of nothing is %+v", r)
	}
	if r := Prevalence(nil); !math.IsNaN(r.Share) {
		t.Errorf("nothing drawn gives %+v", r)
	}
	if r := Prevalence([]Weighted{{0.1, false}, {0.1, false}}); r.Share != 0 || r.High < 0.5 {
		t.Errorf("two without a hit exclude little: %+v", r)
	}
}
