package sdktest

import (
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Features returns the daily features of a day of quarter-hourly mean powers,
// kW, as a host computes them: NaN where less than half of the day is there.
// Quantities other than power are not known here.
func Features(quarters []float64) map[sdk.Feature]float32 {
	out := make(map[sdk.Feature]float32)
	for _, f := range sdk.Features() {
		out[f] = float32(math.NaN())
	}
	var sum, peak float64
	usable := 0
	for _, kw := range quarters {
		if !math.IsNaN(kw) {
			sum, peak = sum+kw, math.Max(peak, kw)
			usable++
		}
	}
	set := func(f sdk.Feature, v float64) { out[f] = float32(v) }
	set(sdk.GoodShare, float64(usable)/float64(len(quarters)))
	set(sdk.EstimatedShare, 0)
	if 2*usable < len(quarters) || usable == 0 {
		return out
	}
	mean := sum / float64(usable)
	set(sdk.EnergyKWh, mean*float64(len(quarters))/4)
	set(sdk.MeanKW, mean)
	set(sdk.PeakKW, peak)
	hours := hourly(quarters)
	shift := len(hours) - 24
	set(sdk.NightKW, meanOf(hours[:5+shift]))
	set(sdk.MorningKW, meanOf(hours[5+shift:9+shift]))
	set(sdk.DaytimeKW, meanOf(hours[9+shift:17+shift]))
	set(sdk.EveningKW, meanOf(hours[17+shift:22+shift]))
	spread(hours, set)
	return out
}

// hourly returns the hourly means, NaN where less than half of the hour is there.
func hourly(quarters []float64) []float64 {
	var out []float64
	for hour := range slices.Chunk(quarters, 4) {
		out = append(out, meanOf(hour))
	}
	return out
}

// meanOf returns the mean of what is there, NaN where that is less than half.
func meanOf(values []float64) float64 {
	var sum float64
	n := 0
	for _, v := range values {
		if !math.IsNaN(v) {
			sum += v
			n++
		}
	}
	if n == 0 || 2*n < len(values) {
		return math.NaN()
	}
	return sum / float64(n)
}

func spread(hours []float64, set func(sdk.Feature, float64)) {
	sorted := slices.DeleteFunc(slices.Clone(hours), math.IsNaN)
	if len(sorted) == 0 || 2*len(sorted) < len(hours) {
		return
	}
	slices.Sort(sorted)
	mean := meanOf(sorted)
	var variance, rough float64
	steps := 0
	for i, v := range hours {
		if math.IsNaN(v) {
			continue
		}
		variance += (v - mean) * (v - mean)
		if i > 0 && !math.IsNaN(hours[i-1]) {
			rough += math.Abs(v - hours[i-1])
			steps++
		}
	}
	top := sorted[len(sorted)-1]
	median := quantile(sorted, 0.5)
	set(sdk.MinKW, sorted[0])
	set(sdk.MaxKW, top)
	for f, q := range map[sdk.Feature]float64{sdk.P10KW: 0.1, sdk.P25KW: 0.25, sdk.P50KW: 0.5, sdk.P75KW: 0.75, sdk.P90KW: 0.9} {
		set(f, quantile(sorted, q))
	}
	set(sdk.StdKW, math.Sqrt(variance/float64(len(sorted))))
	if steps > 0 {
		set(sdk.RoughnessKW, rough/float64(steps))
	}
	if top > 0 {
		set(sdk.LoadFactor, mean/top)
	}
	flat, longest := 0, 0
	for i, v := range hours {
		if math.Abs(v-median) <= 0.03*median*(1+1e-6) {
			flat++
		}
		longest = max(longest, run(hours[i:]))
	}
	set(sdk.FlatShare, float64(flat)/float64(len(sorted)))
	set(sdk.LongestFlatH, float64(longest))
}

// run returns how many hours stay within 5 % of their own mean.
func run(hours []float64) int {
	low, high, sum := math.Inf(1), math.Inf(-1), 0.0
	for i, v := range hours {
		if math.IsNaN(v) {
			return i
		}
		low, high, sum = math.Min(low, v), math.Max(high, v), sum+v
		if mean := sum / float64(i+1); high-mean > 0.05*mean || mean-low > 0.05*mean {
			return i
		}
	}
	return len(hours)
}

func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	i := int(at)
	if i+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
