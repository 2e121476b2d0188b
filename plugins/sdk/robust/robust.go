package robust

import (
	"math"
	"slices"
)

// Number is what the statistics take: feature columns are float32, derived
// series float64.
type Number interface{ ~float32 | ~float64 }

// Finite returns the values that are neither NaN nor infinite, as a new slice.
func Finite[T Number](values []T) []float64 {
	out := make([]float64, 0, len(values))
	for _, v := range values {
		if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
			out = append(out, f)
		}
	}
	return out
}

// Quantile returns the q-quantile (0 … 1) of the finite values by linear
// interpolation, NaN where there is none.
func Quantile[T Number](values []T, q float64) float64 {
	f := Finite(values)
	slices.Sort(f)
	return OfSorted(f, q)
}

// OfSorted returns the q-quantile of sorted finite values, NaN where there is none.
func OfSorted(sorted []float64, q float64) float64 {
	n := len(sorted)
	if n == 0 {
		return math.NaN()
	}
	at := q * float64(n-1)
	i := int(at)
	if i >= n-1 {
		return sorted[n-1]
	}
	if i < 0 {
		return sorted[0]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}

// Median returns the median of the finite values, NaN where there is none.
func Median[T Number](values []T) float64 { return Quantile(values, 0.5) }

// Mean returns the mean of the finite values, NaN where there is none.
func Mean[T Number](values []T) float64 {
	sum, n := 0.0, 0
	for _, v := range values {
		if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
			sum += f
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

// MAD returns the median absolute deviation about the median, scaled by
// 1.4826 so that it estimates the standard deviation of a normal sample.
func MAD[T Number](values []T) float64 {
	f := Finite(values)
	slices.Sort(f)
	m := OfSorted(f, 0.5)
	for i := range f {
		f[i] = math.Abs(f[i] - m)
	}
	slices.Sort(f)
	return 1.4826 * OfSorted(f, 0.5)
}

// Correlation returns the Pearson correlation over the positions where both
// are finite, NaN where fewer than three are or one of them does not vary.
func Correlation[T Number](a, b []T) float64 {
	var n, sa, sb, saa, sbb, sab float64
	for i := range min(len(a), len(b)) {
		x, y := float64(a[i]), float64(b[i])
		if math.IsNaN(x+y) || math.IsInf(x+y, 0) {
			continue
		}
		n++
		sa += x
		sb += y
		saa += x * x
		sbb += y * y
		sab += x * y
	}
	if n < 3 {
		return math.NaN()
	}
	va, vb := saa-sa*sa/n, sbb-sb*sb/n
	if va <= 1e-12*saa || vb <= 1e-12*sbb {
		return math.NaN()
	}
	return (sab - sa*sb/n) / math.Sqrt(va*vb)
}

// Logit returns the log-odds of p, with p held within 1e-9 of certainty.
func Logit(p float64) float64 {
	p = min(max(p, 1e-9), 1-1e-9)
	return math.Log(p / (1 - p))
}

// Sigmoid returns the probability with log-odds x.
func Sigmoid(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// Ramp is 0 up to lo, 1 from hi on and linear between; NaN gives 0, so that
// what was not measured counts for nothing.
func Ramp(x, lo, hi float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return min(max((x-lo)/(hi-lo), 0), 1)
}
