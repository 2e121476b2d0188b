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
	startUTC  time.Time
	end       time.Time
	intervals int
	slot      []int16 // interval of each column, -1 where the day has none
	even      bool    // the first columns are the intervals, in order, and all others have none
}

// layouts caches the layouts of one file by date; it is not safe for
// concurrent use.
type layouts struct {
	location *time.Location
	interval time.Duration
	columns  int
	cache    map[curve.Date]*layout
	last     *layout
	recent   [recentLayouts]*layout // by date, as far as there is place
}

// recentLayouts is how many days are found without looking into the map.
const recentLayouts = 128

func newLayouts(location *time.Location, interval time.Duration, columns int) *layouts {
	return &layouts{location: location, interval: interval, columns: columns, cache: make(map[curve.Date]*layout)}
}

// of returns the layout of date.
func (l *layouts) of(date curve.Date) *layout {
	if l.last != nil && l.last.date == date {
		return l.last
	}
	place := &l.recent[uint32(date)%recentLayouts]
	if *place == nil || (*place).date != date {
		day, ok := l.cache[date]
		if !ok {
			day = newLayout(date, l.location, l.interval, l.columns)
			l.cache[date] = day
		}
		*place = day
	}
	l.last = *place
	return l.last
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
	d.startUTC = d.start.UTC()
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
	d.even = d.intervals <= columns
	for i, slot := range d.slot {
		d.even = d.even && (int(slot) == i || i >= d.intervals && slot < 0)
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
	if date, ok := quickDate(field); ok {
		copy(d.text[:], field)
		d.date, d.ok = date, true
		return date, nil
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

// quickDate reads YYYY-MM-DD of the years that can be; every month up to its
// 28th day, which all have.
func quickDate(field []byte) (curve.Date, bool) {
	if len(field) != 10 || field[4] != '-' || field[7] != '-' {
		return 0, false
	}
	century, ok1 := twoDigits(field, 99)
	year, ok2 := twoDigits(field[2:], 99)
	month, ok3 := twoDigits(field[5:], 12)
	day, ok4 := twoDigits(field[8:], 28)
	year += 100 * century
	if !ok1 || !ok2 || !ok3 || !ok4 || month < 1 || day < 1 || year < firstYear || year > lastYear {
		return 0, false
	}
	// Years that begin with March end with the day that leap years add.
	if month <= 2 {
		year--
		month += 12
	}
	days := 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 + day - 1
	return curve.Date(days - daysBefore1970), true
}

// daysBefore1970 counts from 1 March of the year 0.
const daysBefore1970 = 719468

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
