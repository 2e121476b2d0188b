package chart

import "math"

// Scale maps values to coordinates.
type Scale struct{ Min, Max, From, To float64 }

// At returns the coordinate of v.
func (s Scale) At(v float64) float64 {
	if s.Max == s.Min {
		return s.From
	}
	return s.From + (v-s.Min)/(s.Max-s.Min)*(s.To-s.From)
}

// Ticks returns about n round steps from lo to hi, and the range that they
// span; the range always holds zero where lo is zero.
func Ticks(lo, hi float64, n int) (ticks []float64, from, to float64) {
	if math.IsNaN(lo) || math.IsInf(lo, 0) {
		lo = 0
	}
	if math.IsNaN(hi) || math.IsInf(hi, 0) || hi <= lo {
		hi = lo + 1
	}
	step := niceStep((hi - lo) / float64(max(n, 1)))
	from, to = math.Floor(lo/step+1e-9)*step, math.Ceil(hi/step-1e-9)*step
	count := int(math.Round((to - from) / step))
	for i := 0; i <= count; i++ {
		v := from + float64(i)*step
		if math.Abs(v) < step*1e-9 {
			v = 0
		}
		ticks = append(ticks, v)
	}
	return ticks, from, to
}

func niceStep(raw float64) float64 {
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 2.5, 5} {
		if raw <= m*unit*(1+1e-9) {
			return m * unit
		}
	}
	return 10 * unit
}
