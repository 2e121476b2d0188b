package sim

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// live runs the district on through the present. A value is a pure function
// of meter and whole second; energy registers go on from the history's end.
type live struct {
	d      *District
	anchor curve.Date // day at whose start the registers were summed up
	areas  []*areaLive
}

// areaLive is one transformer's present. Days are computed as they come.
type areaLive struct {
	a  *area
	mu sync.Mutex
	// registers at the start of days, kWh and kvarh, one for each point and
	// one more for the transformer's meter.
	start map[curve.Date][]registers
	days  map[curve.Date]*areaToday
}

type registers struct{ kwh, kvarh float64 }

// areaToday is a day with the running sums that registers need.
type areaToday struct {
	*areaDay
	env   *env
	start []registers
	cum   []cumulated // as start
	oil   [intervals + 1]float64
}

// cumulated is energy since midnight at the start of each interval.
type cumulated struct{ kwh, kvarh [intervals + 1]float64 }

// tally sums up the registers of a history: by area, one for each point and
// one more for the transformer's meter. week is the energy of the last seven days.
type tally struct{ sums, week [][]registers }

func newTally(d *District) *tally {
	t := &tally{make([][]registers, len(d.areas)), make([][]registers, len(d.areas))}
	for i, a := range d.areas {
		t.sums[i] = make([]registers, len(a.points)+1)
		t.week[i] = make([]registers, len(a.points)+1)
		for k, p := range a.points {
			t.sums[i][k] = registers{p.initial, p.initial * .3}
		}
		t.sums[i][len(a.points)] = registers{a.initial, a.initial * .3}
	}
	return t
}

// add adds one day of all areas, in the order of days.
func (t *tally) add(d *District, date curve.Date, days []*areaDay) {
	for i, day := range days {
		for k := range t.sums[i] {
			e := day.energy(k)
			t.sums[i][k].kwh += e.kwh
			t.sums[i][k].kvarh += e.kvarh
			if date > d.last-7 && date <= d.last {
				t.week[i][k].kwh += e.kwh
				t.week[i][k].kvarh += e.kvarh
			}
		}
	}
}

// skip adds days that are not computed, as the mean of the history's last week.
func (t *tally) skip(d *District, days float64) {
	days /= float64(min(7, d.last-d.first+1))
	for i := range t.sums {
		for k := range t.sums[i] {
			t.sums[i][k].kwh += t.week[i][k].kwh * days
			t.sums[i][k].kvarh += t.week[i][k].kvarh * days
		}
	}
}

func (t *tally) clone() *tally {
	c := &tally{slices.Clone(t.sums), slices.Clone(t.week)}
	for i := range c.sums {
		c.sums[i], c.week[i] = slices.Clone(c.sums[i]), slices.Clone(c.week[i])
	}
	return c
}

// newLive sums the registers up to the start of the day of now. Days between
// the history and that day are computed up to a month; a longer gap is filled
// with the mean of the history's last week.
func newLive(ctx context.Context, d *District, now time.Time) (*live, error) {
	l := &live{d: d, anchor: curve.DateOf(now.UTC())}
	t, next := newTally(d), d.first
	if known := d.exported(); known != nil && l.anchor > d.last {
		t, next = known.clone(), d.last+1
	}
	until := l.anchor - 1
	if until > d.last+31 {
		until = d.last
	}
	for ; next <= until; next++ {
		days, err := d.day(ctx, next)
		if err != nil {
			return nil, err
		}
		t.add(d, next, days)
	}
	if gap := float64(l.anchor - 1 - until); gap > 0 {
		t.skip(d, gap)
	}
	for i, a := range d.areas {
		l.areas = append(l.areas, &areaLive{
			a: a, start: map[curve.Date][]registers{l.anchor: t.sums[i]}, days: make(map[curve.Date]*areaToday),
		})
	}
	return l, nil
}

// energy is the day's energy of point k, or of the transformer's meter where k
// is the number of points.
func (d *areaDay) energy(k int) registers {
	if k < len(d.points) {
		return registers{d.points[k].Metered.sum(), d.points[k].MeteredQ.sum()}
	}
	return registers{d.Metered.sum(), d.kvar.sum()}
}

// today returns the area's day with its registers.
func (l *live) today(i int, date curve.Date) *areaToday {
	a := l.areas[i]
	a.mu.Lock()
	defer a.mu.Unlock()
	if t := a.days[date]; t != nil {
		return t
	}
	// The registers of a day follow from the day before; days are asked for
	// in order, give or take one around midnight.
	for day := l.anchor; day < date; day++ {
		if a.start[day+1] != nil {
			continue
		}
		before := a.start[day]
		next := make([]registers, len(before))
		d := a.a.dayOf(l.d.seed, l.d.env(day))
		for k := range next {
			e := d.energy(k)
			next[k] = registers{before[k].kwh + e.kwh, before[k].kvarh + e.kvarh}
		}
		a.start[day+1] = next
	}
	e := l.d.env(date)
	t := &areaToday{areaDay: a.a.dayOf(l.d.seed, e), env: e, start: a.start[date]}
	if t.start == nil { // before the anchor: the clock was set back
		t.start = a.start[l.anchor]
	}
	t.cum = make([]cumulated, len(t.points)+1)
	for k, p := range t.points {
		t.cum[k].fill(&p.Metered, &p.MeteredQ)
	}
	t.cum[len(t.points)].fill(&t.Metered, &t.kvar)
	before := l.d.env(date - 1)
	if y := a.days[date-1]; y != nil {
		t.oil = topOil(a.a, y.areaDay, before, t.areaDay, e)
	} else {
		t.oil = topOil(a.a, a.a.dayOf(l.d.seed, before), before, t.areaDay, e)
	}
	a.days[date] = t
	for old := range a.days {
		if old < date-1 {
			delete(a.days, old)
		}
	}
	return t
}

// warm computes a day of some areas, so that nobody waits for it later.
func (l *live) warm(ctx context.Context, areas []int, date curve.Date) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, i := range areas {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			l.today(i, date)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("day %s: %w", date, err)
	}
	return nil
}

func (c *cumulated) fill(kw, kvar *dayKW) {
	for i := range kw {
		c.kwh[i+1] = c.kwh[i] + kw[i]*step
		c.kvarh[i+1] = c.kvarh[i] + kvar[i]*step
	}
}
