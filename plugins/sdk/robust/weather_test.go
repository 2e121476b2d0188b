package robust

import (
	"math"
	"math/rand/v2"
	"testing"
)

// year is a temperature curve of days with a cold and a warm season.
func year(days int) []float32 {
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]float32, days)
	for i := range out {
		out[i] = float32(12 + 11*math.Sin(2*math.Pi*float64(i)/365) + 2*r.NormFloat64())
	}
	return out
}

func TestFitWeather(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	celsius := year(365)
	for _, tc := range []struct {
		name       string
		power      func(c float64) float64
		heat, cool float64
		none       bool
	}{
		{"heating", func(c float64) float64 { return 0.5 + 0.1*max(16-c, 0) }, 0.1, 0, false},
		{"cooling", func(c float64) float64 { return 0.5 + 0.2*max(c-20, 0) }, 0, 0.2, false},
		{"both", func(c float64) float64 { return 0.5 + 0.1*max(14-c, 0) + 0.2*max(c-20, 0) }, 0.1, 0.2, false},
		{"constant", func(float64) float64 { return 3 }, 0, 0, true},
	} {
		series := make([]float32, len(celsius))
		for i, c := range celsius {
			series[i] = float32(tc.power(float64(c)) * (1 + 0.1*r.NormFloat64()))
		}
		series[7], series[50] = float32(math.NaN()), 400
		w, ok := FitWeather(series, celsius)
		if ok == tc.none {
			t.Errorf("%s: fitted %v (%+v)", tc.name, ok, w)
			continue
		}
		if math.Abs(w.HeatPerK-tc.heat) > 0.25*tc.heat+0.01 || math.Abs(w.CoolPerK-tc.cool) > 0.35*tc.cool+0.01 {
			t.Errorf("%s: %.3f and %.3f kW/K, want %.3f and %.3f", tc.name, w.HeatPerK, w.CoolPerK, tc.heat, tc.cool)
		}
		if ok && w.Part(-40) > w.Part(-8)+3 {
			t.Errorf("%s: claims %.1f at -40 °C, which was never seen", tc.name, w.Part(-40))
		}
	}
	if _, ok := FitWeather(make([]float32, 10), celsius); ok {
		t.Error("fitted on ten days")
	}
}
