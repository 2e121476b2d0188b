package accuracy

import (
	"math"
	"math/rand/v2"
	"slices"
)

// Interval is a mean with its 95 % interval.
type Interval struct{ Mean, Low, High float64 }

// MeanInterval is the mean of several trials and its 95 % interval by Student's
// distribution; values that are NaN are left out.
func MeanInterval(values []float64) Interval {
	n, sum := 0.0, 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			n, sum = n+1, sum+v
		}
	}
	mean, square := sum/n, 0.0
	for _, v := range values {
		if !math.IsNaN(v) {
			square += (v - mean) * (v - mean)
		}
	}
	if n < 2 {
		return Interval{mean, math.NaN(), math.NaN()}
	}
	half := student(int(n)-1) * math.Sqrt(square/(n-1)/n)
	return Interval{mean, mean - half, mean + half}
}

// student is the 97.5 % quantile of Student's distribution.
func student(freedom int) float64 {
	table := [...]float64{
		12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
		2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
	}
	if freedom <= len(table) {
		return table[freedom-1]
	}
	return 1.96 + 2.46/float64(freedom)
}

// ShareInterval is a share of successes with Wilson's 95 % interval.
func ShareInterval(successes, of int) Interval {
	if of == 0 {
		return Interval{math.NaN(), math.NaN(), math.NaN()}
	}
	const z = 1.959964
	n, p := float64(of), float64(successes)/float64(of)
	centre, half := (p+z*z/(2*n))/(1+z*z/n), z/(1+z*z/n)*math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return Interval{p, max(centre-half, 0), min(centre+half, 1)}
}

// Bootstrap resamples clusters: keys name the cluster of each item, of is the
// statistic of a sample that holds every item of the drawn clusters, as often
// as they were drawn. It returns the statistic of all items with the 2.5 % and
// 97.5 % quantiles over the samples.
//
// The same household stands in many trials; what another district would give
// is told by drawing households, not trials.
func Bootstrap(rng *rand.Rand, keys []string, samples int, of func(items []int) float64) Interval {
	members, names := map[string][]int{}, []string(nil)
	every := make([]int, len(keys))
	for i, k := range keys {
		if members[k] == nil {
			names = append(names, k)
		}
		members[k] = append(members[k], i)
		every[i] = i
	}
	out := Interval{of(every), math.NaN(), math.NaN()}
	var values []float64
	for range samples {
		var items []int
		for range names {
			items = append(items, members[names[rng.IntN(len(names))]]...)
		}
		if v := of(items); !math.IsNaN(v) {
			values = append(values, v)
		}
	}
	if len(values) < 20 {
		return out
	}
	slices.Sort(values)
	out.Low, out.High = values[int(.025*float64(len(values)))], values[int(.975*float64(len(values)))]
	return out
}
