package ingest

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/textfile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// assembly puts the rows of long files together to meter-days. A first pass
// surveys them (survey): which interval each meter has, whether every row lies
// on it, and how many rows each meter-day has. The second pass fills days (add)
// and gives a day out with its last row. Memory is some ten bytes for each
// meter-day and those that have begun and not ended.
type assembly struct {
	maker
	location *time.Location
	inferred []uint8 // by meter: code of the interval that all its rows lie on; 0 not seen
	days     map[dayKey]*longDay
	last     *longDay
	lastKey  dayKey
	grid     *layouts // bounds of days; the interval does not matter
	byStep   map[time.Duration]*layouts
	slab     slab
	pool     []longDay // handed out one by one
}

type dayKey struct {
	meter int32
	date  curve.Date
}

// longDay is one meter-day of the files.
type longDay struct {
	rows     uint32 // that are still to come in the second pass
	explicit uint8  // code of the interval given, 0 none
	begun    *building
}

// building is a day that is not complete.
type building struct {
	day    curve.Day
	layout *layout
	have   []bool
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

func newAssembly(location *time.Location, m maker) *assembly {
	return &assembly{maker: m, location: location, days: map[dayKey]*longDay{}, grid: newLayouts(location, time.Hour, 0),
		byStep: map[time.Duration]*layouts{}, slab: slab{keeps: true}}
}

// of returns what is known of a meter-day, nil where nothing is.
func (a *assembly) of(key dayKey) *longDay {
	if a.last == nil || a.lastKey != key {
		a.last, a.lastKey = a.days[key], key
	}
	return a.last
}

func (a *assembly) make(key dayKey) *longDay {
	if len(a.pool) == 0 {
		a.pool = make([]longDay, 1024)
	}
	d := &a.pool[0]
	a.pool = a.pool[1:]
	a.days[key] = d
	a.last, a.lastKey = d, key
	return d
}

// survey looks at the rows of one batch.
func (a *assembly) survey(file string, rows []longRow, problems *textfile.Problems) {
	for i := range rows {
		r := &rows[i]
		day := a.grid.at(r.start)
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
		key := dayKey{r.meter, day.date}
		d := a.of(key)
		if d == nil {
			d = a.make(key)
		}
		d.rows++
		if int(r.meter) >= len(a.inferred) {
			a.inferred = append(a.inferred, make([]uint8, int(r.meter)+1-len(a.inferred))...)
		}
		if r.interval == 0 {
			if known := &a.inferred[r.meter]; *known == 0 || *known > code {
				*known = code
			}
			continue
		}
		given := codeOf(int64(r.interval))
		if d.explicit != 0 && d.explicit != given {
			problems.Add(file, int(r.line), fmt.Sprintf("interval_s %d differs from the %v of the same day of meter %s", r.interval,
				intervalOfCode[d.explicit], textfile.Quote(a.at(r.meter).id)), "a meter has one interval a day")
			continue
		}
		d.explicit = given
	}
}

func (a *assembly) intervalOf(meter int32, d *longDay) time.Duration {
	switch {
	case d.explicit != 0:
		return intervalOfCode[d.explicit]
	case int(meter) < len(a.inferred) && a.inferred[meter] != 0:
		return intervalOfCode[a.inferred[meter]]
	}
	return time.Hour
}

// add fills the rows of one batch in and adds the days that became complete to b.
func (a *assembly) add(b *batch, rows []longRow, in *input, done *seen, report *Report) {
	a.origin = originOf(in.path)
	for i := range rows {
		r := &rows[i]
		key := dayKey{r.meter, a.grid.at(r.start).date}
		d := a.of(key)
		if d == nil {
			d = a.make(key) // the file has grown since it was surveyed
		}
		d.rows -= min(d.rows, 1)
		if d.begun == nil && done.has(r.meter, key.date) {
			report.Rules[curve.RuleDuplicate]++
			continue
		}
		if d.begun == nil {
			d.begun = a.begin(key, a.intervalOf(r.meter, d))
		}
		slot := int((r.start - d.begun.layout.start.Unix()) / int64(d.begun.day.Interval/time.Second))
		if slot >= len(d.begun.have) || d.begun.have[slot] {
			report.Rules[curve.RuleDuplicate]++
		} else {
			d.begun.fill(slot, r, in.long.extras)
		}
		if d.rows == 0 {
			a.end(b, key.meter, d)
		}
	}
}

func (a *assembly) begin(key dayKey, interval time.Duration) *building {
	l := a.byStep[interval]
	if l == nil {
		l = newLayouts(a.location, interval, 0)
		a.byStep[interval] = l
	}
	d := &building{layout: l.of(key.date)}
	d.day = a.slab.day(a.at(key.meter).id, d.layout, interval)
	d.day.Origin = a.origin
	d.have = make([]bool, d.layout.intervals)
	fill(d.day.EnergyKWh, math.NaN())
	fill(d.day.Quality, meter.Bad)
	return d
}

func (a *assembly) end(b *batch, meter int32, d *longDay) {
	done := d.begun
	d.begun = nil
	a.finish(b, &done.day, meter, &done.counts)
}

func (d *building) fill(slot int, r *longRow, extras []int) {
	d.have[slot] = true
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
		fill(column, float32(math.NaN()))
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

// rest adds the days to b whose rows did not all come again, because their
// file was cut since it was surveyed, by meter and date.
func (a *assembly) rest(b *batch) {
	var keys []dayKey
	for key, d := range a.days {
		if d.begun != nil {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(x, y dayKey) int { return cmp.Or(cmp.Compare(x.meter, y.meter), cmp.Compare(x.date, y.date)) })
	for _, key := range keys {
		a.end(b, key.meter, a.days[key])
	}
}
