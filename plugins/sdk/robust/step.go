package robust

import "math"

// Step is the day around which a daily series rose most significantly.
type Step struct {
	At     int     // first value of the new level
	Before int     // first value of the stretch it is compared with
	After  int     // end (exclusive) of the stretch of the new level
	Rise   float64 // of the median
	T      float64 // the rise over what the series' own wandering produces
	Stays  float64 // share of the rise that is still there at the end
}

// FindStep looks for the day around which the medians of both sides differ
// most, measured against the noise from day to day and against the falls in
// the same series: what wanders by itself falls as often as it rises, and a
// load that is switched on and stays does not. Stretches of whole weeks are
// compared, so that a weekday pattern cancels without being modelled. floor is
// the smallest rise worth telling from none. ok is false where the series is
// too short or never rises.
func FindStep(series []float64, floor float64) (best Step, ok bool) {
	best.T = math.Inf(-1)
	n := len(series)
	for _, span := range [...]int{7, 14, 28} {
		if n < span+5 {
			continue
		}
		var candidates []Step
		var falls []float64
		for at := 5; at <= n-5; at++ {
			from, to := max(0, at-span), min(n, at+span)
			rise := Median(series[at:to]) - Median(series[from:at])
			if math.IsNaN(rise) {
				continue
			}
			falls = append(falls, max(-rise, 0))
			if rise > 0 {
				candidates = append(candidates, Step{At: at, Before: from, After: to, Rise: rise})
			}
		}
		wander := Quantile(falls, 0.9)
		for _, c := range candidates {
			noise := math.Hypot(MAD(series[c.Before:c.At]), MAD(series[c.At:c.After]))
			count := float64(min(c.At-c.Before, c.After-c.At))
			se := math.Hypot(1.25*noise/math.Sqrt(max(count/2, 1)), wander)
			level := math.Abs(Median(series[c.Before:c.At]))
			c.T = c.Rise / (se + 0.005*level + floor)
			if c.T > best.T {
				best = c
			}
		}
	}
	if math.IsInf(best.T, -1) {
		return Step{}, false
	}
	best.locate(series)
	start, end := Median(series[best.Before:best.At]), Median(series[max(n-7, best.At):])
	best.Stays = (end - start) / best.Rise
	return best, true
}

// locate moves the step to where two levels fit the stretch best: medians of
// long stretches hardly move when the split is off by a few days.
func (s *Step) locate(series []float64) {
	low, high := Median(series[s.Before:s.At]), Median(series[s.At:s.After])
	at, gain, best := s.At, 0.0, 0.0
	for k := s.At; k < s.After-1; k++ {
		if gain += cost(series[k], high, low); gain > best {
			best, at = gain, k+1
		}
	}
	gain = 0
	for k := s.At - 1; k > s.Before; k-- {
		if gain += cost(series[k], low, high); gain > best {
			best, at = gain, k
		}
	}
	s.At = at
}

// cost is what a day saves when it changes from the level of one side to that
// of the other; nothing for a day without a value.
func cost(v, from, to float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return math.Abs(v-from) - math.Abs(v-to)
}
