package robust

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestQuantileSkipsNaN(t *testing.T) {
	nan := math.NaN()
	if got := Quantile([]float64{nan, 4, 1, nan, 3, 2}, 0.5); got != 2.5 {
		t.Errorf("median = %v, want 2.5", got)
	}
	if got := Quantile([]float32{float32(nan)}, 0.5); !math.IsNaN(got) {
		t.Errorf("median of nothing = %v, want NaN", got)
	}
	if got := MAD([]float64{1, 1, 2, 2, 4, 6, 9}); math.Abs(got-1.4826) > 1e-9 {
		t.Errorf("MAD = %v, want 1.4826", got)
	}
}

func TestCorrelation(t *testing.T) {
	if got := Correlation([]float64{1, 2, 3, math.NaN()}, []float64{2, 4, 6, 1}); math.Abs(got-1) > 1e-9 {
		t.Errorf("correlation = %v, want 1", got)
	}
	if got := Correlation([]float64{5, 5, 5}, []float64{1, 2, 3}); !math.IsNaN(got) {
		t.Errorf("correlation with a constant = %v, want NaN", got)
	}
}

func TestProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(-1e3, 1e3), 1, 50).Draw(t, "values")
		a := rapid.Float64Range(0, 1).Draw(t, "a")
		b := rapid.Float64Range(a, 1).Draw(t, "b")
		if Quantile(values, a) > Quantile(values, b)+1e-9 {
			t.Fatalf("quantile falls between %v and %v", a, b)
		}
		x := rapid.Float64Range(-15, 15).Draw(t, "x")
		if d := Logit(Sigmoid(x)) - x; math.Abs(d) > 1e-6 {
			t.Fatalf("logit(sigmoid(%v)) is off by %v", x, d)
		}
	})
}

func TestFindStep(t *testing.T) {
	series := make([]float64, 60)
	for i := range series {
		series[i] = 1 + 0.05*math.Sin(float64(i)*1.7)
		if i >= 37 {
			series[i] += 2
		}
	}
	s, ok := FindStep(series, 0.005)
	if !ok || s.At != 37 || math.Abs(s.Rise-2) > 0.1 || s.T < 10 || math.Abs(s.Stays-1) > 0.1 {
		t.Errorf("step %+v, want one of 2 at 37", s)
	}
	if _, ok := FindStep(series[:9], 0.005); ok {
		t.Error("a step in nine days")
	}
}
