package accuracy

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// Condition is what the data of a trial are like.
type Condition struct {
	Minutes int     // resolution: 15, 30 or 60
	Days    int     // length
	Missing float64 // share of the customers with gaps
	Gain    float64 // standard deviation of the meters' errors
	Drift   float64 // and of what they change in a year
	Step    float64 // kWh that the export is rounded to
	Records float64 // share of the customers whose declared use or contract is wrong
}

// Usual is an hourly export of three months: the condition of the figures that
// limits are set for.
func Usual() Condition {
	return Condition{Minutes: 60, Days: 92, Missing: .1, Gain: .005, Drift: .01, Step: .001, Records: .06}
}

// AnyCondition draws everything but resolution and length, which are given.
func AnyCondition(rng *rand.Rand, minutes, days int) Condition {
	return Condition{
		Minutes: minutes, Days: days, Missing: []float64{0, .1, .3}[rng.IntN(3)], Gain: .002 + .01*rng.Float64(), Drift: .02 * rng.Float64(),
		Step: []float64{.001, .001, .01, .1}[rng.IntN(4)], Records: .12 * rng.Float64(),
	}
}

// String names resolution and length.
func (c Condition) String() string { return fmt.Sprintf("%d min, %d days", c.Minutes, c.Days) }

// cut takes a stretch of a host at the condition's length and resolution; it
// begins on the same day of the week as first. A host that is shorter than the
// condition asks for is told forwards and backwards, week by week.
func (c *Condition) cut(rng *rand.Rand, host *Load, first int) Load {
	align := ((first-int(host.First))%7 + 7) % 7
	l := Load{}
	if span := host.Days - align - c.Days; span >= 0 {
		l = host.Segment(align+7*rng.IntN(span/7+1), c.Days)
	} else {
		l = lengthen(host, align, c.Days)
	}
	l.ID = host.ID
	switch {
	case l.StepMinutes < c.Minutes:
		l = l.Coarser(c.Minutes)
	case l.StepMinutes > c.Minutes:
		l = finer(rng, &l, c.Minutes)
	}
	return l
}

// lengthen goes through the whole weeks of a host from day align on, forwards,
// then backwards, and so on, until the days are full.
func lengthen(host *Load, align, days int) Load {
	perDay := host.PerDay()
	weeks := (host.Days - align) / 7
	out := *host
	out.Days, out.KW = days, make([]float64, 0, days*perDay)
	for w := 0; len(out.KW) < days*perDay; w++ {
		k := w % max(2*weeks-2, 1)
		if k >= weeks {
			k = 2*weeks - 2 - k
		}
		at := (align + 7*k) * perDay
		out.KW = append(out.KW, host.KW[at:at+7*perDay]...)
	}
	out.KW = out.KW[:days*perDay]
	return out
}

// finer divides each interval: power between the neighbouring intervals,
// roughened as homes or buildings are within the hour, at the same energy.
func finer(rng *rand.Rand, l *Load, minutes int) Load {
	k := l.StepMinutes / minutes
	rough := .03
	if l.Category == "residential" {
		rough = .3
	}
	out := *l
	out.StepMinutes, out.KW = minutes, make([]float64, len(l.KW)*k)
	shape := make([]float64, k)
	for i, v := range l.KW {
		before, after := v, v
		if i > 0 && !math.IsNaN(l.KW[i-1]) {
			before = l.KW[i-1]
		}
		if i+1 < len(l.KW) && !math.IsNaN(l.KW[i+1]) {
			after = l.KW[i+1]
		}
		sum := 0.0
		for j := range shape {
			x := (float64(j)+.5)/float64(k) - .5
			level := v + x*(after-v)
			if x < 0 {
				level = v - x*(before-v)
			}
			shape[j] = math.Max(level, .2*v) * math.Exp(rough*rng.NormFloat64())
			sum += shape[j]
		}
		for j := range shape {
			out.KW[i*k+j] = v
			if sum > 0 {
				out.KW[i*k+j] = v * shape[j] * float64(k) / sum
			}
		}
	}
	return out
}

// measure makes of the true load what the export says: the meter's error and
// drift, gaps, rounding.
func (c *Condition) measure(rng *rand.Rand, l *Load) {
	gain, drift := 1+c.Gain*rng.NormFloat64(), c.Drift*rng.NormFloat64()/float64(365*l.PerDay())
	step := c.Step * 60 / float64(l.StepMinutes) // kW
	rest := 0.0
	for i, v := range l.KW {
		if math.IsNaN(v) {
			continue
		}
		// A register that counts in steps keeps what it has not shown yet.
		rest += math.Max(v*(gain+drift*float64(i)), 0)
		l.KW[i] = step * math.Floor(rest/step+1e-9)
		rest -= l.KW[i]
	}
	if rng.Float64() < c.Missing {
		lose(rng, l)
	}
}

// mistake puts an error into the records of a customer.
func mistake(rng *rand.Rand, l *Load) {
	uses := [...]string{"shop", "office", "dwelling", "workshop", "other", "school", "restaurant"}
	switch rng.IntN(3) {
	case 0:
		l.DeclaredUse = uses[rng.IntN(len(uses))]
	case 1:
		l.ContractedKVA *= []float64{.3, .5, 2, 4}[rng.IntN(4)]
	default:
		l.DeclaredUse = ""
	}
}
