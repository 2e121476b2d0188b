package ingest

import (
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

// layout says how the columns of a wide row map to the intervals of one day.
// Intervals are counted by elapsed time from local midnight, columns by the
// clock on the wall: a skipped hour's columns have no interval, and a repeated
// hour's second pass stands behind the regular columns.
type layout struct {
	date      curve.Date
	start     time.Time
	end       time.Time
	intervals int
	slot      []int16 // interval of each column, -1 where the day has none
}

// layouts caches the layouts of one file by date; it is not safe for
// concurrent use.
type layouts struct {
	location *time.Location
	interval time.Duration
	columns  int
	cache    map[curve.Date]*layout
	last     *layout
}

func newLayouts(location *time.Location, interval time.Duration, columns int) *layouts {
	return &layouts{location: location, interval: interval, columns: columns, cache: make(map[curve.Date]*layout)}
}

// of returns the layout of date.
func (l *layouts) of(date curve.Date) *layout {
	if l.last != nil && l.last.date == date {
		return l.last
	}
	day, ok := l.cache[date]
	if !ok {
		day = newLayout(date, l.location, l.interval, l.columns)
		l.cache[date] = day
	}
	l.last = day
	return day
}

// at returns the layout of the day that holds the instant.
func (l *layouts) at(unix int64) *layout {
	if l.last != nil && unix >= l.last.start.Unix() && unix < l.last.end.Unix() {
		return l.last
	}
	return l.of(curve.DateOf(time.Unix(unix, 0).In(l.location)))
}

func newLayout(date curve.Date, location *time.Location, interval time.Duration, columns int) *layout {
	d := &layout{date: date, start: date.Start(location), end: (date + 1).Start(location), slot: make([]int16, columns)}
	d.intervals = int((d.end.Sub(d.start) + interval - 1) / interval)
	for i := range d.slot {
		d.slot[i] = -1
	}
	regular := int(24 * time.Hour / interval)
	repeated := regular
	for i := range d.intervals {
		at := d.start.Add(time.Duration(i) * interval)
		h, m, s := at.Clock()
		column := int((time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second) / interval)
		if column < columns && d.slot[column] < 0 {
			d.slot[column] = int16(i)
			continue
		}
		if repeated < columns {
			d.slot[repeated] = int16(i)
		}
		repeated++
	}
	return d
}

// Years outside these are typing errors.
const (
	firstYear = 1970
	lastYear  = 2200
)

// dates parses dates, remembering the last one; it is not safe for concurrent use.
type dates struct {
	text [10]byte
	date curve.Date
	ok   bool
}

// parse reads YYYY-MM-DD.
func (d *dates) parse(field []byte) (curve.Date, error) {
	if d.ok && len(field) == 10 && string(field) == string(d.text[:]) {
		return d.date, nil
	}
	date, err := curve.ParseDate(string(field))
	if err != nil {
		return 0, fmt.Errorf("date %s is not a date; write it as YYYY-MM-DD", textfile.Quote(string(field)))
	}
	if y := date.Start(time.UTC).Year(); y < firstYear || y > lastYear {
		return 0, fmt.Errorf("date %s cannot be; it lies between the years %d and %d", date, firstYear, lastYear)
	}
	copy(d.text[:], field)
	d.date, d.ok = date, true
	return date, nil
}

// intervalFor returns the interval of a wide file with this many columns.
func intervalFor(columns int) (time.Duration, bool) {
	switch columns {
	case 24, 25:
		return time.Hour, true
	case 48, 50:
		return 30 * time.Minute, true
	case 96, 100:
		return 15 * time.Minute, true
	case 288, 300:
		return 5 * time.Minute, true
	}
	return 0, false
}
