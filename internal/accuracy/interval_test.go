package accuracy

import (
	"math"
	"math/rand/v2"
	"testing"
)

func TestMeanInterval(t *testing.T) {
	v := MeanInterval([]float64{1, 2, 3, math.NaN()})
	near(t, "mean", v.Mean, 2, 1e-12)
	near(t, "half the width", v.High-v.Mean, 4.303/math.Sqrt(3), 1e-3)
	if one := MeanInterval([]float64{7}); one.Mean != 7 || !math.IsNaN(one.Low) {
		t.Errorf("one value: %+v", one)
	}
}

// TestMeanIntervalCovers draws many samples of ten: nineteen of twenty
// intervals hold the true mean.
func TestMeanIntervalCovers(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 8))
	held := 0
	const n = 2000
	for range n {
		v := make([]float64, 10)
		for i := range v {
			v[i] = 5 + rng.NormFloat64()
		}
		if m := MeanInterval(v); m.Low <= 5 && m.High >= 5 {
			held++
		}
	}
	near(t, "coverage", float64(held)/n, .95, .02)
}

func TestShareInterval(t *testing.T) {
	v := ShareInterval(0, 10)
	near(t, "upper end for none of ten", v.High, .278, .005)
	if v.Low != 0 || v.Mean != 0 {
		t.Errorf("none of ten: %+v", v)
	}
	v = ShareInterval(5, 10)
	near(t, "centre", (v.Low+v.High)/2, .5, 1e-9)
	if !math.IsNaN(ShareInterval(0, 0).Mean) {
		t.Error("nothing of nothing is a share")
	}
}

// TestBootstrapDrawsClusters: items of one household do not count as many.
func TestBootstrapDrawsClusters(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	const households, each = 40, 25
	var keys []string
	var values []float64
	for h := range households {
		own := rng.NormFloat64()
		for range each {
			keys = append(keys, string(rune('A'+h)))
			values = append(values, own+.1*rng.NormFloat64())
		}
	}
	mean := func(items []int) float64 {
		sum := 0.0
		for _, i := range items {
			sum += values[i]
		}
		return sum / float64(len(items))
	}
	v := Bootstrap(rng, keys, 600, mean)
	// The error of the mean of forty independent values, not of a thousand.
	near(t, "width over four standard errors", (v.High-v.Low)/4, 1/math.Sqrt(households), .05)
	if !(v.Low < v.Mean && v.Mean < v.High) {
		t.Errorf("interval %+v", v)
	}
	again := Bootstrap(rand.New(rand.NewPCG(1, 1)), keys, 100, mean)
	if again != Bootstrap(rand.New(rand.NewPCG(1, 1)), keys, 100, mean) {
		t.Error("the same luck gave two intervals")
	}
}
