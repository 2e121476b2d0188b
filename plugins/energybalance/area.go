package energybalance

import (
	"math"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// area is one transformer with its members on a common time base. Powers are
// in kW; NaN is missing.
type area struct {
	perDay  int // intervals of a day
	days    int
	input   []float64
	members []member
	dayKind []int8 // workday, saturday or restDay
	missing int    // members without enough data to be balanced
	rated   float64
}

type member struct {
	subject int // index in the window
	kw      []float64
}

// Kinds of days, which have a usual load each.
const (
	workday int8 = iota
	saturday
	restDay
)

const (
	// usableShare is the share of intervals that a member must have.
	usableShare = 0.5
	// tolerated is the share of the input that may be filled in: an interval
	// in which more than that is not measured is left out.
	tolerated = 0.03
)

// newDailyArea builds the area from daily features: one interval a day.
func newDailyArea(w *sdk.Window) *area {
	return newArea(w, 1, func(i int) []float64 {
		column, good := w.Feature(sdk.MeanKW, i), w.Feature(sdk.GoodShare, i)
		out := make([]float64, w.Days)
		for d := range out {
			out[d] = math.NaN()
			if column != nil && (good == nil || good[d] >= 0.9) {
				out[d] = plausible(column[d])
			}
		}
		return out
	})
}

// newHourlyArea builds the area from raw curves at so many intervals a day, or
// fewer where a curve is coarser.
func newHourlyArea(w *sdk.Window, perDay int) *area {
	for i := range w.Curves {
		if s := w.Curves[i].IntervalSeconds; s > 0 && len(w.Curves[i].Columns) > 0 {
			perDay = min(perDay, max(86400/s, 1))
		}
	}
	return newArea(w, perDay, func(i int) []float64 { return resample(&w.Curves[i], w.Days, perDay) })
}

// resample returns the mean power of perDay equal intervals of each day. At a
// change of clocks the day's surplus hour is left out and a lacking one missing.
func resample(c *sdk.Curve, days, perDay int) []float64 {
	out := make([]float64, days*perDay)
	column := c.Columns[meter.ActivePower]
	per := 0
	if c.IntervalSeconds > 0 {
		per = 86400 / perDay / c.IntervalSeconds
	}
	for d := range days {
		for k := range perDay {
			out[d*perDay+k] = math.NaN()
			if column == nil || per == 0 || len(c.DayStart) != days+1 {
				continue
			}
			from, to := int(c.DayStart[d])+k*per, int(c.DayStart[d+1])
			sum, n := 0.0, 0
			for j := from; j < min(from+per, to); j++ {
				if v := plausible(column[j]); !math.IsNaN(v) {
					sum += v
					n++
				}
			}
			if n == per {
				out[d*perDay+k] = sum / float64(n)
			}
		}
	}
	return out
}

func plausible(v float32) float64 {
	if !(math.Abs(float64(v)) < 1e6) {
		return math.NaN()
	}
	return float64(v)
}

func newArea(w *sdk.Window, perDay int, series func(i int) []float64) *area {
	a := &area{perDay: perDay, days: w.Days, dayKind: make([]int8, w.Days)}
	for d := range a.dayKind {
		switch wd := (w.FirstDay + sdk.Date(d)).Weekday(); {
		case wd == time.Sunday || w.Holiday != nil && w.Holiday[d]:
			a.dayKind[d] = restDay
		case wd == time.Saturday:
			a.dayKind[d] = saturday
		}
	}
	for i := range w.Subjects {
		s := &w.Subjects[i]
		kw := series(i)
		if s.Kind == sdk.Transformer {
			a.input, a.rated = kw, s.Number(sdk.AttrRatedKVA)
			continue
		}
		if share(kw) < usableShare {
			a.missing++
			continue
		}
		a.members = append(a.members, member{i, kw})
	}
	if a.input != nil {
		a.fill()
	}
	return a
}

func share(kw []float64) float64 {
	n := 0
	for _, v := range kw {
		if !math.IsNaN(v) {
			n++
		}
	}
	return float64(n) / float64(max(len(kw), 1))
}

// fill puts the member's usual load of the same time of day into its gaps, and
// takes out the intervals in which that makes up too much of the input.
func (a *area) fill() {
	filled := make([]float64, len(a.input))
	for m := range a.members {
		kw := a.members[m].kw
		if share(kw) == 1 {
			continue
		}
		usual := make([]float64, a.perDay)
		v := make([]float64, 0, a.days)
		for k := range usual {
			v = v[:0]
			for d := range a.days {
				v = append(v, kw[d*a.perDay+k])
			}
			usual[k] = robust.Mean(v)
		}
		overall := robust.Mean(usual)
		for t := range kw {
			if math.IsNaN(kw[t]) {
				kw[t] = usual[t%a.perDay]
				if math.IsNaN(kw[t]) {
					kw[t] = overall
				}
				filled[t] += math.Abs(kw[t])
			}
		}
	}
	for t := range a.input {
		if filled[t] > tolerated*math.Abs(a.input[t]) {
			a.input[t] = math.NaN()
		}
	}
}

// metered is the sum of the members at interval t.
func (a *area) metered(t int) float64 {
	sum := 0.0
	for m := range a.members {
		sum += a.members[m].kw[t]
	}
	return sum
}
