package energybalance

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// A load fed around a member's meter shares the member's service: when its
// fuse blows or the supply is switched off, both go dark together. A load that
// somebody else tapped does not know about the member's outages.

const (
	darkShare   = 0.35 // of the constant load, below which it is gone
	maxEpisodes = 40   // more drop-outs than that are a load that comes and goes
	maxSilence  = 48   // hours; longer is a removal, not an outage
	episodeMiss = 0.4  // log-odds that an outage shared by others costs
)

// pointers returns for each member how strongly the outages of the constant
// load point at it, as log-odds, and how many coincide.
func (b *balance) pointers(fine *area, c *anomaly, residual []float64) (logOdds []float64, hits []int) {
	logOdds, hits = make([]float64, len(fine.members)), make([]int, len(fine.members))
	episodes := b.dropOuts(fine, c, residual)
	if len(episodes) == 0 || len(episodes) > maxEpisodes {
		return logOdds, hits
	}
	for m := range fine.members {
		kw := fine.members[m].kw
		limit := silence(kw)
		quiet := 0
		for _, v := range kw {
			if v <= limit {
				quiet++
			}
		}
		chance := (float64(quiet) + 1) / float64(len(kw)+2)
		misses := 0
		for _, e := range episodes {
			dark := 0
			for t := e[0]; t < e[1]; t++ {
				if kw[t] <= limit {
					dark++
				}
			}
			if 2*dark > e[1]-e[0] {
				hits[m]++
				logOdds[m] += math.Log(1 / chance)
			} else {
				misses++
			}
		}
		logOdds[m] -= min(episodeMiss*float64(misses), 2)
	}
	return logOdds, hits
}

// silence is the load below which a member has no supply.
func silence(kw []float64) float64 { return 0.15 * robust.Quantile(kw, 0.05) }

// dropOuts returns the stretches [from, to) in which the constant load is gone,
// the one before its onset among them: it was connected with the supply off.
func (b *balance) dropOuts(fine *area, c *anomaly, residual []float64) [][2]int {
	perHour := max(fine.perDay/24, 1)
	start := c.from * fine.perDay
	begin, end := start, min(start+2*fine.perDay, len(residual))
	if c.stepped { // the onset lies within a day of the step
		begin = b.onsetInterval(residual, max(start-fine.perDay, 0), end, c.size)
	}
	var out [][2]int
	if c.stepped && begin > 0 {
		out = append(out, [2]int{max(begin-perHour, 0), begin})
	}
	for t := begin; t < len(residual); {
		if !(residual[t] < darkShare*c.size) {
			t++
			continue
		}
		from := t
		for t < len(residual) && !(residual[t] >= darkShare*c.size) {
			t++
		}
		if t-from <= maxSilence*perHour {
			out = append(out, [2]int{from, t})
		}
	}
	return out
}

// onsetInterval is the interval at which the residual changes its level.
func (b *balance) onsetInterval(residual []float64, from, to int, size float64) int {
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
