package hiddenmining

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// step is the change point at which the base load rose most significantly.
type step struct {
	at     int     // first valid day of the new level, counted in valid days
	before int     // first valid day of the stretch it is compared with
	after  int     // end (exclusive) of the stretch of the new level
	kw     float64 // rise of the base load
	t      float64 // rise over what the load's own wandering produces
	stays  float64 // share of the rise that is still there at the end of the window
}

// spans are the stretches compared on each side of a day, in days. Whole
// weeks, so that the weekday pattern cancels without being modelled.
var spans = [...]int{7, 14, 28}

// findStep looks for the day around which the medians of the base load on both
// sides differ most, measured against the noise from day to day and against
// the falls in the same series: what wanders by itself falls as often as it
// rises, and a load that is switched on and stays does not.
func findStep(base []float64) (step, bool) {
	best := step{t: math.Inf(-1)}
	n := len(base)
	for _, span := range spans {
		if n < span+5 {
			continue
		}
		type jump struct{ at, from, to int }
		var jumps []jump
		var rises, falls []float64
		for at := 5; at <= n-5; at++ {
			from, to := max(0, at-span), min(n, at+span)
			if !(between(base, from, at) >= 0) {
				continue
			}
			j := between(base, at, to) - between(base, from, at)
			jumps = append(jumps, jump{at, from, to})
			rises = append(rises, j)
			falls = append(falls, max(-j, 0))
		}
		if len(jumps) == 0 {
			continue
		}
		wander := robust.Quantile(falls, 0.9)
		for k, j := range jumps {
			if rises[k] <= 0 {
				continue
			}
			noise := math.Hypot(robust.MAD(base[j.from:j.at]), robust.MAD(base[j.at:j.to]))
			count := float64(min(j.at-j.from, j.to-j.at))
			level := between(base, j.from, j.at)
			se := math.Hypot(1.25*noise/math.Sqrt(max(count/2, 1)), wander) + 0.005*level + 0.005
			if t := rises[k] / se; t > best.t {
				best = step{at: j.at, before: j.from, after: j.to, kw: rises[k], t: t}
			}
		}
	}
	if math.IsInf(best.t, -1) {
		return step{}, false
	}
	start, end := between(base, best.before, best.at), between(base, n-7, n)
	best.stays = (end - start) / best.kw
	return best, true
}
