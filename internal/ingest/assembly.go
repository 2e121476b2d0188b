package ingest

import (
	"fmt"
	"math"
	"sort"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/textfile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// assembly puts the rows of long files together to meter-days. A first pass
// surveys them (survey): which interval each meter has, and whether
// every row lies on it. The second pass fills days (add) and gives a day out
// as soon as its last interval is there; rest gives out the incomplete ones.
// Memory is a byte for each meter-day and the days that are not complete.
type assembly struct {
	location *time.Location
	meters   map[string]*longMeter
	days     *layouts // bounds of days; the interval does not matter
	byStep   map[time.Duration]*layouts
	open     map[dayKey]*building
	slab     slab
}

type dayKey struct {
	meter string
	date  curve.Date
}

// longMeter is what the survey learns of a meter.
type longMeter struct {
	inferred uint8 // code of the interval that all rows lie on
	base     curve.Date
	explicit []uint8 // by day from base: code of the interval given, 0 none
}

// building is a day that is not complete.
type building struct {
	day    curve.Day
	layout *layout
	have   []bool
	count  int
	counts curve.Counts
}

// Codes of intervals, shortest first.
var intervalOfCode = [...]time.Duration{0, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}

func codeOf(seconds int64) uint8 {
	for code := len(intervalOfCode) - 1; code > 0; code-- {
		if int64(intervalOfCode[code]/time.Second) == seconds {
			return uint8(code)
		}
	}
	return 0
}

// codeDividing returns the longest interval on whose grid the offset lies.
func codeDividing(offset int64) uint8 {
	for code := len(intervalOfCode) - 1; code > 0; code-- {
		if offset%int64(intervalOfCode[code]/time.Second) == 0 {
			return uint8(code)
		}
	}
	return 0
}

func newAssembly(location *time.Location) *assembly {
	return &assembly{location: location, meters: map[string]*longMeter{}, open: map[dayKey]*building{},
		days: newLayouts(location, time.Hour, 0), byStep: map[time.Duration]*layouts{}}
}

// survey looks at the rows of one batch.
func (a *assembly) survey(file string, rows []longRow, problems *textfile.Problems) {
	for i := range rows {
		r := &rows[i]
		day := a.days.at(r.start)
		offset := r.start - day.start.Unix()
		code := codeDividing(offset)
		if r.interval != 0 && offset%int64(r.interval) != 0 || code == 0 {
			step := "5 minutes"
			if r.interval != 0 {
				step = fmt.Sprintf("%d s", r.interval)
			}
			problems.Add(file, int(r.line), fmt.Sprintf("start %s is not on a step of %s from local midnight", time.Unix(r.start, 0).In(a.location).Format(time.RFC3339), step),
				"give the start of each interval, and the site's time zone")
			continue
		}
		m := a.meters[r.meter]
		if m == nil {
			m = &longMeter{base: day.date, inferred: uint8(len(intervalOfCode) - 1)}
			a.meters[r.meter] = m
		}
		if r.interval == 0 {
			m.inferred = min(m.inferred, code)
			continue
		}
		given := codeOf(int64(r.interval))
		slot := m.explicitOn(day.date)
		if *slot != 0 && *slot != given {
			problems.Add(file, int(r.line), fmt.Sprintf("interval_s %d differs from the %v of the same day of meter %s", r.interval,
				intervalOfCode[*slot], textfile.Quote(r.meter)), "a meter has one interval a day")
			continue
		}
		*slot = given
	}
}

func (m *longMeter) explicitOn(date curve.Date) *uint8 {
	if len(m.explicit) == 0 {
		m.base = date
	}
	if date < m.base {
		m.explicit = append(make([]uint8, m.base-date), m.explicit...)
		m.base = date
	}
	if at := int(date - m.base); at >= len(m.explicit) {
		m.explicit = append(m.explicit, make([]uint8, at+1-len(m.explicit))...)
	}
	return &m.explicit[date-m.base]
}

func (a *assembly) intervalOf(r *longRow, date curve.Date) time.Duration {
	m := a.meters[r.meter]
	if at := int(date - m.base); at >= 0 && at < len(m.explicit) && m.explicit[at] != 0 {
		return intervalOfCode[m.explicit[at]]
	}
	return intervalOfCode[m.inferred]
}

// add fills the rows of one batch in and returns the days that became complete.
func (a *assembly) add(rows []longRow, extras []int, done *seen, m *maker, report *Report) *batch {
	b := &batch{}
	for i := range rows {
		r := &rows[i]
		date := a.days.at(r.start).date
		key := dayKey{r.meter, date}
		d := a.open[key]
		if d == nil {
			if done.has(r.meter, date) {
				report.Rules[curve.RuleDuplicate]++
				continue
			}
			d = a.start(r, date)
			a.open[key] = d
		}
		slot := int((r.start - d.layout.start.Unix()) / int64(d.day.Interval/time.Second))
		if slot >= len(d.have) || d.have[slot] {
			report.Rules[curve.RuleDuplicate]++
			continue
		}
		d.fill(slot, r, extras)
		if d.count == len(d.have) {
			delete(a.open, key)
			m.finish(b, d.day, d.counts)
		}
	}
	return b
}

func (a *assembly) start(r *longRow, date curve.Date) *building {
	interval := a.intervalOf(r, date)
	l := a.byStep[interval]
	if l == nil {
		l = newLayouts(a.location, interval, 0)
		a.byStep[interval] = l
	}
	d := &building{layout: l.of(date)}
	d.day = a.slab.day(r.meter, d.layout, interval)
	d.have = make([]bool, d.layout.intervals)
	for i := range d.day.Quality {
		d.day.Quality[i] = meter.Bad
	}
	return d
}

func (d *building) fill(slot int, r *longRow, extras []int) {
	d.have[slot] = true
	d.count++
	d.day.EnergyKWh[slot] = r.kwh
	if r.kwh == r.kwh {
		d.day.Quality[slot] = r.quality
		if r.flags != 0 {
			d.day.Flag(slot, r.flags)
		}
	}
	if r.reported {
		d.counts[curve.RuleReportedBad]++
	}
	for i, v := range r.other {
		if v != v {
			continue
		}
		d.setOther(slot, extras[i], v)
	}
}

func (d *building) setOther(slot, place int, v float32) {
	if !plausible(place, v) {
		d.counts[curve.RuleRange]++
		return
	}
	if place == extraKvarh {
		v /= float32(d.day.Interval.Hours())
	}
	q := extra[place].quantity
	column := d.day.Other[q]
	if column == nil {
		column = make([]float32, len(d.day.EnergyKWh))
		for i := range column {
			column[i] = float32(math.NaN())
		}
		if d.day.Other == nil {
			d.day.Other = make(map[meter.Quantity][]float32)
		}
		d.day.Other[q] = column
	}
	column[slot] = v
}

// plausible reports whether a measured quantity can be true.
func plausible(place int, v float32) bool {
	switch extra[place].quantity {
	case meter.PowerFactor:
		return v >= -1 && v <= 1
	case meter.THDCurrent:
		return v >= 0 && v <= 1000
	case meter.VoltageA, meter.VoltageB, meter.VoltageC:
		return v >= 0 && v <= 1e6
	case meter.CurrentA, meter.CurrentB, meter.CurrentC, meter.CurrentN:
		return v >= 0 && v <= 1e5
	}
	return true
}

// rest returns the days that never became complete, by meter and date.
func (a *assembly) rest(m *maker) *batch {
	keys := make([]dayKey, 0, len(a.open))
	for key := range a.open {
		keys = append(keys, key)
	}
	sort.Slice(keys, func(i, j int) bool {
		if keys[i].meter != keys[j].meter {
			return keys[i].meter < keys[j].meter
		}
		return keys[i].date < keys[j].date
	})
	b := &batch{}
	for _, key := range keys {
		d := a.open[key]
		delete(a.open, key)
		m.finish(b, d.day, d.counts)
	}
	return b
}
