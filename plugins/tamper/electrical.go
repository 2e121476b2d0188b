package tamper

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Bounds of electrical contradictions.
const (
	leastVA        = 0.3  // kVA: below, currents and powers are too small to compare
	leastAmpere    = 1.0  // A
	missingVolt    = 0.5  // of the other phases' voltage, or of the usual one
	noEnergy       = 0.2  // registered share of the apparent power that no usual load goes below
	contradictDay  = 0.25 // share of a day's intervals from which the day contradicts
	contradictDays = 3
	clearDays      = 10
	contradictJust = 2.5 // weight at three days, log-odds …
	contradictMuch = 4.0 // … and at ten or more
	alwaysSo       = 1.5 // of a share that was low from the beginning
)

// phases are the columns of one phase.
type phases struct{ volt, ampere []float32 }

// electrical looks for contradictions between voltage, current and power. It
// reports whether the meter measures enough to tell.
func electrical(c *sdk.Curve, w *sdk.Window, v *verdict) bool {
	power := c.Columns[meter.ActivePower]
	lines := []phases{
		{c.Columns[meter.VoltageA], c.Columns[meter.CurrentA]}, {c.Columns[meter.VoltageB], c.Columns[meter.CurrentB]}, {c.Columns[meter.VoltageC], c.Columns[meter.CurrentC]},
	}
	if power == nil || lines[0].volt == nil && lines[0].ampere == nil {
		return false
	}
	missingVoltage(c, w, lines, v)
	neutral(c, w, lines, v)
	registered(c, w, power, lines, v)
	backwards(c, w, v)
	return true
}

// at returns a value of a column, NaN where there is none that makes sense.
func at(column []float32, i int) float64 {
	if column == nil || math.Abs(float64(column[i])) > 1e6 {
		return math.NaN()
	}
	return float64(column[i])
}

// contradicting lists the days on which enough intervals contradict; test
// says of an interval whether it does and whether it can be judged.
func contradicting(c *sdk.Curve, days int, test func(i int) (contradicts, judged bool)) []int {
	var out []int
	for d := range days {
		bad, seen := 0, 0
		for i := int(c.DayStart[d]); i < int(c.DayStart[d+1]); i++ {
			contradicts, judged := test(i)
			if judged {
				seen++
			}
			if contradicts {
				bad++
			}
		}
		if seconds := bad * c.IntervalSeconds; bad > 0 && seconds >= 2*3600 && float64(bad) >= contradictDay*float64(seen) {
			out = append(out, d)
		}
	}
	return out
}

// contradiction adds a sign where enough days contradict and they last.
func contradiction(list []int, v *verdict, code, text string, most float64) {
	if len(list) < contradictDays || 2*len(list) < list[len(list)-1]-list[0]+1 {
		return
	}
	v.add(sign{
		code: code, text: fmt.Sprintf(text, len(list)), first: list[0], last: list[len(list)-1], value: float64(len(list)), unit: "days", days: list[:1], lasting: true, lost: true,
		weight: contradictJust + (most-contradictJust)*ramp(float64(len(list)), contradictDays, clearDays),
	})
}

// missingVoltage looks for a phase that carries current and has no voltage:
// its energy is not counted.
func missingVoltage(c *sdk.Curve, w *sdk.Window, lines []phases, v *verdict) {
	usual := 0.0
	for _, l := range lines {
		usual = max(usual, zeroNaN(robust.Median(l.volt)))
	}
	for k, l := range lines {
		if l.volt == nil || l.ampere == nil || usual < 50 {
			continue
		}
		list := contradicting(c, w.Days, func(i int) (bool, bool) {
			volt, ampere := at(l.volt, i), math.Abs(at(l.ampere, i))
			others := 0.0
			for _, o := range lines {
				others = max(others, zeroNaN(at(o.volt, i)))
			}
			return volt < missingVolt*max(others, usual) && ampere >= leastAmpere, volt == volt && ampere == ampere
		})
		contradiction(list, v, "voltage_missing_with_current", "phase "+"ABC"[k:k+1]+" carries current and shows no voltage on %d days: a load needs both", contradictMuch)
		if len(list) >= contradictDays {
			v.explain("voltage_fuse", sdk.Open, "a blown fuse or a broken wire in the voltage circuit of the meter does the same; the energy goes uncounted either way")
		}
	}
}

// neutral looks for a neutral current that is not that of the phases: current
// that comes or goes past the meter.
func neutral(c *sdk.Curve, w *sdk.Window, lines []phases, v *verdict) {
	column := c.Columns[meter.CurrentN]
	if column == nil {
		return
	}
	single := lines[1].ampere == nil && lines[2].ampere == nil
	list := contradicting(c, w.Days, func(i int) (bool, bool) {
		n, sum, high := math.Abs(at(column, i)), 0.0, 0.0
		for _, l := range lines {
			if l.ampere != nil {
				a := math.Abs(at(l.ampere, i))
				sum += a
				high = max(high, a)
			}
		}
		if n != n || sum != sum {
			return false, false
		}
		if single { // what goes in on one wire comes back on the other
			return math.Abs(n-sum) > max(leastAmpere, 0.3*max(n, sum)), true
		}
		return n > 1.3*sum+leastAmpere, true
	})
	contradiction(list, v, "neutral_unbalanced", "the neutral's current is not that of the phases on %d days: current flows past the meter", 3.2)
	if len(list) >= contradictDays {
		v.explain("shared_neutral", sdk.Open, "a neutral joined with a neighbour's or with earth behind the meter, by mistake in the wiring, does the same")
	}
}

// registered holds the registered power against voltage times current.
func registered(c *sdk.Curve, w *sdk.Window, power []float32, lines []phases, v *verdict) {
	share, apparent := nans(w.Days), nans(w.Days)
	for d := range w.Days {
		var p, s float64
		n := 0
		for i := int(c.DayStart[d]); i < int(c.DayStart[d+1]); i++ {
			va := 0.0
			for _, l := range lines {
				if x := math.Abs(at(l.volt, i) * at(l.ampere, i)); x == x {
					va += x / 1000
				}
			}
			if kw := at(power, i); kw == kw && va >= leastVA {
				p, s, n = p+kw, s+va, n+1
			}
		}
		if n*c.IntervalSeconds >= 2*3600 {
			share[d], apparent[d] = p/s, s/float64(n)
		}
	}
	day, before, after, ok := shareFell(share, apparent)
	if ok {
		var list []int
		for d := day; d < w.Days; d++ {
			if share[d] < (before+after)/2 {
				list = append(list, d)
			}
		}
		contradiction(list, v, "registered_share_fell", fmt.Sprintf("the energy counted fell from %.0f %% to %.0f %% of voltage times current while the current stayed, on %%d days: one of the current paths is turned round, bridged or open", 100*before, 100*after), contradictMuch)
		v.explain("reactive_load", sdk.Unlikely, fmt.Sprintf("the same customer's load had a registered share of %.2f before", before))
		return
	}
	var low []int
	for d, s := range share {
		if s < noEnergy {
			low = append(low, d)
		}
	}
	if len(low) >= 2*contradictDays && len(low) > len(robust.Finite(share))/2 {
		v.add(sign{code: "current_without_energy", first: low[0], last: low[len(low)-1], value: float64(len(low)), unit: "days", weight: alwaysSo, days: low[:1], lasting: true,
			text: fmt.Sprintf("on %d days less than %.0f %% of voltage times current were counted as energy", len(low), 100*noEnergy)})
		v.explain("reactive_load", sdk.Open, "it was so from the beginning of the data: a load of capacitors or an idling transformer would look the same")
	}
}

// shareFell finds the day from which a registered share that was usual is
// lastingly lower while the apparent power is not.
func shareFell(share, apparent []float64) (day int, before, after float64, ok bool) {
	best := 0.0
	for d := 5; d <= len(share)-contradictDays; d++ {
		b, a := robust.Finite(share[:d]), robust.Finite(share[d:])
		if len(b) < 5 || len(a) < contradictDays {
			continue
		}
		mb, ma := robust.Median(b), robust.Quantile(a, 0.75)
		if mb < 0.75 || ma > 0.75*mb || robust.Quantile(b, 0.1) < ma || robust.Median(apparent[d:]) < 0.7*robust.Median(apparent[:d]) {
			continue
		}
		if gap := robust.Mean(b) - robust.Mean(a); gap > best {
			best, day, before, after, ok = gap, d, mb, robust.Median(a), true
		}
	}
	return day, before, after, ok
}

// backwards looks for a power factor that is negative at night as well: the
// current path is turned round, and it is not the sun.
func backwards(c *sdk.Curve, w *sdk.Window, v *verdict) {
	pf := c.Columns[meter.PowerFactor]
	if pf == nil {
		return
	}
	negative := contradicting(c, w.Days, func(i int) (bool, bool) {
		x := at(pf, i)
		return x < -0.1 && x >= -1.01, x == x
	})
	night := contradicting(c, w.Days, func(i int) (bool, bool) {
		hour := hourOf(c, i)
		x := at(pf, i)
		return x < -0.1 && x >= -1.01 && (hour < 4 || hour >= 22), x == x && (hour < 4 || hour >= 22)
	})
	if len(negative) >= contradictDays && len(night) < contradictDays {
		v.explain("own_generation", sdk.Explains, "the power factor is negative in the daytime only: energy is fed in, as from a solar plant")
	}
	contradiction(night, v, "energy_backwards", "the power factor is negative at night on %d days: a current path is turned round, and energy is counted off", 3.0)
	if len(night) >= contradictDays {
		v.explain("own_generation", sdk.Unlikely, "the sun does not feed in at night; a battery or a generator could")
	}
}

func hourOf(c *sdk.Curve, i int) float64 {
	for d := len(c.DayStart) - 2; d >= 0; d-- {
		if i >= int(c.DayStart[d]) {
			return float64((i-int(c.DayStart[d]))*c.IntervalSeconds) / 3600
		}
	}
	return 0
}

func nans(n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = math.NaN()
	}
	return out
}

func zeroNaN(x float64) float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return 0
	}
	return x
}
