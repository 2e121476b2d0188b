package sim

import (
	"math"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// point is a usage point: its records, its place in the network and what
// truly happens behind it.
type point struct {
	id, meterID string
	customer    customer
	area        int // index of the transformer that feeds it
	recorded    int // index of the transformer that the records say
	phase       string
	seed        uint64
	estimateKW  float64 // peak for which a planner would allow

	loads  []load // through the meter
	behind []load // fed around the meter

	gain    float64    // of the meter: true energy to registered; class 1 is within ±1 %
	slow    *slowMeter // nil for an honest meter
	trips   []trip     // of the service fuse: everything behind it is dark
	ripple  float64    // amplitude of the variation within an interval, as a share
	house   *household // nil for others
	kind    string     // what it really is, for statistics and placing
	initial float64    // reading of the energy register at the start of the history, kWh
}

// slowMeter under-registers by a share from a day on.
type slowMeter struct {
	from  float64
	share float64 // of the energy that is not registered
}

// trip is an interruption of one supply.
type trip struct {
	date     curve.Date
	from, to int // intervals
}

// pointDay is one day behind a usage point. Metered is what the meter
// registers, True what is drawn from the transformer.
type pointDay struct {
	Metered, MeteredQ dayKW // kW, kvar
	True, TrueQ       dayKW
}

// dayOf computes the day. It is a pure function.
func (p *point) dayOf(e *env) *pointDay {
	d := new(pointDay)
	for k, l := range p.loads {
		addLoad(e, l, p.seed, uint64(k), &d.True, &d.TrueQ)
	}
	d.Metered, d.MeteredQ = d.True, d.TrueQ
	for k, l := range p.behind {
		addLoad(e, l, p.seed, 100+uint64(k), &d.True, &d.TrueQ)
	}
	for i := range d.Metered {
		g := p.gain
		if p.slow != nil && float64(e.day)+float64(i)*step/24 >= p.slow.from {
			g *= 1 - p.slow.share
		}
		d.Metered[i] *= g
		d.MeteredQ[i] *= g
	}
	p.interrupt(e.date, d)
	return d
}

func addLoad(e *env, l load, seed, k uint64, kw, kvar *dayKW) {
	var own dayKW
	l.add(e, newRand(seed, streamDay, k, uint64(uint32(e.date))), &own)
	tan := l.tanPhi()
	for i, v := range own {
		kw[i] += v
		kvar[i] += v * tan
	}
}

// interrupt blanks the intervals without supply.
func (p *point) interrupt(date curve.Date, d *pointDay) {
	for _, t := range p.interruptions(date) {
		for i := t.from; i < t.to; i++ {
			d.Metered[i], d.MeteredQ[i], d.True[i], d.TrueQ[i] = 0, 0, 0, 0
		}
	}
}

// interruptions are those of a day: planned trips, and one of the small faults
// that any service has about once in three years.
func (p *point) interruptions(date curve.Date) (out []trip) {
	add := func(from, to int) { out = append(out, trip{date, max(0, from), min(to, intervals)}) }
	for _, t := range p.trips {
		if t.date == date {
			add(t.from, t.to)
		}
	}
	day := uint64(uint32(date))
	if unit(p.seed, streamTrips, day) < 1./1000 {
		from := int(unit(p.seed, streamTrips, day, 1) * 90)
		add(from, from+1+int(unit(p.seed, streamTrips, day, 2)*8))
	}
	return out
}

// meterError is the gain of a meter of class 1 in service.
func meterError(seed uint64) float64 {
	r := newRand(seed, streamRegister)
	return 1 + math.Max(-.009, math.Min(.009, .0035*r.NormFloat64()))
}
