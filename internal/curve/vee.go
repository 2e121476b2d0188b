package curve

import (
	"fmt"
	"math"
	"sort"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Rule is a validation rule that an interval failed, or what was done about it.
type Rule uint8

// Validation rules. The first ones make an interval bad; a bad value stays in
// the curve as it was delivered. Frozen flags only: an even load is no fault
// of its meter. Estimated counts the intervals that were filled.
const (
	RuleNegative    Rule = iota // below zero
	RuleRange                   // more than the supply can physically carry
	RuleSpike                   // a lone value far above contract, neighbours and the rest of the day
	RuleGap                     // missing
	RuleDuplicate               // delivered again; the first one counts
	RuleFrozen                  // the same finely resolved value for half a day or more
	RuleSumCheck                // intervals do not add up to the register
	RuleNoSuchHour              // a value for an hour that the day does not have
	RuleReportedBad             // marked bad by the head-end
	RuleEstimated               // filled by estimation
	RuleReset                   // the register was reset or its meter exchanged
	RuleRollover                // the register began anew at its maximum
	ruleCount
)

// String returns the rule's name as reports show it.
func (r Rule) String() string {
	return [...]string{"negative", "range", "spike", "gap", "duplicate", "frozen", "sum_check",
		"no_such_hour", "reported_bad", "estimated", "reset", "rollover"}[r]
}

// Counts says how many intervals each rule met.
type Counts [ruleCount]int

// Add adds other to c.
func (c *Counts) Add(other *Counts) {
	for i, n := range other {
		c[i] += n
	}
}

// Map returns the counts above zero by rule name.
func (c *Counts) Map() map[string]int {
	m := make(map[string]int)
	for i, n := range c {
		if n > 0 {
			m[Rule(i).String()] = n
		}
	}
	return m
}

// String returns "gap 12, negative 1", in alphabetical order.
func (c *Counts) String() string {
	var parts []string
	for name, n := range c.Map() {
		parts = append(parts, fmt.Sprintf("%s %d", name, n))
	}
	sort.Strings(parts)
	return strings.Join(parts, ", ")
}

// Limits are what the records say a supply can carry; zero where they do not.
type Limits struct {
	ContractedKVA float64 // of the customer; a transformer's own meter has its rating
	RatedKVA      float64 // of the transformer that feeds the point

	// Factor is that by which the meter's own counts become primary values.
	// Readings are primary already; where the factor changes between two
	// readings of a register, their difference is no energy.
	Factor float64
}

// What a supply can carry at most, generously: abnormal use must never be
// taken for a fault of the meter. A transformer carries four times its rating
// only for minutes; a service cable is fused at a few times the contract.
const (
	ratedOverload     = 4
	contractOverload  = 20
	leastRangeKW      = 60
	unknownRangeKW    = 20_000
	spikeOverContract = 5
	spikeOverOthers   = 8
	frozenFor         = 12 * time.Hour
	frozenDigits      = 1000 // counts of the value's own last decimal
)

// rangeKW returns the highest mean power an interval can have.
func (l Limits) rangeKW() float64 {
	limit := float64(unknownRangeKW)
	if l.ContractedKVA > 0 {
		limit = math.Max(leastRangeKW, contractOverload*l.ContractedKVA)
	}
	if l.RatedKVA > 0 {
		limit = math.Min(limit, ratedOverload*l.RatedKVA)
	}
	return limit
}

// LimitsOf returns the limits of a meter at t, from the records; n may be nil.
func LimitsOf(n *grid.Network, meterID string, t time.Time) Limits {
	if n == nil {
		return Limits{}
	}
	if tr := n.TransformerOfMeter(meterID); tr != nil {
		return Limits{ContractedKVA: tr.RatedKVA, RatedKVA: tr.RatedKVA}
	}
	u := n.UsagePointOfMeter(meterID, t)
	if u == nil {
		return Limits{}
	}
	l := Limits{Factor: u.Factor()}
	if c := n.Customer(u.CustomerID); c != nil {
		l.ContractedKVA = c.ContractedKVA
	}
	if tr := n.Transformer(u.TransformerID); tr != nil {
		l.RatedKVA = tr.RatedKVA
	}
	return l
}

// Validate applies the rules to d, whose intervals come as delivered: NaN
// where missing, else with the quality that the source gave. It depends on d
// and l alone, so that days may come in any order.
func Validate(d *Day, l Limits, counts *Counts) {
	highest := l.rangeKW() * d.Interval.Hours()
	if d.unsuspicious(l, highest) {
		return
	}
	for i, e := range d.EnergyKWh {
		switch {
		case e != e:
			d.Quality[i] = meter.Bad
			d.Flag(i, meter.Missing)
			counts[RuleGap]++
		case e < 0:
			d.Quality[i] = meter.Bad
			d.Flag(i, meter.Negative)
			counts[RuleNegative]++
		case e > highest:
			d.Quality[i] = meter.Bad
			d.Flag(i, meter.OutOfRange)
			counts[RuleRange]++
		}
	}
	spikes(d, l, counts)
	frozen(d, counts)
}

// unsuspicious reports whether no rule can find anything in d, which is so
// with nearly every day. Of a run of equal values that is long enough to be
// frozen, two successive marks at half its least length are part.
func (d *Day) unsuspicious(l Limits, highest float64) bool {
	if l.ContractedKVA > 0 {
		highest = math.Min(highest, l.spikeThreshold(d.Interval))
	}
	for _, e := range d.EnergyKWh {
		if !(e >= 0 && e <= highest) {
			return false
		}
	}
	half := int(frozenFor/d.Interval) / 2
	if half < 1 {
		return false
	}
	for i := half; i < len(d.EnergyKWh); i += half {
		if d.EnergyKWh[i] == d.EnergyKWh[i-half] {
			return false
		}
	}
	return true
}

// spikeThreshold is the energy from which on an interval may be a spike.
func (l Limits) spikeThreshold(interval time.Duration) float64 {
	return spikeOverContract * l.ContractedKVA * interval.Hours()
}

// spikes finds lone intervals above several times the contract while the rest
// of the day is far below.
func spikes(d *Day, l Limits, counts *Counts) {
	if l.ContractedKVA <= 0 {
		return
	}
	threshold := l.spikeThreshold(d.Interval)
	suspects := 0
	var top [3]float64 // highest usable values, falling
	for i, e := range d.EnergyKWh {
		if !d.Usable(i) {
			continue
		}
		if e > threshold {
			suspects++
		}
		switch {
		case e > top[0]:
			top[0], top[1], top[2] = e, top[0], top[1]
		case e > top[1]:
			top[1], top[2] = e, top[1]
		case e > top[2]:
			top[2] = e
		}
	}
	if suspects == 0 || suspects > 2 {
		return
	}
	for i, e := range d.EnergyKWh {
		if !d.Usable(i) || e <= threshold || e < spikeOverOthers*top[2] {
			continue
		}
		if i > 0 && d.Usable(i-1) && e < spikeOverOthers*d.EnergyKWh[i-1] ||
			i+1 < len(d.EnergyKWh) && d.Usable(i+1) && e < spikeOverOthers*d.EnergyKWh[i+1] {
			continue
		}
		d.Quality[i] = meter.Bad
		d.Flag(i, meter.Spike)
		counts[RuleSpike]++
	}
}

// frozen flags runs of one value that is resolved so finely that no load
// repeats it for half a day.
func frozen(d *Day, counts *Counts) {
	least := int(frozenFor / d.Interval)
	for i := 0; i < len(d.EnergyKWh); {
		e := d.EnergyKWh[i]
		end := i + 1
		for end < len(d.EnergyKWh) && d.EnergyKWh[end] == e {
			end++
		}
		if end-i >= least && e > 0 && resolved(e) {
			for j := i; j < end; j++ {
				d.Flag(j, meter.Frozen)
				counts[RuleFrozen]++
			}
		}
		i = end
	}
}

// resolved reports whether v has at least four digits down to its last decimal.
func resolved(v float64) bool {
	for range 7 {
		if r := math.Round(v); math.Abs(v-r) <= 1e-9*math.Max(1, v) {
			return r >= frozenDigits
		}
		v *= 10
	}
	return true
}

// longestGap is the longest gap that is estimated.
const longestGap = 2 * time.Hour

// Estimate fills gaps of up to two hours by a straight line between the
// usable intervals on both sides within the day, rounded to the watt-hour, as
// uncertain and flagged estimated. Only missing intervals are filled: what
// was delivered stays in the curve, good or bad. Gaps at the ends of a day
// stay open, so that a day does not depend on another.
func Estimate(d *Day, counts *Counts) {
	if d.Flags == nil {
		return // nothing is missing
	}
	longest := int(longestGap / d.Interval)
	for i := 0; i < len(d.EnergyKWh); i++ {
		if !math.IsNaN(d.EnergyKWh[i]) {
			continue
		}
		end := i
		for end < len(d.EnergyKWh) && math.IsNaN(d.EnergyKWh[end]) {
			end++
		}
		if i > 0 && end < len(d.EnergyKWh) && end-i <= longest && d.Usable(i-1) && d.Usable(end) {
			from, step := d.EnergyKWh[i-1], (d.EnergyKWh[end]-d.EnergyKWh[i-1])/float64(end-i+1)
			for j := i; j < end; j++ {
				d.EnergyKWh[j] = math.Round((from+step*float64(j-i+1))*1000) / 1000
				d.Quality[j] = meter.Uncertain
				d.Flag(j, meter.Estimated)
				counts[RuleEstimated]++
			}
		}
		i = end
	}
}

// sumTolerance is how far the intervals of a day may be from its register, as
// a share and at least in kWh.
const (
	sumTolerance   = 0.01
	leastTolerance = 0.05
)

// CheckSum compares the intervals of d with the energy that its register
// counted over the day. Where they differ, good intervals become uncertain.
func CheckSum(d *Day, registerKWh float64, counts *Counts) {
	sum, usable := d.TotalKWh()
	if math.IsNaN(registerKWh) || usable < len(d.EnergyKWh) {
		return // sums compare only where every interval is there
	}
	if math.Abs(sum-registerKWh) <= math.Max(leastTolerance, sumTolerance*registerKWh) {
		return
	}
	for i := range d.EnergyKWh {
		if d.Quality[i] == meter.Good {
			d.Quality[i] = meter.Uncertain
		}
		d.Flag(i, meter.Implausible)
		counts[RuleSumCheck]++
	}
}

// VEE validates d and estimates its short gaps.
func VEE(d *Day, l Limits, counts *Counts) {
	Validate(d, l, counts)
	Estimate(d, counts)
}
