package hiddenmining

import (
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Factors of what happens to machines now and then, on the raw curve.
const (
	DropRate Factor = "drop_rate" // ln of 1 + sudden falls with full recovery in 30 days
	DropSize Factor = "drop_size" // their usual size over the base load
	LotUnits Factor = "lot_units" // how well sizes of jumps and falls are multiples of one machine, log-odds against chance
)

// Limits of what counts as a fall that recovers.
const (
	dropHours   = 12.0 // at most until the recovery
	dropEven    = 0.2  // difference between fall and recovery, of the fall
	dropShare   = 0.08 // least size, of the mean load
	dropFloorKW = 0.25
)

// jumps are the changes from interval to interval that are no part of the
// day's usual course.
type jumps struct {
	power  []float64
	change []float64 // less what is usual at that time of day; NaN where unknown
	limit  []float64 // by time of day: what a change has to exceed
	perDay int
	days   int
}

func newJumps(c *sdk.Curve, meanKW float64) *jumps {
	column := c.Columns[meter.ActivePower]
	if c.IntervalSeconds <= 0 || c.IntervalSeconds > 3600 || 86400%c.IntervalSeconds != 0 || len(column) < 2 {
		return nil
	}
	j := &jumps{power: make([]float64, len(column)), change: make([]float64, len(column)), perDay: 86400 / c.IntervalSeconds, days: len(c.DayStart) - 1}
	for i, v := range column {
		j.power[i] = math.NaN()
		if finite(v) {
			j.power[i] = float64(v)
		}
	}
	j.change[0] = math.NaN()
	for i := 1; i < len(j.power); i++ {
		j.change[i] = j.power[i] - j.power[i-1]
	}
	j.limit = make([]float64, j.perDay)
	at := make([]float64, 0, j.days+1)
	for slot := range j.perDay {
		at = at[:0]
		for i := slot; i < len(j.change); i += j.perDay {
			at = append(at, j.change[i])
		}
		usual := quickMedian(at)
		for i := slot; i < len(j.change); i += j.perDay {
			j.change[i] -= usual
		}
		at = at[:0]
		for i := slot; i < len(j.change); i += j.perDay {
			at = append(at, math.Abs(j.change[i]))
		}
		j.limit[slot] = max(6*quickMedian(at), dropShare*meanKW, dropFloorKW)
	}
	return j
}

// size returns the change around interval i with the neighbour that a switch
// within an interval spreads over, and 0 where it is not large for its time.
func (j *jumps) size(i int, sign float64) float64 {
	v := sign * j.change[i]
	if !(v > 0) || i+1 >= len(j.change) {
		return 0
	}
	if next := sign * j.change[i+1]; next > 0.1*v {
		v += next
	}
	if v < j.limit[i%j.perDay] {
		return 0
	}
	return v
}

// measureOutages looks for sudden falls that recover in full within hours, and
// asks whether the sizes of what jumped are multiples of one machine.
func (m *Measures) measureOutages(c *sdk.Curve) {
	j := newJumps(c, m.meanKW)
	if j == nil {
		return
	}
	var drops, sizes []float64
	reach := int(dropHours * float64(j.perDay) / 24)
	for i := 1; i < len(j.change)-1; i++ {
		if up := j.size(i, 1); up > 0 && j.persists(i, up) {
			sizes = append(sizes, up)
			i++
			continue
		}
		fall := j.size(i, -1)
		if fall == 0 {
			continue
		}
		for k := i + 1; k <= min(i+reach, len(j.change)-2); k++ {
			rise := j.size(k, 1)
			if rise == 0 {
				continue
			}
			// A failure of the supply takes everything; machines leave the rest.
			if math.Abs(rise-fall) < dropEven*fall && j.power[k-1] > 0.02*m.meanKW {
				drops = append(drops, fall)
				sizes = append(sizes, fall)
			}
			i = k
			break
		}
	}
	m.drops = len(drops)
	if m.drops > 0 {
		m.dropKW = robust.Median(drops)
		m.Factors[DropSize] = min(m.dropKW/max(m.baseKW, 0.05), 5)
	}
	m.Factors[DropRate] = math.Log1p(30 * float64(len(drops)) / float64(max(len(m.s.day), 1)))
	m.unitKW, m.Factors[LotUnits] = commonUnit(sizes)
}

// persists reports whether a jump up at interval i is still there six hours on.
func (j *jumps) persists(i int, up float64) bool {
	span := max(j.perDay/4, 2)
	if i < span || i+1+span > len(j.power) {
		return false
	}
	before, after := robust.Median(j.power[i-span:i]), robust.Median(j.power[i+1:i+1+span])
	return after-before > 0.6*up && after-before < 1.6*up
}

// Sizes of machines, kW: graphics cards in a rig, and ASICs.
const (
	unitLowKW, unitHighKW = 0.3, 3.6
	gapLowKW, gapHighKW   = 1.2, 1.3 // between the two there is nothing
)

// commonUnit looks for the machine that sizes are multiples of, within 4 %.
// The log-odds compare with sizes that fall anywhere; what so many candidates
// hit by chance is taken off. Fewer than three sizes say nothing.
func commonUnit(sizes []float64) (unit, logOdds float64) {
	if len(sizes) < 3 {
		return 0, 0
	}
	if len(sizes) > 40 { // more than that is a thermostat
		return 0, -1
	}
	slices.Sort(sizes)
	const tolerance, grid, candidates = 0.04, 0.02, 4.6 // candidates: ln of how many differ
	best := math.Inf(-1)
	for u := unitLowKW; u <= unitHighKW; u *= 1 + grid {
		if u > gapLowKW && u < gapHighKW {
			continue
		}
		sum := 0.0
		for _, h := range sizes {
			k := max(math.Round(h/u), 1)
			chance := min(2*tolerance*k, 0.9)
			if math.Abs(h-k*u) <= tolerance*k*u {
				sum += math.Log(0.85 / chance)
			} else {
				sum += math.Log(0.15 / (1 - chance))
			}
		}
		if sum > best {
			best, unit = sum, u
		}
	}
	return unit, min(max(best-candidates, -1), 4)
}
