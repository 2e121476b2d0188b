package accuracy

import (
	"math"
	"math/rand/v2"
)

// unitKW are the powers of common machines at the wall.
var unitKW = [...]float64{1.35, 2.2, 2.92, 3.25, 3.5}

// UnitMiner adds identical machines: a multiple of one machine's power up to
// the larger of 6.5 kW and 60 % of the host's mean; 30 % switch off in the
// evening peak, 40 % ramp up in lots, a quarter run from the first day.
func UnitMiner(rng *rand.Rand, l *Load, _ []float64) {
	unit := unitKW[rng.IntN(len(unitKW))]
	limit := max(6.5, 0.6*l.MeanKW())
	count := 1 + rng.IntN(max(1, int(limit/unit)))
	truth := Truth{Mine: true, KW: unit * float64(count), Evades: rng.Float64() < 0.3, Ramps: rng.Float64() < 0.4}
	if rng.Float64() >= 0.25 {
		truth.FromDay = int(float64(l.Days) * (0.1 + 0.65*rng.Float64()))
	}
	truth.Ratio = truth.KW / l.MeanKW()
	lots := 1
	if truth.Ramps {
		lots = min(count, 2+rng.IntN(4))
	}
	gap := 3 + rng.IntN(max(1, l.Days/8))
	off, on := 17+rng.IntN(2), 21+rng.IntN(2)
	noise := 0.005 + 0.015*rng.Float64()
	perDay := l.PerDay()
	for i := range l.KW {
		day, hour := i/perDay, (i%perDay)*l.StepMinutes/60
		if day < truth.FromDay || truth.Evades && hour >= off && hour < on {
			continue
		}
		running := count * min(lots, 1+(day-truth.FromDay)/gap) / lots
		l.KW[i] += unit * float64(running) * (1 + noise*rng.NormFloat64())
	}
	l.Truth = truth
}

// RigMiner adds rigs of differing make that are each bought, hot, throttled,
// restarted and stopped on their own: power drifts with temperature, pools
// fail, and some owners stop for a few days when it does not pay.
func RigMiner(rng *rand.Rand, l *Load, temp []float64) {
	mean := l.MeanKW()
	target := math.Exp(math.Log(0.9) + rng.Float64()*math.Log(max(8, 0.7*mean)/0.9))
	low, high := 0.3, 1.2 // graphics cards
	if rng.Float64() < 0.6 {
		low, high = 1.3, 3.6
	}
	type rig struct {
		kw   float64
		from int
	}
	from := 0
	if rng.Float64() > 0.3 {
		from = 5 + rng.IntN(max(1, l.Days-15))
	}
	ramp := rng.Float64() < 0.35
	var rigs []rig
	total, start := 0.0, from
	for total < target {
		r := rig{low + (high-low)*rng.Float64(), start}
		rigs = append(rigs, r)
		total += r.kw
		if ramp && rng.Float64() < 0.3 {
			start += 2 + rng.IntN(10)
		}
	}
	evades := rng.Float64() < 0.25
	perDay, hours := l.PerDay(), l.StepMinutes
	drift, offUntil := 0.0, -1
	offHour, onHour := 16+rng.IntN(3), 20+rng.IntN(4)
	for i := range l.KW {
		day, hour := i/perDay, (i%perDay)*hours/60
		drift = 0.995*drift + 0.0006*rng.NormFloat64()
		if day < from {
			continue
		}
		if i > offUntil && rng.Float64() < 1.0/float64(12*perDay) {
			offUntil = i + rng.IntN(perDay/2) // pool or power failure
		} else if rng.Float64() < 1.0/float64(150*perDay) {
			offUntil = i + perDay*(1+rng.IntN(3))
		}
		if i <= offUntil || evades && hour >= offHour && hour < onHour {
			continue
		}
		kw := 0.0
		for _, r := range rigs {
			if day >= r.from && rng.Float64() > 0.002 {
				kw += r.kw
			}
		}
		warm := 1 + 0.0015*(temp[min(i*hours/60, len(temp)-1)]-12)
		l.KW[i] += kw * warm * (1 + drift + 0.004*rng.NormFloat64())
	}
	l.Truth = Truth{Mine: true, KW: total, Ratio: total / mean, FromDay: from, Evades: evades, Ramps: ramp}
}
