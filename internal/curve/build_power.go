package curve

import (
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Shares of an interval that integrated power must cover for its energy to be
// good, and to be given at all, scaled up.
const (
	goodCover  = 0.95
	leastCover = 0.5
)

// buildPower integrates power by the trapezoidal rule between readings that
// are no further apart than an interval.
func (d *workDay) buildPower(b *built, open bool) {
	n := d.intervals()
	type integral struct {
		kwh       float64
		covered   int64 // milliseconds
		uncertain bool
	}
	sums := make([]integral, n)
	step := func(p, q sample) {
		from, to := int64(p.when()), int64(q.when())
		if to <= from || to-from > onTime(d.interval) {
			return
		}
		power := func(at int64) float64 {
			return float64(p.v) + (float64(q.v)-float64(p.v))*float64(at-from)/float64(to-from)
		}
		for i := max(0, d.slotOf(p.when())); i < n; i++ {
			begin, end := d.bounds(i)
			if begin >= to {
				break
			}
			if a, z := max(from, begin), min(to, end); z > a {
				s := &sums[i]
				s.kwh += (power(a) + power(z)) / 2 * float64(z-a) / msPerHour
				s.covered += z - a
				s.uncertain = s.uncertain || p.uncertain() || q.uncertain()
			}
		}
	}
	previous := d.powerBefore
	for _, s := range d.power {
		if previous.at != 0 {
			step(previous, s)
		}
		previous = s
	}
	if d.powerAfter.at != 0 && previous.at != 0 {
		step(previous, d.powerAfter)
	}
	limit := n
	if open {
		limit = min(n, d.slotOf(max(previous.when(), d.powerAfter.when())))
	}
	for i := range max(0, limit) {
		s := &sums[i]
		begin, end := d.bounds(i)
		cover := float64(s.covered) / float64(end-begin)
		switch {
		case cover < leastCover:
		case cover < goodCover:
			b.set(i, s.kwh/cover, meter.Uncertain, meter.Estimated)
		case s.uncertain:
			b.set(i, s.kwh/cover, meter.Uncertain, 0)
		default:
			b.set(i, s.kwh/cover, meter.Good, 0)
		}
	}
}

const msPerHour = 3_600_000
