package sim

import "math/rand/v2"

// addMeals adds cooking: short at breakfast, at noon where people are in, and
// a dinner in the evening.
func (h *household) addMeals(e *env, r *rand.Rand, kw *dayKW, t times) {
	if t.wake < 12 && chance(r, .8) {
		kw.block(t.wake+.2, .25, h.size*uniform(r, .4, 1.2))
	}
	if h.cookKWh == 0 { // gas: an extractor and a microwave
		if chance(r, .6) {
			kw.block(uniform(r, 18, 20), .2, uniform(r, .6, 1.1))
		}
		return
	}
	if t.home(12.5) && chance(r, .7) {
		dish(r, kw, uniform(r, 11.75, 12.75), h.cookKWh*.55)
	}
	dinner := 18.6 + 1.5*r.NormFloat64()
	if e.rest {
		dinner += .2
	}
	if t.back > dinner && t.back < 22 {
		dinner = t.back + .3
	}
	if t.home(dinner) && chance(r, .85) {
		dish(r, kw, dinner, h.cookKWh*uniform(r, .6, 1.4))
	}
}

// dish cooks kwh from hour x: hard at first, then simmering.
func dish(r *rand.Rand, kw *dayKW, x, kwh float64) {
	hours := uniform(r, .5, 1)
	kw.block(x, hours*.4, kwh*.6/(hours*.4))
	kw.block(x+hours*.4, hours*.6, kwh*.4/(hours*.6))
}

// addWashing adds washing machine, tumble dryer and dishwasher. More is washed
// on days of rest.
func (h *household) addWashing(e *env, r *rand.Rand, kw *dayKW, t times) {
	week := h.washWeek / 7 * .8
	if e.rest {
		week = h.washWeek / 7 * 1.5
	}
	for range 2 {
		if !chance(r, week/2) {
			continue
		}
		x := uniform(r, 8.5, 19.5)
		if !t.home(x) {
			x = uniform(r, 16.5, 21)
		}
		kw.block(x, .35, uniform(r, 1.6, 2.1)) // heats
		kw.block(x+.35, 1, .18)                // turns
		if chance(r, h.dryShare) {
			kw.block(x+1.5, uniform(r, .8, 1.3), uniform(r, 1.2, 2.2))
		}
	}
	if chance(r, h.dishWeek/7) {
		x := uniform(r, 18.5, 22)
		kw.block(x, .35, uniform(r, 1.7, 2.1))
		kw.block(x+.35, .6, .1)
		kw.block(x+.95, .25, uniform(r, 1.7, 2.1))
	}
}

// addWater adds the electric boiler: most of its heat after the showers of
// morning or evening, the rest by thermostat.
func (h *household) addWater(r *rand.Rand, kw *dayKW, t times) {
	if h.waterKWh == 0 {
		return
	}
	kwh := h.waterKWh * uniform(r, .6, 1.4)
	morning := uniform(r, .3, .6)
	heat := func(x, kwh float64) { kw.block(x, kwh/h.waterKW, h.waterKW) }
	heat(t.wake+.4, kwh*morning)
	heat(uniform(r, 18.5, 23), kwh*(.85-morning))
	for range 3 {
		heat(uniform(r, 0, 23), kwh*.05)
	}
}

// heatPump is a modulating air-to-water heat pump. It runs long and flat in
// the cold, which a mine does too; but it follows the weather.
type heatPump struct {
	kwK     float64 // heat need, kW per kelvin below 18 °C
	maxKW   float64 // electric
	waterKW float64
	from    float64 // day of the history from which it runs; far below zero: always
}

func newHeatPump(r *rand.Rand) *heatPump {
	return &heatPump{kwK: uniform(r, .12, .24), maxKW: uniform(r, 2.2, 4), waterKW: uniform(r, 1.5, 2.2), from: -1e9}
}

func (p *heatPump) tanPhi() float64 { return tanOf(.94) }

func (p *heatPump) add(e *env, r *rand.Rand, kw *dayKW) {
	if float64(e.day) < p.from {
		return
	}
	for i := range kw {
		if need := 18 - (.5*e.tempC[i] + .5*e.smoothC); need > 0 {
			cop := 2.9 + .07*e.tempC[i]
			kw[i] += min(p.maxKW, p.kwK*need/max(1.6, cop)) * (.9 + .2*r.Float64())
		}
	}
	kw.block(uniform(r, 3, 5), uniform(r, .7, 1.3), p.waterKW)
	kw.block(uniform(r, 14, 16), uniform(r, .4, .9), p.waterKW)
}

// carCharger is a home or public charging point.
type carCharger struct {
	kw     float64
	perDay float64 // charges a day
	kwh    float64 // median energy of a charge
	timer  bool    // starts after midnight
	public bool
	from   float64 // as in heatPump
}

func newCarCharger(r *rand.Rand) *carCharger {
	return &carCharger{
		kw: pick(r, 3.6, 3.6, 7.2, 7.2, 11), perDay: uniform(r, .35, .8), kwh: uniform(r, 8, 18),
		timer: chance(r, .4), from: -1e9,
	}
}

func (c *carCharger) tanPhi() float64 { return tanOf(.985) }

func (c *carCharger) add(e *env, r *rand.Rand, kw *dayKW) {
	if float64(e.day) < c.from {
		return
	}
	charge := func(x float64) { kw.block(x, logNormal(r, c.kwh, .4)/c.kw, c.kw) }
	switch {
	case c.public:
		for n := c.perDay * (.5 + r.Float64()); n > 0; n-- {
			charge(uniform(r, 7, 21))
		}
	case !chance(r, c.perDay):
	case c.timer:
		charge(uniform(r, .4, 1))
	default:
		charge(17.8 + 1.2*r.NormFloat64())
	}
}
