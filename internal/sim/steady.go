package sim

import (
	"math"
	"math/rand/v2"
)

// These loads run day and night by nature. They are what makes mining hard to
// tell by flatness alone.

// coldStore is rooms held cold by compressors: their duty follows the weather
// and the door, defrosting breaks it.
type coldStore struct {
	compressorKW float64 // one room
	rooms        float64 // from the start
	secondDay    float64 // day from which a second room runs; 0: never
	duty         float64 // at 15 °C outside
	auxKW        float64 // fans, lights
	defrost      float64 // hour of the first of two defrosts
	fish         bool    // deliveries in the small hours
}

func newColdStore(r *rand.Rand) *coldStore {
	return &coldStore{
		compressorKW: uniform(r, 7, 22), rooms: 1, duty: uniform(r, .4, .55), auxKW: uniform(r, .8, 2),
		defrost: uniform(r, 1, 5), fish: chance(r, .3),
	}
}

func (c *coldStore) tanPhi() float64 { return tanOf(.86) }

func (c *coldStore) add(e *env, r *rand.Rand, kw *dayKW) {
	rooms := c.rooms
	if c.secondDay > 0 && float64(e.day) >= c.secondDay {
		rooms *= 1.8
	}
	for i := range kw {
		x := (float64(i) + .5) * step
		duty := c.duty * (1 + .02*(e.tempC[i]-15))
		busy := x >= 7 && x < 17
		if c.fish {
			busy = x >= 3 && x < 11
		}
		if busy && !e.rest {
			duty *= 1.25
		}
		if d := math.Mod(x-c.defrost+24, 12); d < .5 {
			duty = .1
		}
		duty = math.Min(1, math.Max(.05, duty+.16*(r.Float64()-.5)))
		kw[i] += rooms * (c.compressorKW*duty + c.auxKW)
	}
}

// telecomMast is a rectifier with a constant direct-current load, that breathes a
// little with traffic, and a small air conditioner.
type telecomMast struct{ dcKW, coolKW float64 }

func newTelecomMast(r *rand.Rand) *telecomMast {
	return &telecomMast{dcKW: uniform(r, 1.4, 4.2), coolKW: uniform(r, .5, 1)}
}

func (t *telecomMast) tanPhi() float64 { return tanOf(.98) }

func (t *telecomMast) add(e *env, r *rand.Rand, kw *dayKW) {
	for i := range kw {
		x := (float64(i) + .5) * step
		traffic := 1 + .035*math.Sin(2*math.Pi*(x-13)/24)
		duty := math.Min(1, math.Max(.08, .03*(e.tempC[i]-2)))
		kw[i] += t.dcKW*traffic*(.995+.01*r.Float64()) + t.coolKW*duty*(.7+.6*r.Float64())
	}
}

// dataRoom is servers and their cooling.
type dataRoom struct{ itKW, growth float64 }

func (d *dataRoom) tanPhi() float64 { return tanOf(.98) }

func (d *dataRoom) add(e *env, r *rand.Rand, kw *dayKW) {
	it := d.itKW * (1 + d.growth*math.Min(math.Max(float64(e.day), 0), 90))
	for i := range kw {
		x := (float64(i) + .5) * step
		work := 1.0
		if !e.rest {
			work += .03 * math.Exp(-math.Pow((x-13)/4, 2))
		}
		pue := 1.22 + .006*math.Max(0, e.tempC[i]-8)
		kw[i] += it * work * (.99 + .02*r.Float64()) * pue
	}
}

// roundTheClock is a load that never closes: 24 h shops, petrol stations,
// water pumping. Refrigeration and light, with a swing over the day.
type roundTheClock struct {
	kw, swing, rough float64
	nightKW          float64 // from dusk to dawn
	coolKWK          float64
	pf               float64
}

func newAllHoursShop(r *rand.Rand) *roundTheClock {
	return &roundTheClock{kw: uniform(r, 5, 9), swing: .18, rough: .07, nightKW: .5, coolKWK: .15, pf: .93}
}

func newPetrolStation(r *rand.Rand) *roundTheClock {
	return &roundTheClock{kw: uniform(r, 4, 7), swing: .15, rough: .12, nightKW: uniform(r, .8, 1.8), coolKWK: .1, pf: .93}
}

func newWaterPump(r *rand.Rand) *roundTheClock {
	return &roundTheClock{kw: uniform(r, 6, 14), swing: .12, rough: .1, pf: .86}
}

func (s *roundTheClock) tanPhi() float64 { return tanOf(s.pf) }

func (s *roundTheClock) add(e *env, r *rand.Rand, kw *dayKW) {
	for i := range kw {
		x := (float64(i) + .5) * step
		day := 1 + s.swing*math.Sin(2*math.Pi*(x-9)/24)
		kw[i] += s.kw*day*(1+s.rough*(2*r.Float64()-1)) + s.nightKW*e.dark[i] + s.coolKWK*math.Max(0, e.tempC[i]-15)
	}
}

// greenhouse lengthens the day with lamps to 16 hours, from the small hours on.
type greenhouse struct{ lampKW, pumpKW, from float64 }

func (g *greenhouse) tanPhi() float64 { return tanOf(.95) }

func (g *greenhouse) add(e *env, r *rand.Rand, kw *dayKW) {
	for i := range kw {
		x := (float64(i) + .5) * step
		kw[i] += g.pumpKW * (.6 + .8*r.Float64())
		if math.Mod(x-g.from+24, 24) < 16 {
			kw[i] += g.lampKW * (1 - .5*(1-e.dark[i])) * (.985 + .03*r.Float64())
		}
	}
}

// corridor is the public supply of a stairwell: lamps by motion, a lift in
// some houses, a door phone.
type corridor struct{ baseKW, lampKW, liftKW float64 }

func newCorridor(r *rand.Rand) *corridor {
	c := &corridor{baseKW: uniform(r, .02, .06), lampKW: uniform(r, .08, .3)}
	if chance(r, .4) {
		c.liftKW = uniform(r, .3, .9)
	}
	return c
}

func (c *corridor) tanPhi() float64 { return tanOf(.9) }

func (c *corridor) add(e *env, r *rand.Rand, kw *dayKW) {
	for i := range kw {
		x := (float64(i) + .5) * step
		busy := .15
		switch {
		case x >= 7 && x < 9, x >= 16 && x < 22:
			busy = 1
		case x >= 9 && x < 16, x >= 22:
			busy = .5
		}
		kw[i] += c.baseKW + c.lampKW*(.2+.8*e.dark[i])*(.3+.7*busy)*(.8+.4*r.Float64()) + c.liftKW*busy*r.Float64()*.5
	}
}
