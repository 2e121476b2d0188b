package energybalance

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk/balance"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// A load fed around a member's meter shares the member's service: when its
// fuse blows or the supply is switched off, both go dark together. A load that
// somebody else tapped does not know about the member's outages.

const (
	darkShare   = 0.35 // of the constant load, below which it is gone
	maxEpisodes = 40   // more drop-outs than that are a load that comes and goes
	maxSilence  = 48   // hours; longer is a removal, not an outage
	mostQuiet   = 0.03
	episodeMiss = 0.4 // log-odds that an outage shared by others costs
)

// pointers weighs for each member how strongly the outages of the constant
// load point at it.
func (b *account) pointers(fine *balance.Area, c *anomaly, residual []float64, all []weighed) {
	episodes := b.dropOuts(fine, c, residual)
	if len(episodes) == 0 || len(episodes) > maxEpisodes || len(fine.Members) != len(all) {
		return
	}
	for m := range fine.Members {
		kw := fine.Members[m].KW
		limit := silence(kw)
		quiet := 0
		for _, v := range kw {
			if v <= limit {
				quiet++
			}
		}
		chance := (float64(quiet) + 1) / float64(len(kw)+2)
		if chance > mostQuiet {
			continue // it is dark so often that it proves nothing
		}
		misses := 0
		for _, e := range episodes {
			dark := 0
			for t := e[0]; t < e[1]; t++ {
				if kw[t] <= limit {
					dark++
				}
			}
			if 2*dark > e[1]-e[0] {
				all[m].hits++
				all[m].dark += math.Log(1 / chance)
			} else {
				misses++
			}
		}
		all[m].dark = bound(all[m].dark-min(episodeMiss*float64(misses), 2), maxFollows)
		if all[m].hits == 0 {
			all[m].dark = 0
		}
	}
}

// silence is the load below which a member has no supply.
func silence(kw []float64) float64 { return 0.15 * robust.Quantile(kw, 0.05) }

// dropOuts returns the stretches [from, to) in which the constant load is gone,
// the one before its onset among them: it was connected with the supply off.
func (b *account) dropOuts(fine *balance.Area, c *anomaly, residual []float64) [][2]int {
	perHour := max(fine.PerDay/24, 1)
	start := c.from * fine.PerDay
	begin, end := start, min(start+2*fine.PerDay, len(residual))
	if c.stepped() { // the onset lies within a day of the step
		begin = b.onsetInterval(residual, max(start-fine.PerDay, 0), end, c.kw)
	}
	var out [][2]int
	if c.stepped() && begin > 0 {
		out = append(out, [2]int{max(begin-perHour, 0), begin})
	}
	for t := begin; t < len(residual); {
		if !(residual[t] < darkShare*c.kw) {
			t++
			continue
		}
		from := t
		for t < len(residual) && !(residual[t] >= darkShare*c.kw) {
			t++
		}
		if t-from <= maxSilence*perHour {
			out = append(out, [2]int{from, t})
		}
	}
	return out
}

// onsetInterval is the interval at which the residual changes its level.
func (b *account) onsetInterval(residual []float64, from, to int, size float64) int {
	at, best, gain := from, math.Inf(-1), 0.0
	for t := to - 1; t >= from; t-- {
		if !math.IsNaN(residual[t]) {
			gain += min(max(residual[t], 0), size) - size/2
		}
		if gain > best {
			best, at = gain, t
		}
	}
	return at
}
