package sim

import (
	"math"
	"math/rand/v2"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// habit is how the people of a household spend their days.
type habit uint8

const (
	workers habit = iota // out from about 8 to 18
	family               // out from about 8 to 16, often somebody at home
	retired              // at home, an outing in the morning
	atHome               // works at home
	shifts               // early, late and night shifts by week
)

// household is a dwelling. Powers in kW, energies in kWh.
type household struct {
	seed  uint64 // of this household
	habit habit
	size  float64 // 1 is a usual household; scales what people do
	standbyKW,
	serverKW, // always-on equipment of a few homes: servers, aquaria, oxygen concentrators
	lightKW,
	mediaKW float64
	cold      []fridge
	cookKWh   float64 // electric cooking of a dinner; 0 cooks with gas
	washWeek  float64 // machine washes a week
	dryShare  float64 // share of washes that are tumble-dried
	dishWeek  float64
	waterKWh  float64 // daily electric hot water; 0 has none
	waterKW   float64
	heatKWK   float64 // electric room heating, kW per kelvin below 18 °C
	coolKWK   float64 // air conditioning, kW per kelvin above 24 °C
	coolMaxKW float64
}

type fridge struct{ kw, period, duty, phase float64 } // hours

// newHousehold draws a household. rural ones heat with electricity more often.
func newHousehold(seed uint64, rural bool) *household {
	r := newRand(seed, streamHousehold)
	h := &household{seed: seed}
	switch u := r.Float64(); {
	case u < .26:
		h.habit = workers
	case u < .55:
		h.habit = family
	case u < .80:
		h.habit = retired
	case u < .94:
		h.habit = atHome
	default:
		h.habit = shifts
	}
	h.size = logNormal(r, .93, .42)
	if h.habit == family {
		h.size *= 1.3
	}
	h.standbyKW = logNormal(r, .055, .65)
	h.lightKW = h.size * uniform(r, .05, .16)
	h.mediaKW = h.size * uniform(r, .07, .2)
	for range 1 + between(r, 0, 1) {
		h.cold = append(h.cold, fridge{
			kw: uniform(r, .07, .14), period: uniform(r, .7, 1.3), duty: uniform(r, .3, .5), phase: r.Float64(),
		})
	}
	if chance(r, .6) {
		h.cookKWh = h.size * uniform(r, .5, 1.05)
	}
	h.washWeek = h.size * uniform(r, 1.5, 4.5)
	if chance(r, .35) {
		h.dryShare = uniform(r, .2, .9)
	}
	if chance(r, .5) {
		h.dishWeek = h.size * uniform(r, 2, 5)
	}
	if chance(r, .32) {
		h.waterKWh = h.size * uniform(r, 2.5, 6)
		h.waterKW = uniform(r, 1.5, 2.5)
	}
	heated := .13
	if rural {
		heated = .28
	}
	if chance(r, heated) {
		h.heatKWK = uniform(r, .035, .085)
	}
	if chance(r, .4) {
		h.coolKWK = uniform(r, .05, .12)
		h.coolMaxKW = uniform(r, .7, 1.6)
	}
	if chance(r, .03) {
		h.serverKW = uniform(r, .15, .5)
	}
	return h
}

func (h *household) tanPhi() float64 { return tanOf(.95) }

// lively is the household as busy as it is that day: people have good and bad
// weeks, and days.
func (h *household) lively(e *env, r *rand.Rand) *household {
	day := *h
	f := (1 + .22*smoothNoise(float64(e.date), 18, h.seed, streamVacation, 7)) * max(.5, 1+.13*r.NormFloat64())
	for _, v := range []*float64{&day.size, &day.mediaKW, &day.lightKW, &day.cookKWh, &day.washWeek, &day.dishWeek, &day.waterKWh} {
		*v *= f
	}
	return &day
}

// times are the turning points of a household's day, hours. Where leave is
// after back nobody goes out.
type times struct{ wake, leave, back, sleep float64 }

// routine draws the day's turning points.
func (h *household) routine(e *env, r *rand.Rand) times {
	var t times
	switch h.habit {
	case workers:
		t = times{6.75, 8, 17.75, 23}
	case family:
		t = times{6.5, 8.25, 16.25, 22.75}
		if chance(r, .4) { // somebody stays at home
			t.leave, t.back = 24, 0
		}
	case retired:
		t = times{7.5, 10, 11.75, 22.5}
		if chance(r, .3) {
			t.leave, t.back = 24, 0
		}
	case atHome:
		t = times{7.25, 24, 0, 23.25}
	case shifts:
		switch int(unit(h.seed, streamShift, uint64(int64(e.date)/7)) * 3) {
		case 0:
			t = times{4.75, 5.5, 14.5, 21.5}
		case 1:
			t = times{9, 13.25, 22.5, 24}
		default:
			t = times{14.5, 21, 24, 24} // nights: asleep until the afternoon
		}
	}
	if e.rest && h.habit != shifts {
		t.wake += 1.25
		t.sleep += .5
		if chance(r, .55) {
			t.leave, t.back = 24, 0
		} else {
			t.leave, t.back = 13.5, 17
		}
	}
	t.wake += .4 * r.NormFloat64()
	t.leave += .3 * r.NormFloat64()
	t.back += .6 * r.NormFloat64()
	t.sleep += .5 * r.NormFloat64()
	return t
}

// away reports whether the household is on holiday that day: at most once in
// 182 days, for 4 to 14 days.
func (h *household) away(date curve.Date) bool {
	span := int64(date) / 182
	if unit(h.seed, streamVacation, uint64(span)) > .6 {
		return false
	}
	at := int64(unit(h.seed, streamVacation, uint64(span), 1) * 165)
	length := 4 + int64(unit(h.seed, streamVacation, uint64(span), 2)*11)
	d := int64(date)%182 - at
	return d >= 0 && d < length
}

func (h *household) add(e *env, r *rand.Rand, kw *dayKW) {
	h.addCold(e, kw)
	// What is left plugged in changes over the months.
	always := h.standbyKW*(1+.35*smoothNoise(float64(e.date), 40, h.seed, streamVacation, 8)) + h.serverKW
	for i := range kw {
		kw[i] += always
	}
	if h.away(e.date) {
		h.addHeating(e, r, kw, times{wake: 25, leave: 0, back: 24, sleep: 24}, 12)
		return
	}
	t := h.routine(e, r)
	h = h.lively(e, r)
	h.addPresence(e, r, kw, t)
	h.addHeating(e, r, kw, t, 18)
	h.addMeals(e, r, kw, t)
	h.addWashing(e, r, kw, t)
	h.addWater(r, kw, t)
}

// home reports whether somebody is up and in at hour x.
func (t times) home(x float64) bool {
	if t.sleep > 24 && x < t.sleep-24 {
		return true
	}
	return x >= t.wake && x < t.sleep && (x < t.leave || x >= t.back)
}

// addCold adds fridges and freezers: compressors that cycle, harder in the warmth.
func (h *household) addCold(e *env, kw *dayKW) {
	warm := 1 + .012*(e.meanC-18)
	for _, f := range h.cold {
		on := f.duty * warm
		at := f.phase + float64(int64(e.date)%1000)*24/f.period
		x := at - math.Floor(at) // position in the cycle at midnight
		for i := range kw {
			// Share of the interval with the compressor on, cycles being
			// two to five intervals long.
			a := x + float64(i)*step/f.period
			kw[i] += f.kw * (cycles(a+step/f.period, on) - cycles(a, on)) * f.period / step
		}
	}
}

// cycles integrates a square wave of period 1 that is on for `on` of it.
func cycles(x, on float64) float64 {
	k := math.Floor(x)
	return k*on + math.Min(x-k, on)
}

// addPresence adds lights, screens and small appliances of people who are up.
func (h *household) addPresence(e *env, r *rand.Rand, kw *dayKW, t times) {
	for i := range kw {
		x := (float64(i) + .5) * step
		if !t.home(x) {
			continue
		}
		evening := .95
		if x >= 17.5 || x < 1 {
			evening = .85
		}
		if x < 9 {
			evening = .7
		}
		kw[i] += h.mediaKW*evening*(.5+r.Float64()) + h.lightKW*(.1+.9*e.dark[i])*(.6+.8*r.Float64())
		if r.Float64() < .05*h.size { // kettle, iron, hair dryer, vacuum cleaner
			kw[i] += uniform(r, .2, 1.0)
		}
	}
}

// addHeating adds electric room heating and air conditioning.
func (h *household) addHeating(e *env, r *rand.Rand, kw *dayKW, t times, setC float64) {
	if h.heatKWK == 0 && h.coolKWK == 0 {
		return
	}
	for i := range kw {
		x := (float64(i) + .5) * step
		home := t.home(x)
		if h.heatKWK > 0 {
			set := setC
			if !home {
				set -= 4
			}
			if need := set - (.5*e.tempC[i] + .5*e.smoothC); need > 0 {
				up := need * (.35 + 1.1*r.Float64())
				if home && (x < t.wake+1 || x >= t.back && x < t.back+1) {
					up *= 2 // warming up after the night or an empty house
				}
				kw[i] += h.heatKWK * up
			}
		}
		if h.coolKWK > 0 && setC > 15 && (home || x >= t.sleep || x < 2) {
			if need := e.tempC[i] - 23; need > 0 {
				kw[i] += math.Min(h.coolMaxKW, h.coolKWK*(need+1)) * (.5 + .7*r.Float64())
			}
		}
	}
}
