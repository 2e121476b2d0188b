package sim

import (
	"math"
	"math/rand/v2"
	"time"
)

// business is a load with opening hours: shops, workshops, offices, schools,
// restaurants. Powers in kW.
type business struct {
	open, close      float64 // hours; close may be past 24
	satClose         float64 // closing hour on Saturday; 0: closed
	sunday           bool    // open on days of rest as on Saturday
	baseKW, openKW   float64 // around the clock; further while open
	rough            float64 // random part of openKW from interval to interval
	lunchDip         float64 // share of openKW that stops from 12 to 13
	peaks            []peak  // further loads at certain hours
	heatKWK, coolKWK float64 // while open, kW per kelvin below 16 / above 23 °C
	signKW           float64 // lit from dusk to dawn
	growth           float64 // of openKW and baseKW a day since day 0
	stepDay, stepUp  float64 // from this day on openKW is (1 + stepUp) times as large
	pf               float64
}

type peak struct{ from, hours, kw float64 }

func (b *business) tanPhi() float64 { return tanOf(b.pf) }

func (b *business) add(e *env, r *rand.Rand, kw *dayKW) {
	open, close := b.hours(e)
	scale := 1.0
	if b.growth > 0 {
		scale = 1 + b.growth*math.Min(math.Max(float64(e.day), 0), 120)
	}
	level := b.openKW * scale * (.92 + .16*r.Float64())
	if b.stepUp > 0 && float64(e.day) >= b.stepDay {
		level *= 1 + b.stepUp
	}
	open += .12 * r.NormFloat64()
	close += .2 * r.NormFloat64()
	for i := range kw {
		kw[i] += b.baseKW*scale*(.97+.06*r.Float64()) + b.signKW*e.dark[i]
		x := (float64(i) + .5) * step
		in := x >= open && x < close || x < close-24
		if !in {
			continue
		}
		p := level * (1 + b.rough*(2*r.Float64()-1))
		if b.lunchDip > 0 && x >= 12 && x < 13 {
			p *= 1 - b.lunchDip
		}
		if d := 16 - e.tempC[i]; d > 0 {
			p += b.heatKWK * d
		}
		if d := e.tempC[i] - 23; d > 0 {
			p += b.coolKWK * (d + 1)
		}
		kw[i] += p
	}
	if open >= close {
		return
	}
	for _, p := range b.peaks {
		kw.block(p.from+.2*r.NormFloat64(), p.hours*(.8+.4*r.Float64()), p.kw*scale*(.7+.6*r.Float64()))
	}
}

// hours returns the day's opening hours; open after close means closed.
func (b *business) hours(e *env) (open, close float64) {
	switch {
	case e.rest && e.weekday != time.Saturday && !b.sunday, e.rest && b.satClose == 0:
		return 48, 0
	case e.rest:
		return b.open, b.satClose
	}
	return b.open, b.close
}

func newShop(r *rand.Rand) *business {
	s := logNormal(r, 1, .5)
	return &business{
		open: uniform(r, 7.5, 10), close: uniform(r, 18, 21), satClose: uniform(r, 16, 20), sunday: chance(r, .5),
		baseKW: s * uniform(r, .2, .9), openKW: s * uniform(r, 1.2, 3.5), rough: .15,
		heatKWK: s * uniform(r, 0, .06), coolKWK: s * uniform(r, .05, .15), signKW: uniform(r, 0, .25), pf: .93,
	}
}

func newWorkshop(r *rand.Rand) *business {
	s := logNormal(r, 1, .5)
	return &business{
		open: uniform(r, 6.5, 8), close: uniform(r, 15.5, 18), satClose: pick(r, 0, 0, 13.),
		baseKW: s * uniform(r, .2, .6), openKW: s * uniform(r, 4, 12), rough: .45, lunchDip: uniform(r, .4, .8),
		heatKWK: s * uniform(r, 0, .08), pf: .84,
	}
}

func newOffice(r *rand.Rand) *business {
	s := logNormal(r, 1, .4)
	return &business{
		open: uniform(r, 7.5, 9), close: uniform(r, 17, 19),
		baseKW: s * uniform(r, .5, 1.2), openKW: s * uniform(r, 2, 6), rough: .1,
		heatKWK: s * .05, coolKWK: s * .2, pf: .94,
	}
}

func newSchool(r *rand.Rand) *business {
	return &business{
		open: 7.3, close: 16.5, baseKW: uniform(r, 1, 2.5), openKW: uniform(r, 9, 18), rough: .12,
		heatKWK: .2, signKW: .6, pf: .94,
	}
}

func newClinic(r *rand.Rand) *business {
	return &business{
		open: 7.5, close: 19, satClose: 14, baseKW: uniform(r, 3, 6), openKW: uniform(r, 6, 12), rough: .12,
		heatKWK: .15, coolKWK: .4, signKW: .3, pf: .94,
	}
}

func newRestaurant(r *rand.Rand) *business {
	s := logNormal(r, 1, .3)
	return &business{
		open: 10, close: uniform(r, 22, 24), satClose: 24, sunday: true,
		baseKW: s * uniform(r, .8, 1.5), openKW: s * uniform(r, 2, 3.5), rough: .2, coolKWK: s * .2,
		peaks: []peak{{11.4, 2.2, s * uniform(r, 4, 8)}, {18.3, 3, s * uniform(r, 4, 9)}}, signKW: .3, pf: .95,
	}
}

func newBakery(r *rand.Rand) *business {
	s := logNormal(r, 1, .3)
	return &business{
		open: 2.5, close: 17, satClose: 14, sunday: chance(r, .4),
		baseKW: s * .9, openKW: s * uniform(r, 2, 3), rough: .2,
		peaks: []peak{{3, 4.5, s * uniform(r, 9, 18)}}, pf: .97,
	}
}

func newHotel(r *rand.Rand) *business {
	return &business{
		open: 6, close: 24, satClose: 24, sunday: true, baseKW: uniform(r, 4, 7), openKW: uniform(r, 4, 7), rough: .15,
		heatKWK: .3, coolKWK: .7, peaks: []peak{{6.8, 2.5, 6}, {18.5, 3, 7}}, signKW: .8, pf: .95,
	}
}

func newFarm(r *rand.Rand) *business {
	s := logNormal(r, 1, .3)
	return &business{
		open: 5, close: 21, satClose: 21, sunday: true, baseKW: s * uniform(r, .8, 1.6), openKW: s * uniform(r, .6, 1.5), rough: .3,
		peaks: []peak{{5, 2.2, s * uniform(r, 5, 9)}, {16.8, 2.2, s * uniform(r, 5, 9)}}, signKW: .2, pf: .88,
	}
}

// newCafe is an internet café: a computer of about 0.2 kW at each seat while
// it is open, little else.
func newCafe(seats int, open, close float64) *business {
	return &business{
		open: open, close: close, satClose: close, sunday: true,
		baseKW: .5, openKW: .13 * float64(seats), rough: .12, coolKWK: .25, signKW: .2,
		peaks: []peak{{16, 6, .05 * float64(seats)}}, pf: .95,
	}
}
