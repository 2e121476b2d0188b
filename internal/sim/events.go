package sim

import (
	"slices"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// event is an entry in the log of a meter.
type event struct {
	at   time.Time
	code string
}

// Short forms of the end device events of IEC 61968-9, as meter_events.csv
// has them.
const (
	coverOpened   = "cover_opened"
	coverClosed   = "cover_closed"
	powerFailed   = "power_failed"
	powerRestored = "power_restored"
)

// events is what the meter of a point logged over the history, in order: every
// interruption of its supply; the cover, where somebody was at it; at one meter
// in two hundred a cover that a fitter opened; and behind the first transformer
// the covers that a crew opened, one after the other, to renew the seals.
func (d *District) events(p *point) (log []event) {
	at := func(date curve.Date, interval float64) time.Time {
		return date.Start(time.UTC).Add(time.Duration(interval * step * float64(time.Hour))).Truncate(time.Second)
	}
	for date := d.first; date <= d.last; date++ {
		for _, t := range p.interruptions(date) {
			log = append(log, event{at(date, float64(t.from)), powerFailed}, event{at(date, float64(t.to)), powerRestored})
		}
	}
	opened := func(day float64, minutes int) {
		begun := d.first.Start(time.UTC).Add(time.Duration(day * 24 * float64(time.Hour))).Truncate(time.Minute)
		log = append(log, event{begun, coverOpened}, event{begun.Add(time.Duration(minutes) * time.Minute), coverClosed})
	}
	if p.slow != nil {
		opened(p.slow.from, 22)
	} else if unit(p.seed, streamEvents) < 1./200 {
		day := unit(p.seed, streamEvents, 1) * float64(d.last-d.first)
		opened(float64(int(day))+uniformOf(8, 16, p.seed)/24, 15)
	}
	if p.recorded == 0 && p.slow == nil {
		opened(float64((d.last-d.first)/2)+uniformOf(8, 15, p.seed)/24, 6)
	}
	slices.SortStableFunc(log, func(a, b event) int { return a.at.Compare(b.at) })
	return log
}

// uniformOf is a number between two others that belongs to a seed.
func uniformOf(lo, hi float64, seed uint64) float64 {
	return lo + (hi-lo)*unit(seed, streamEvents, 2)
}

func (d *District) eventRows() (rows [][]string) {
	for _, p := range d.points {
		for _, e := range d.events(p) {
			rows = append(rows, []string{p.meterID, rfc(e.at), e.code})
		}
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return strings.Compare(a[1], b[1]) })
	return rows
}
