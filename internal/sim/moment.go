package sim

import (
	"math"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

const (
	nominalV = 400 / 1.7320508075688772 // phase to neutral
	tapUp    = 1.02                     // transformers are tapped up for their drop
)

// moment is a whole second of a day.
type moment struct {
	unix int64
	date curve.Date
	i    int     // interval
	x    float64 // share of the interval that is over, 0 … 1
}

func momentOf(t time.Time) moment {
	s := t.Unix()
	date := curve.Date(s / 86400)
	in := s % 86400
	return moment{unix: s, date: date, i: int(in / 900), x: float64(in%900) / 900}
}

// ripple is the variation of power within an interval: two whole waves, so
// that the interval's energy stays what the model says. power is the factor on
// the mean power now, energy that on the interval's energy, counted from its start.
func ripple(amplitude float64, seed uint64, m moment) (power, energy float64) {
	h := hash(seed, streamRipple, uint64(m.unix/900))
	power, energy = 1, m.x
	for k := range uint64(2) {
		waves := float64(1 + h%3)
		a := amplitude * .6
		if k == 1 {
			waves, a = float64(5+h%7), amplitude*.4
		}
		phase := float64(h>>16&0xffff) / 0x10000 * 2 * math.Pi
		w := 2 * math.Pi * waves
		power += a * math.Sin(w*m.x+phase)
		energy += a * (math.Cos(phase) - math.Cos(w*m.x+phase)) / w
		h = mix(h)
	}
	return power, energy
}

// values is everything that a device can say at a moment.
type values struct {
	kw, kvar   float64
	phaseKW    [3]float64
	volt       [3]float64
	ampere     [3]float64
	neutral    float64
	kwh, kvarh float64
	hertz      float64
	oilC, airC float64
}

// get picks one quantity, NaN where the device does not have it.
func (v *values) get(q meter.Quantity) float64 {
	switch q {
	case meter.ActivePower:
		return v.kw
	case meter.ReactivePower:
		return v.kvar
	case meter.ApparentPower:
		return hypot(v.kw, v.kvar)
	case meter.PowerFactor:
		if s := hypot(v.kw, v.kvar); s > 0 {
			return v.kw / s
		}
		return 1
	case meter.ActivePowerA, meter.ActivePowerB, meter.ActivePowerC:
		return v.phaseKW[phaseOf(q, meter.ActivePowerA, meter.ActivePowerB)]
	case meter.VoltageA, meter.VoltageB, meter.VoltageC:
		return v.volt[phaseOf(q, meter.VoltageA, meter.VoltageB)]
	case meter.CurrentA, meter.CurrentB, meter.CurrentC:
		return v.ampere[phaseOf(q, meter.CurrentA, meter.CurrentB)]
	case meter.CurrentN:
		return v.neutral
	case meter.ActiveEnergyImport:
		return v.kwh
	case meter.ReactiveEnergyImport:
		return v.kvarh
	case meter.Frequency:
		return v.hertz
	case meter.TopOilTemperature:
		return v.oilC
	case meter.AmbientTemperature:
		return v.airC
	}
	return math.NaN()
}

func phaseOf(q, a, b meter.Quantity) int {
	switch q {
	case a:
		return 0
	case b:
		return 1
	}
	return 2
}

// shares splits a point's power over the phases.
func (p *point) shares() [3]float64 {
	switch p.phase {
	case "A":
		return [3]float64{1, 0, 0}
	case "B":
		return [3]float64{0, 1, 0}
	case "C":
		return [3]float64{0, 0, 1}
	}
	a := .333 + .06*(unit(p.seed, streamRipple, 1)-.5)
	b := .333 + .06*(unit(p.seed, streamRipple, 2)-.5)
	return [3]float64{a, b, 1 - a - b}
}

// frequency of the interconnected grid.
func (l *live) frequency(m moment) float64 {
	return 50 + .025*smoothNoise(float64(m.unix), 40, l.d.seed, streamRipple, 50) +
		.02*smoothNoise(float64(m.unix), 300, l.d.seed, streamRipple, 51)
}

// busVolts is the voltage per unit that the substation keeps: lower under
// load, with slow and quick variations.
func (l *live) busVolts(m moment) float64 {
	h := float64(m.i) * step
	return 1 - .008*math.Exp(-math.Pow((h-19.5)/3, 2)) + .006*smoothNoise(float64(m.unix), 1800, l.d.seed, streamRipple, 60) +
		.0012*smoothNoise(float64(m.unix), 17, l.d.seed, streamRipple, 61)
}

// atPoint gives what the meter of point k of area i shows.
func (l *live) atPoint(i, k int, t time.Time) values {
	m := momentOf(t)
	day := l.today(i, m.date)
	a := l.areas[i].a
	p, d := a.points[k], day.points[k]
	rp, re := ripple(p.ripple, p.seed, m)
	v := values{kw: d.Metered[m.i] * rp, kvar: d.MeteredQ[m.i] * rp, hertz: l.frequency(m), oilC: math.NaN(), airC: math.NaN()}
	v.kwh = day.start[k].kwh + day.cum[k].kwh[m.i] + d.Metered[m.i]*step*re
	v.kvarh = day.start[k].kvarh + day.cum[k].kvarh[m.i] + d.MeteredQ[m.i]*step*re

	bus := l.lowVolts(a, day, m)
	far := unit(p.seed, streamRipple, 3) * a.lineLoss * 1.2 * day.kva[m.i] / a.kva
	supply := func(phase int, share float64) (volt, ampere float64) {
		truly := hypot(d.True[m.i], d.TrueQ[m.i]) * rp * share
		volt = bus[phase] * (1 - far)
		volt -= .12 * truly * 1000 / volt // the service's own drop
		return volt, hypot(v.kw, v.kvar) * share * 1000 / volt
	}
	share := p.shares()
	if p.phase != "ABC" { // a single-phase meter shows its one terminal as A
		for f := range share {
			if share[f] == 1 {
				v.volt[0], v.ampere[0] = supply(f, 1)
			}
		}
		v.phaseKW[0], v.neutral = v.kw, v.ampere[0]
		return v
	}
	for f := range share {
		v.volt[f], v.ampere[f] = supply(f, share[f])
		v.phaseKW[f] = v.kw * share[f]
	}
	v.neutral = neutralOf(v.ampere)
	return v
}

// lowVolts is the voltage of each phase at the transformer's low-voltage terminals.
func (l *live) lowVolts(a *area, day *areaToday, m moment) (v [3]float64) {
	drop := a.impedancePct / 100 * .6 * day.kva[m.i] / a.kva
	bus := l.busVolts(m)
	for f := range v {
		own := .003 * (unit(hashString(a.id), streamRipple, uint64(f)) - .5)
		v[f] = nominalV * tapUp * (bus - drop + own)
	}
	return v
}

// neutralOf is the neutral current of three currents 120° apart.
func neutralOf(i [3]float64) float64 {
	a, b, c := i[0], i[1], i[2]
	return math.Sqrt(math.Max(0, a*a+b*b+c*c-a*b-b*c-c*a))
}

// atTransformer gives what the transformer's own meter and monitor show:
// power and energy at the high-voltage terminals, voltages and currents at
// the low-voltage ones.
func (l *live) atTransformer(i int, t time.Time) values {
	m := momentOf(t)
	day := l.today(i, m.date)
	a := l.areas[i].a
	v := values{hertz: l.frequency(m), volt: l.lowVolts(a, day, m)}
	fixed := day.street[m.i] + day.line[m.i] + day.loss[m.i] // constant within the interval
	v.kw, v.kwh = fixed, fixed*m.x
	v.kvar = day.street[m.i] * tanOf(.92)
	v.kvarh = v.kvar * m.x
	for f := range v.phaseKW {
		v.phaseKW[f] = fixed / 3
	}
	take := func(kw, kvar, rp, re float64, share [3]float64) {
		v.kw += kw * rp
		v.kvar += kvar * rp
		v.kwh += kw * re
		v.kvarh += kvar * re
		for f := range share {
			v.phaseKW[f] += kw * rp * share[f]
		}
	}
	for k, p := range a.points {
		rp, re := ripple(p.ripple, p.seed, m)
		take(day.points[k].True[m.i], day.points[k].TrueQ[m.i], rp, re, p.shares())
	}
	if a.tap != nil {
		rp, re := ripple(.01, hashString(a.id), m)
		take(day.tap[m.i], day.tap[m.i]*a.tap.tanPhi(), rp, re, [3]float64{1. / 3, 1. / 3, 1. / 3})
	}
	n := len(a.points)
	v.kwh = day.start[n].kwh + day.cum[n].kwh[m.i] + v.kwh*a.gain*step
	v.kvarh = day.start[n].kvarh + day.cum[n].kvarh[m.i] + v.kvarh*step
	v.kw *= a.gain
	for f := range v.ampere {
		v.phaseKW[f] *= a.gain
		va := hypot(v.phaseKW[f], v.kvar*v.phaseKW[f]/math.Max(v.kw, 1e-9))
		v.ampere[f] = va * 1000 / v.volt[f]
	}
	v.neutral = neutralOf(v.ampere)
	v.oilC = day.oil[m.i] + (day.oil[m.i+1]-day.oil[m.i])*m.x
	v.airC = temperature(l.d.seed, m.date, float64(m.unix%86400)/3600)
	return v
}

// atSubstation gives the 35/10 kV substation: the sum of its transformers and
// 1.2 % for the 10 kV lines, voltages phase to neutral at 10 kV.
func (l *live) atSubstation(t time.Time) values {
	m := momentOf(t)
	v := values{hertz: l.frequency(m), airC: temperature(l.d.seed, m.date, float64(m.unix%86400)/3600)}
	for i := range l.areas {
		a := l.atTransformer(i, t)
		v.kw += a.kw * 1.012
		v.kvar += a.kvar * 1.012
		v.kwh += a.kwh * 1.012
		v.kvarh += a.kvarh * 1.012
		for f := range v.phaseKW {
			v.phaseKW[f] += a.phaseKW[f] * 1.012
		}
	}
	const ratedKVA = 4000
	bus := l.busVolts(m)
	for f := range v.volt {
		v.volt[f] = 10500 / math.Sqrt(3) * bus
		v.ampere[f] = hypot(v.phaseKW[f], v.kvar*v.phaseKW[f]/v.kw) * 1000 / v.volt[f]
	}
	v.neutral = neutralOf(v.ampere)
	v.oilC = oilRise(hypot(v.kw, v.kvar)/ratedKVA, 8) + v.airC
	return v
}

// oilRise is the steady rise of top oil over air at a load per unit, K:
// exponent and rated rise of IEC 60076-7 for ONAN distribution transformers.
// ratio is that of load to no-load loss at rated current.
func oilRise(load, ratio float64) float64 {
	return 55 * math.Pow((1+ratio*load*load)/(1+ratio), .8)
}

// topOil follows the oil through yesterday and today with its time constant
// of three hours and gives it at the start of each interval of today.
func topOil(a *area, yesterday *areaDay, ye *env, today *areaDay, te *env) (oil [intervals + 1]float64) {
	ratio := a.loadW / a.noLoadW
	alpha := 1 - math.Exp(-step/3)
	rise := oilRise(yesterday.kva[0]/a.kva, ratio)
	for i := range yesterday.kva {
		rise += alpha * (oilRise(yesterday.kva[i]/a.kva, ratio) - rise)
	}
	for i := range today.kva {
		oil[i] = rise + airAt(ye, te, i)
		rise += alpha * (oilRise(today.kva[i]/a.kva, ratio) - rise)
	}
	oil[intervals] = rise + te.tempC[intervals-1]
	return oil
}

// airAt is the air temperature at the start of an interval.
func airAt(yesterday, today *env, i int) float64 {
	if i == 0 {
		return (yesterday.tempC[intervals-1] + today.tempC[0]) / 2
	}
	return (today.tempC[i-1] + today.tempC[i]) / 2
}
