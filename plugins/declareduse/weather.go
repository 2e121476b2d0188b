package declareduse

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// weather is what of a daily series is heating or cooling.
type weather struct {
	known     bool    // there was weather enough to tell
	part      float64 // median power of it on the days judged, kW
	explained float64 // share of the series' variance
	perK      float64 // the steeper of the two slopes, kW for each degree
}

// weatherOf fits degree days to a series over the whole window. A load that
// was switched on when it grew cold looks like heating; so where two levels
// describe the series as well as the weather does, nothing is claimed for it.
func weatherOf(w *sdk.Window, series []float32, days []int) weather {
	if w.TemperatureC == nil || series == nil {
		return weather{}
	}
	fit, ok := robust.FitWeather(series, w.TemperatureC)
	out := weather{known: true}
	if !ok || twoLevels(series) >= fit.Explained-0.05 {
		return out
	}
	var parts []float64
	for _, d := range days {
		parts = append(parts, fit.Part(float64(w.TemperatureC[d])))
	}
	if out.part = robust.Median(parts); math.IsNaN(out.part) {
		return weather{known: true}
	}
	out.explained, out.perK = fit.Explained, math.Max(fit.HeatPerK, fit.CoolPerK)
	return out
}

// twoLevels is the share of a series' variance that one step explains.
func twoLevels(series []float32) float64 {
	v := robust.Finite(series)
	n := len(v)
	if n < 10 {
		return 0
	}
	var sum, squares float64
	for _, x := range v {
		sum += x
		squares += x * x
	}
	total := squares - sum*sum/float64(n)
	if !(total > 0) {
		return 0
	}
	best, left := 0.0, 0.0
	for k := 1; k < n; k++ {
		left += v[k-1]
		if k < 5 || n-k < 5 {
			continue
		}
		a, b := left/float64(k), (sum-left)/float64(n-k)
		between := float64(k) * float64(n-k) / float64(n) * (a - b) * (a - b)
		best = math.Max(best, between/total)
	}
	return math.Min(best, 1)
}
