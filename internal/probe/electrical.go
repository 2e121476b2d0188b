package probe

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Nominal voltages in V, of low voltage networks and of the secondary side of
// voltage transformers, phase to neutral and phase to phase (IEC 60038, ANSI
// C84.1, IEC 61869-3).
func nominals() []float64 {
	return []float64{57.7, 63.5, 66.4, 69.3, 100, 110, 115, 120, 127, 200, 208, 220, 230, 240, 277, 347, 380, 400, 415, 440, 480, 600, 690}
}

// primaries lists nominal voltages of medium voltage networks in V, phase to
// phase. What a meter shows depends on a ratio that is not known here, so they
// count for less.
func primaries() []float64 {
	return []float64{3000, 3300, 4160, 6000, 6600, 10000, 11000, 12470, 13200, 13800, 15000, 20000, 22000, 24900, 30000, 33000, 34500, 35000}
}

const (
	nearVoltage  = 0.10 // of the nominal voltage
	noVoltage    = 2.0  // V: a phase that is not connected
	unbalanced   = 0.10
	smallCurrent = 0.01 // A
	smallPower   = 0.005
)

// voltages checks that voltages are those of a network.
func (c *Candidate) voltages() {
	phase := c.values(meter.VoltageA, meter.VoltageB, meter.VoltageC)
	lines := c.values(meter.VoltageAB, meter.VoltageBC, meter.VoltageCA)
	if len(phase)+len(lines) == 0 {
		if c.measures(meter.VoltageA) || c.measures(meter.VoltageAB) {
			c.add("voltage", false, 0, 10, "no voltage could be read")
		}
		return
	}
	live := slices.DeleteFunc(append(slices.Clone(phase), lines...), func(v quantity) bool { return math.Abs(v.number) < noVoltage })
	if len(live) == 0 {
		c.add("voltage", false, 0, 10, "all voltages are zero: nothing is connected, or these are no voltages")
		return
	}
	nominal, medium := nearestOf(live)
	switch {
	case nominal == 0:
		c.physics("voltage", false, 0, 30, "%s: not near any nominal voltage", list(live, "V"))
	case medium:
		c.add("voltage", true, 10, 0, "%s: near %v V, if that is its network's", list(live, "V"), nominal)
	default:
		c.physics("voltage", true, 20, 0, "%s: near %v V", list(live, "V"), nominal)
	}
	if c.balance(phase); len(phase) == 0 {
		c.balance(lines)
	}
	c.triangle(phase, lines)
}

// nearestOf returns a nominal voltage that all of the voltages are near, each
// to its own: those between phases have another than those of the phases.
func nearestOf(live []quantity) (nominal float64, medium bool) {
	for _, v := range live {
		n := nearest(v.number, nominals())
		if n == 0 {
			n = nearest(v.number, primaries())
			if n == 0 {
				n = math.Round(nearest(v.number*math.Sqrt(3), primaries()) / math.Sqrt(3))
			}
			medium = true
		}
		if n == 0 {
			return 0, false
		}
		if nominal == 0 {
			nominal = n
		}
	}
	return nominal, medium
}

func nearest(v float64, of []float64) float64 {
	best := 0.0
	for _, n := range of {
		if d := math.Abs(v - n); d <= nearVoltage*n && (best == 0 || d < math.Abs(v-best)) {
			best = n
		}
	}
	return best
}

// balance checks that phases that carry voltage carry the same.
func (c *Candidate) balance(phase []quantity) {
	var live []float64
	for _, v := range phase {
		if v.number >= noVoltage {
			live = append(live, v.number)
		}
	}
	if len(live) < 2 {
		return
	}
	low, high := slices.Min(live), slices.Max(live)
	c.physics("phases alike", high-low <= unbalanced*high, 10, 10, "their voltages lie %s %% apart", number(100*(high-low)/high))
}

// triangle checks voltages between phases against those of the phases.
func (c *Candidate) triangle(phase, lines []quantity) {
	if len(phase) != 3 || len(lines) != 3 {
		return
	}
	for i := range lines {
		if phase[i].number < noVoltage || lines[i].number < noVoltage {
			return
		}
	}
	ratio := (lines[0].number + lines[1].number + lines[2].number) / (phase[0].number + phase[1].number + phase[2].number)
	c.physics("between phases", math.Abs(ratio-math.Sqrt(3)) < 0.06, 10, 5, "voltages between phases are %s times those of the phases; 1.73 is right for three phases", number(ratio))
}

// frequency checks that the frequency is that of a network.
func (c *Candidate) frequency() {
	f, ok := c.good[meter.Frequency]
	switch {
	case !ok:
		for _, v := range c.Values {
			if v.Quantity == meter.Frequency && v.Number != nil {
				c.physics("frequency", false, 0, 25, "%s Hz is outside 45 to 65 Hz", number(*v.Number))
			}
		}
	case f == 0:
		c.add("frequency", false, 0, 10, "the frequency is zero: nothing is connected, or this is no frequency")
	default:
		c.physics("frequency", f >= 45 && f <= 65, 20, 25, "%s Hz; a network has 45 to 65 Hz", number(f))
	}
}

// powerFactors checks that no power factor exceeds one.
func (c *Candidate) powerFactors() {
	list := c.values(meter.PowerFactor, meter.PowerFactorA, meter.PowerFactorB, meter.PowerFactorC)
	worst, any := 0.0, false
	for _, v := range list {
		worst = max(worst, math.Abs(v.number))
		any = any || math.Abs(v.number) > 0.01
	}
	for _, v := range c.Values {
		if strings.HasPrefix(string(v.Quantity), string(meter.PowerFactor)) && v.Number != nil {
			worst = max(worst, math.Abs(*v.Number))
		}
	}
	if any || worst > 1.001 {
		c.add("power factor", worst <= 1.001, 5, 20, "the largest is %s; none exceeds 1", number(worst))
	}
}

// triple is active, reactive and apparent power that belong together.
type triple struct{ p, q, s meter.Quantity }

// apparent checks that apparent power is at least what active and reactive
// power make of it.
func (c *Candidate) apparent() {
	for _, t := range []triple{
		{meter.ActivePower, meter.ReactivePower, meter.ApparentPower},
		{meter.ActivePowerA, meter.ReactivePowerA, meter.ApparentPowerA},
	} {
		p, okP := c.good[t.p]
		q, okQ := c.good[t.q]
		s, okS := c.good[t.s]
		if !okP || !okQ || !okS || math.Max(math.Abs(s), math.Hypot(p, q)) < smallPower {
			continue
		}
		least := math.Hypot(p, q)
		fits := math.Abs(s) >= 0.98*least-2*c.step[t.s]-smallPower/5 && math.Abs(s) <= 3*least+smallPower
		c.physics("apparent power", fits, 12, 20, "%s kVA with %s kW and %s kvar, of which %s kVA is the least", number(s), number(p), number(q), number(least))
		return
	}
}

// sums checks that the phases make up the whole.
func (c *Candidate) sums() {
	for _, t := range []struct {
		whole  meter.Quantity
		phases [3]meter.Quantity
		unit   string
	}{
		{meter.ActivePower, [3]meter.Quantity{meter.ActivePowerA, meter.ActivePowerB, meter.ActivePowerC}, "kW"},
		{meter.ReactivePower, [3]meter.Quantity{meter.ReactivePowerA, meter.ReactivePowerB, meter.ReactivePowerC}, "kvar"},
	} {
		whole, ok := c.good[t.whole]
		parts := c.values(t.phases[:]...)
		if !ok || len(parts) != 3 {
			continue
		}
		var sum, size float64
		for _, v := range parts {
			sum += v.number
			size += math.Abs(v.number)
		}
		if math.Max(size, math.Abs(whole)) < smallPower {
			continue
		}
		tolerance := 0.02*math.Max(size, math.Abs(whole)) + 4*c.step[t.whole] + smallPower/5
		c.physics("sum of phases", math.Abs(whole-sum) <= tolerance, 15, 15, "%s is %s %s and its phases make %s", t.whole, number(whole), t.unit, number(sum))
	}
}

// quotient checks the power factor against the powers that it is made of.
func (c *Candidate) quotient() {
	p, okP := c.good[meter.ActivePower]
	s, okS := c.good[meter.ApparentPower]
	pf, ok := c.good[meter.PowerFactor]
	if !okP || !okS || !ok || math.Abs(s) < smallPower || math.Abs(pf) < 0.01 {
		return
	}
	want := math.Abs(p / s)
	slack := 0.03 + (c.step[meter.ActivePower]+c.step[meter.ApparentPower])/math.Abs(s)
	c.physics("power factor of powers", math.Abs(math.Abs(pf)-want) <= slack, 10, 10, "%s; the powers make %s", number(pf), number(want))
}

// product checks active power against voltage, current and power factor. On
// the secondary side the three belong together as on the primary.
func (c *Candidate) product() {
	p, ok := c.good[meter.ActivePower]
	most, step := c.voltAmperes()
	if !ok || most < 0 || math.Max(most, math.Abs(p)) < smallPower {
		return
	}
	slack := 3*c.step[meter.ActivePower] + step + smallPower
	pf, known := c.good[meter.PowerFactor]
	if known && math.Abs(pf) > 0.05 {
		want := most * math.Abs(pf)
		c.physics("voltage times current", math.Abs(math.Abs(p)-want) <= 0.15*want+slack, 15, 20, "%s kW; voltages, currents and the power factor make %s kW", number(p), number(want))
		return
	}
	c.physics("voltage times current", math.Abs(p) <= 1.05*most+slack, 8, 20, "%s kW; voltages and currents allow %s kW", number(p), number(most))
}

// voltAmperes returns what voltages and currents make, in kVA, and how much of
// it one count of the currents is; less than zero where it cannot be told.
func (c *Candidate) voltAmperes() (sum, step float64) {
	side := c.side[meter.ActivePower]
	phase := c.values(meter.VoltageA, meter.VoltageB, meter.VoltageC)
	lines := c.values(meter.VoltageAB, meter.VoltageBC, meter.VoltageCA)
	currents := c.values(meter.CurrentA, meter.CurrentB, meter.CurrentC)
	switch {
	case len(currents) == 0 || c.side[currents[0].name] != side:
		return -1, 0
	case len(phase) == len(currents) && c.side[phase[0].name] == side && (len(phase) == 3 || !c.measures(meter.CurrentB)):
		for i := range phase {
			sum += math.Abs(phase[i].number*currents[i].number) / 1000
			step += phase[i].number * c.step[currents[i].name] / 2000
		}
		return sum, step
	case len(phase) == 0 && len(lines) == 3 && len(currents) == 3 && c.side[lines[0].name] == side:
		for i := range lines {
			sum += math.Abs(lines[i].number*currents[i].number) / 1000 / math.Sqrt(3)
			step += lines[i].number * c.step[currents[i].name] / 2000
		}
		return sum, step
	}
	return -1, 0
}

// currents checks that currents are of a size that meters measure.
func (c *Candidate) currents() {
	list := c.values(meter.CurrentA, meter.CurrentB, meter.CurrentC)
	worst, any := 0.0, false
	for _, v := range list {
		worst = max(worst, math.Abs(v.number))
		any = any || math.Abs(v.number) > smallCurrent
	}
	if any {
		c.add("current", worst <= 10_000, 2, 20, "the largest is %s A", number(worst))
	}
}

// quantity is a good value with its name.
type quantity struct {
	name   meter.Quantity
	number float64
}

// values returns the good values among quantities.
func (c *Candidate) values(names ...meter.Quantity) []quantity {
	var out []quantity
	for _, q := range names {
		if v, ok := c.good[q]; ok {
			out = append(out, quantity{q, v})
		}
	}
	return out
}

// measures reports whether the profile has the quantity, read or not.
func (c *Candidate) measures(q meter.Quantity) bool {
	return slices.ContainsFunc(c.p.Modbus.Points, func(pt profile.ModbusPoint) bool { return pt.Quantity == q })
}

func list(values []quantity, unit string) string {
	parts := make([]string, len(values))
	for i, v := range values {
		parts[i] = fmt.Sprintf("%s %s", v.name, number(v.number))
	}
	return strings.Join(parts, ", ") + " " + unit
}

// number writes a value with at most five significant digits.
func number(v float64) string {
	if a := math.Abs(v); a != 0 && (a < 1e-4 || a >= 1e9) {
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 5, 64), 64)
	if err != nil {
		return strconv.FormatFloat(v, 'g', 5, 64)
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}
