package curve

import (
	"fmt"
	"time"
)

// Date is a civil day, counted from 1970-01-01. It carries no zone: which
// instants it spans depends on the site's location.
type Date int32

// DateOf returns the civil day of t in t's own location.
func DateOf(t time.Time) Date {
	y, m, d := t.Date()
	return Date(time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Unix() / 86400)
}

// ParseDate reads "2006-01-02".
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a date; write it as YYYY-MM-DD", s)
	}
	return DateOf(t), nil
}

// Start returns the first instant of the day in loc: local midnight, or where
// the clocks skip midnight the moment of the change; where midnight comes
// twice, the first one.
func (d Date) Start(loc *time.Location) time.Time {
	midnight := time.Unix(int64(d)*86400, 0)
	if loc == time.UTC {
		return midnight.UTC()
	}
	at := midnight.Add(-16 * time.Hour).In(loc) // no offset is further from UTC
	for {
		_, offset := at.Zone()
		begin, end := at.ZoneBounds()
		if !begin.IsZero() && DateOf(begin.In(loc)) >= d {
			return begin.In(loc)
		}
		start := midnight.Add(-time.Duration(offset) * time.Second)
		if end.IsZero() || start.Before(end) {
			return start.In(loc)
		}
		at = end
	}
}

// Duration returns how long the day lasts in loc: 24 hours but for clock changes.
func (d Date) Duration(loc *time.Location) time.Duration {
	return (d + 1).Start(loc).Sub(d.Start(loc))
}

// Weekday returns the day of the week.
func (d Date) Weekday() time.Weekday { return time.Weekday(((int(d)+4)%7 + 7) % 7) }

// String returns the day as YYYY-MM-DD.
func (d Date) String() string { return time.Unix(int64(d)*86400, 0).UTC().Format(time.DateOnly) }

// MarshalText writes the day as YYYY-MM-DD, in JSON too.
func (d Date) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a day written as YYYY-MM-DD.
func (d *Date) UnmarshalText(text []byte) error {
	parsed, err := ParseDate(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}
