package balance

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Area is one transformer with its members on a common time base. Powers are
// in kW; NaN is missing.
type Area struct {
	PerDay   int       // intervals of a day
	Days     int       //
	Input    []float64 // the transformer's own meter; nil where the window holds no transformer
	Members  []Member  // those with enough data, their gaps filled with what is usual
	Spread   []float64 // standard deviation of what was filled in, kW
	DayKind  []int8    // Workday, Saturday or RestDay
	Unread   int       // members without enough data to be balanced
	RatedKVA float64   // NaN where the records do not say
}

// Member is one meter behind the transformer.
type Member struct {
	Subject int       // index in the window
	KW      []float64 // without gaps
	Doubt   float64   // that it is behind this transformer (AttrMappingDoubt), 0 … 1
	Read    float64   // share of the intervals that its meter measured
}

// Kinds of days, which have a usual load each.
const (
	Workday int8 = iota
	Saturday
	RestDay
)

// usableShare is the share of intervals that a member must have.
const usableShare = 0.5

// Daily builds the area from daily features: one interval a day.
func Daily(w *sdk.Window) *Area {
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

// FromCurves builds the area from raw curves at so many intervals a day, or
// fewer where a curve is coarser. Estimated intervals count as missing where
// enough measured ones are left.
func FromCurves(w *sdk.Window, perDay int) *Area {
	for i := range w.Curves {
		if s := w.Curves[i].IntervalSeconds; s > 0 && len(w.Curves[i].Columns) > 0 {
			perDay = min(perDay, max(86400/s, 1))
		}
	}
	return newArea(w, perDay, func(i int) []float64 {
		measured := Resample(&w.Curves[i], meter.ActivePower, w.Days, perDay, true)
		if share(measured) >= usableShare {
			return measured
		}
		return Resample(&w.Curves[i], meter.ActivePower, w.Days, perDay, false)
	})
}

// Resample returns the means of a quantity over perDay equal intervals of each
// day, of the well measured values only where good is set. At a change of
// clocks the day's surplus hour is left out and a lacking one missing.
func Resample(c *sdk.Curve, q meter.Quantity, days, perDay int, good bool) []float64 {
	out := make([]float64, days*perDay)
	column := c.Columns[q]
	per := 0
	if c.IntervalSeconds > 0 {
		per = 86400 / perDay / c.IntervalSeconds
	}
	good = good && len(c.Good) == len(column)
	for d := range days {
		for k := range perDay {
			out[d*perDay+k] = math.NaN()
			if column == nil || per == 0 || len(c.DayStart) != days+1 {
				continue
			}
			from, to := int(c.DayStart[d])+k*per, int(c.DayStart[d+1])
			sum, n := 0.0, 0
			for j := from; j < min(from+per, to, len(column)); j++ {
				if v := plausible(column[j]); !math.IsNaN(v) && (!good || c.Good[j]) {
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

func newArea(w *sdk.Window, perDay int, series func(i int) []float64) *Area {
	a := &Area{PerDay: perDay, Days: w.Days, DayKind: make([]int8, w.Days), RatedKVA: math.NaN()}
	for d := range a.DayKind {
		switch wd := (w.FirstDay + sdk.Date(d)).Weekday(); {
		case wd == time.Sunday || w.Holiday != nil && w.Holiday[d]:
			a.DayKind[d] = RestDay
		case wd == time.Saturday:
			a.DayKind[d] = Saturday
		}
	}
	a.Spread = make([]float64, a.Days*perDay)
	for i := range w.Subjects {
		s := &w.Subjects[i]
		kw := series(i)
		if s.Kind == sdk.Transformer {
			a.Input, a.RatedKVA = kw, s.Number(sdk.AttrRatedKVA)
			continue
		}
		read := share(kw)
		if read < usableShare {
			a.Unread++
			continue
		}
		a.fill(kw)
		doubt := s.Number(sdk.AttrMappingDoubt)
		if !(doubt > 0) {
			doubt = 0
		}
		a.Members = append(a.Members, Member{Subject: i, KW: kw, Doubt: min(doubt, 1), Read: read})
	}
	for t, v := range a.Spread {
		a.Spread[t] = math.Sqrt(v)
	}
	// In an order that does not depend on the window's, so that sums do not either.
	slices.SortStableFunc(a.Members, func(x, y Member) int {
		return cmp.Or(cmp.Compare(y.Mean(), x.Mean()), cmp.Compare(w.Subjects[x.Subject].ID, w.Subjects[y.Subject].ID))
	})
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

// fill puts the usual load of the same time on days of the same kind into
// gaps and adds the variance of what was put in to the area's.
func (a *Area) fill(kw []float64) {
	if share(kw) >= 1 {
		return
	}
	overall, spread := robust.Mean(kw), deviation(kw)
	type usual struct{ mean, spread float64 }
	known := make(map[int]usual)
	same := func(k int, rest bool) usual {
		key := 2 * k
		if rest {
			key++
		}
		if u, ok := known[key]; ok {
			return u
		}
		var v []float64
		for d := range a.Days {
			if (a.DayKind[d] != Workday) == rest {
				v = append(v, kw[d*a.PerDay+k])
			}
		}
		v = robust.Finite(v)
		u := usual{overall, spread}
		if len(v) >= 3 {
			u = usual{robust.Mean(v), deviation(v)}
		}
		known[key] = u
		return u
	}
	filled := make([]float64, len(kw))
	copy(filled, kw)
	for t := range kw {
		if math.IsNaN(kw[t]) {
			u := same(t%a.PerDay, a.DayKind[t/a.PerDay] != Workday)
			filled[t] = u.mean
			a.Spread[t] += u.spread * u.spread
		}
	}
	copy(kw, filled)
}

// deviation is the standard deviation of the finite values.
func deviation(v []float64) float64 {
	m, sum, n := robust.Mean(v), 0.0, 0.0
	for _, x := range v {
		if !math.IsNaN(x) {
			sum += (x - m) * (x - m)
			n++
		}
	}
	return math.Sqrt(sum / max(n-1, 1))
}

// Difference is the input less the metered sum, NaN where the input is missing.
func (a *Area) Difference() []float64 {
	out := make([]float64, len(a.Input))
	copy(out, a.Input)
	for m := range a.Members {
		for t, v := range a.Members[m].KW {
			if t < len(out) {
				out[t] -= v
			}
		}
	}
	return out
}

// MeasuredDays counts the days on which the transformer's meter measured at
// least half of the intervals.
func (a *Area) MeasuredDays() int {
	n := 0
	for d := 0; d < a.Days && len(a.Input) > 0; d++ {
		measured := 0
		for k := range a.PerDay {
			if !math.IsNaN(a.Input[d*a.PerDay+k]) {
				measured++
			}
		}
		if 2*measured >= a.PerDay {
			n++
		}
	}
	return n
}

// Darkness returns 1, 0 when lamps surely burn at interval t, 0, 0 when they
// surely do not, and 0, 1 in the hours that depend on season and latitude.
func (a *Area) Darkness(t int) (sure, maybe float64) {
	if a.PerDay == 1 {
		return 0.45, 0.1
	}
	switch hour := float64(t%a.PerDay) * 24 / float64(a.PerDay); {
	case hour < 4 || hour >= 22:
		return 1, 0
	case hour < 8 || hour >= 16:
		return 0, 1
	}
	return 0, 0
}
