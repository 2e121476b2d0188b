package probe

import (
	"math"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// check holds the candidate to everything that can be said after one read.
func (c *Candidate) check(w *wire) {
	c.identify(w)
	c.answers(w)
	c.plausible()
	if c.ordered() {
		c.add(checkWritten, true, 5, 0, "no order of words but the profile's own is needed")
	}
}

// plausible holds the values to each other and to what networks carry.
func (c *Candidate) plausible() {
	c.sane()
	c.voltages()
	c.frequency()
	c.currents()
	c.powerFactors()
	c.apparent()
	c.quotient()
	c.sums()
	c.product()
	c.temperatures()
	c.energies()
}

// answers checks that the device has the registers.
func (c *Candidate) answers(w *wire) {
	for group := range c.p.Groups() {
		blocks := c.p.Modbus.Blocks(group)
		for i := range blocks {
			if a := w.known(&blocks[i]); a != nil && a.data == nil {
				c.add(checkRegisters, false, 0, 12, "%s", a.why)
			}
		}
	}
	if c.answered == c.blocks && c.blocks > 0 {
		c.add(checkRegisters, true, 5, 0, "the device has all registers of the profile")
	}
}

// tiny is what no device shows for any quantity but zero: floats put together
// in the wrong order come out so.
const tiny = 1e-9

// sane counts values that no device has.
func (c *Candidate) sane() {
	var odd []string
	read := 0
	for _, v := range c.Values {
		switch {
		case v.flags.Has(meter.Implausible):
			odd = append(odd, string(v.Quantity))
		case v.Number == nil:
			continue // not read, or not there: no registers speak for that
		case v.Quality != meter.Good.String() || absurd(v.Quantity, *v.Number):
			odd = append(odd, string(v.Quantity)+" "+number(*v.Number))
		}
		read++
	}
	if read > 0 && len(odd) > 0 {
		c.add("believable", false, 0, min(40, 8*float64(len(odd))), "no device shows this: %s", strings.Join(odd[:min(len(odd), 6)], ", "))
		if 3*len(odd) > read {
			c.strange++
		}
	}
}

// absurd reports whether v is far beyond what q can be anywhere.
func absurd(q meter.Quantity, v float64) bool {
	a := math.Abs(v)
	if a != 0 && a < tiny {
		return true
	}
	switch q.Unit() {
	case meter.Volt:
		return a > 1e6
	case meter.Ampere:
		return a > 1e5
	case meter.Kilowatt, meter.Kilovar, meter.KilovoltAmp:
		return a > 2e6
	case meter.KilowattHour, meter.KilovarHour:
		return a > 1e11
	case meter.Hertz:
		return a > 500
	case meter.Percent:
		return a > 1000
	case meter.Celsius:
		return v < -60 || v > 300
	}
	return false
}

// temperatures checks what transformer monitors measure: the little that can
// be said of temperatures.
func (c *Candidate) temperatures() {
	list := c.values(meter.TopOilTemperature, meter.HotSpotTemperature, meter.AmbientTemperature, meter.WindingTemperature,
		meter.WindingTemperatureA, meter.WindingTemperatureB, meter.WindingTemperatureC, meter.CoreTemperature)
	if len(list) == 0 {
		return
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range list {
		low, high = min(low, v.number), max(high, v.number)
	}
	if low == 0 && high == 0 {
		return
	}
	c.add("temperature", low >= -40 && high <= 180, 4*float64(min(len(list), 3)), 20, "from %s to %s °C", number(low), number(high))
	oil, okOil := c.good[meter.TopOilTemperature]
	spot, okSpot := c.good[meter.HotSpotTemperature]
	if okOil && okSpot && oil != 0 {
		c.add("hot spot", spot >= oil-3, 5, 10, "%s °C with top oil at %s °C; the winding is the hotter of the two", number(spot), number(oil))
	}
}

// energies checks cumulative registers as they are.
func (c *Candidate) energies() {
	worst, any := 0.0, false
	for _, v := range c.values(meter.ActiveEnergyImport, meter.ActiveEnergyExport, meter.ReactiveEnergyImport, meter.ReactiveEnergyExport) {
		any = any || v.number != 0
		if v.number < 0 && v.name != meter.ActiveEnergyExport && v.name != meter.ReactiveEnergyExport {
			c.add("energy", false, 0, 15, "%s is %s: a register that rises from zero", v.name, number(v.number))
			return
		}
		worst = max(worst, v.number)
	}
	if !any {
		return
	}
	// At three times the power that it shows, or 1 kW, no meter is this old.
	const mostYears = 50
	years := worst / (3*max(math.Abs(c.good[meter.ActivePower]), math.Abs(c.good[meter.ApparentPower])) + 1) / 8766
	c.add("energy", worst < 1e9 && years <= mostYears, 3, 15, "the largest register is %s kWh or kvarh, of %.1f years at three times the power shown", number(worst), years)
}

// rising checks cumulative registers against what they show a while later.
func (c *Candidate) rising(w *wire, later map[meter.Quantity]again) {
	for _, q := range []meter.Quantity{meter.ActiveEnergyImport, meter.ReactiveEnergyImport, meter.ActiveEnergyExport, meter.ReactiveEnergyExport} {
		second, ok := later[q]
		first, read := c.good[q]
		if !ok || !read || first == 0 && second.number == 0 {
			continue
		}
		hours := second.at.Sub(c.readAt(w, q)).Hours()
		// What could have flown, at three times the power that the candidate
		// shows now, and some counts of the register.
		power := max(math.Abs(c.good[meter.ActivePower]), math.Abs(c.good[meter.ApparentPower]), math.Abs(c.good[meter.ReactivePower]))
		most := 3*power*hours + 3*max(c.step[q], first*1e-6)
		rise := second.number - first
		switch {
		case rise < -first*1e-6:
			c.physics("energy rises", false, 0, 30, "%s fell from %s to %s within %s s", q, number(first), number(second.number), number(hours*3600))
			return
		case rise > most:
			c.physics("energy rises", false, 0, 20, "%s rose from %s to %s within %s s, more than the power allows", q, number(first), number(second.number), number(hours*3600))
			return
		case rise > 0:
			c.physics("energy rises", true, 10, 0, "%s rose from %s by %s within %s s", q, number(first), number(rise), number(hours*3600))
			return
		}
		c.add("energy rises", true, 3, 0, "%s did not fall within %s s", q, number(hours*3600))
		return
	}
}

// readAt returns when the block of q was first read.
func (c *Candidate) readAt(w *wire, q meter.Quantity) (at time.Time) {
	for _, b := range c.cumulative() {
		if a := w.known(b); a != nil && holds(b, q) {
			return a.at
		}
	}
	return at
}

func holds(b *profile.Block, q meter.Quantity) bool {
	for k := range b.Points {
		if b.Point(k).Quantity == q {
			return true
		}
	}
	return false
}
