package energybalance

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// What a meter no longer counts was counted before: when a theft begins, the
// member's own reading falls by as much as goes missing, at the hours at which
// it goes missing. That holds for a slowed meter, for circuits moved to before
// it and for what is left out at night alike, and asks nothing of the way.

const (
	movedSpan = 21 // days on either side that are compared
	movedBins = 8  // parts of the day
	leastSpan = 4
	// alike is how many parts of the day count as one: who is at home more is so
	// all day.
	alike    = 2.0
	maxMoved = 7.0
	minMoved = -5.0
	perBin   = 4.0
	// unlike is the share by which the fall may miss the rise.
	unlike = 0.25
	// lifeChanges is how often a customer's load changes to another level by itself
	// within the days that are compared.
	lifeChanges = 0.15
)

// moved returns by how much the member's reading fell at the onset, kW, and the
// log-likelihood of its having fallen by what went missing over not at all.
func (b *account) moved(c *anomaly, m int, missing []float64) (fall, logOdds float64, ok bool) {
	bins := min(movedBins, b.a.PerDay)
	kw := b.a.Members[m].KW
	if c.from < leastSpan || c.from > b.a.Days-leastSpan {
		return 0, 0, false
	}
	for bin := range bins {
		load, gone := b.daily(kw, bin, bins), b.daily(missing, bin, bins)
		down, downErr := change(load, c.from)
		up, upErr := change(gone, c.from)
		if math.IsNaN(down) || math.IsNaN(up) {
			continue
		}
		fall -= down / float64(bins)
		v0 := downErr*downErr + wander(load, c.from) + 1e-4
		v1 := v0 + upErr*upErr + unlike*unlike*up*up
		level := robust.Mean(load[:c.from])
		gain := normal(down+up, v1) - math.Log((1-lifeChanges)*math.Exp(normal(down, v0))+
			lifeChanges*math.Exp(normal(down, v0+0.25*level*level))+1e-300)
		logOdds += min(max(gain, -perBin), perBin) / alike
		ok = true
	}
	return fall, min(max(logOdds, minMoved), maxMoved), ok
}

// normal is the log-density of a deviation with variance v.
func normal(x, v float64) float64 { return -x*x/(2*v) - math.Log(v)/2 }

// daily returns the mean of one part of each day.
func (b *account) daily(v []float64, bin, bins int) []float64 {
	out := make([]float64, b.a.Days)
	for d := range out {
		from := d*b.a.PerDay + bin*b.a.PerDay/bins
		to := d*b.a.PerDay + (bin+1)*b.a.PerDay/bins
		out[d] = robust.Mean(v[from:to])
	}
	return out
}

// change is how much the level rose at a day, with its standard error.
func change(v []float64, at int) (rise, err float64) {
	before, after := v[max(at-movedSpan, 0):at], v[at:min(at+movedSpan, len(v))]
	n := func(x []float64) float64 { return float64(max(len(robust.Finite(x)), 1)) }
	s := spreadOf(before)*spreadOf(before)/n(before) + spreadOf(after)*spreadOf(after)/n(after)
	return robust.Mean(after) - robust.Mean(before), math.Sqrt(1.5 * s) // days go together
}

func spreadOf(v []float64) float64 {
	m, sum, n := robust.Mean(v), 0.0, 0.0
	for _, x := range v {
		if !math.IsNaN(x) {
			sum += (x - m) * (x - m)
			n++
		}
	}
	return math.Sqrt(sum / max(n-1, 1))
}

// wander is the variance of the level's changes on other days, beyond that of
// the days themselves: who comes and goes does so at other times as well.
func wander(v []float64, at int) float64 {
	var other []float64
	for d := leastSpan + 2; d <= len(v)-leastSpan-2; d += 2 {
		if d > at-leastSpan && d < at+leastSpan {
			continue
		}
		// Stretches that do not reach over the onset.
		from, to := max(d-movedSpan, 0), min(d+movedSpan, len(v))
		if d < at {
			to = min(to, at)
		} else {
			from = max(from, at)
		}
		if d-from < leastSpan || to-d < leastSpan {
			continue
		}
		if r := robust.Mean(v[d:to]) - robust.Mean(v[from:d]); !math.IsNaN(r) {
			other = append(other, r*r)
		}
	}
	if len(other) < 4 {
		return 0
	}
	return robust.Mean(other) / 2
}
