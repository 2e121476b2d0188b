package curve

import (
	"cmp"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// A working set is what is kept of a meter's readings on one local day, so
// that its curve is a pure function of it: readings may come in any order, and
// again, and the curve is the same. What it keeps is bounded whatever the pace
// of the readings:
//
//   - of the register, in each interval, the first and the last reading, and
//     the least and the greatest value where those lie between: enough to
//     interpolate the boundaries and to see that the register fell;
//   - of power, the first reading in each fifteenth of an interval, while the
//     day has no reading of a register;
//   - of the other quantities, the first reading in each third of an interval;
//   - the neighbouring readings of the days before and after.
//
// A whole day of a register at quarters of an hour takes 3 KB in memory and
// about 1 KB stored, each further quantity at most 2.3 KB and 0.5 KB.
type workDay struct {
	date       Date
	start, end int64 // milliseconds of the epoch
	interval   time.Duration

	register      []slot // of intervals that have readings, in order
	wild          []extremes
	before, after point // nearest ones of the neighbouring days; none where at is 0

	power                   samples
	powerBefore, powerAfter sample

	means []means // by code

	// base is the stored form of an open day whose working set was lost, or
	// that an earlier version made: what the readings do not give is as it was.
	base []byte

	// lateFrom and lateTo are the event times of the readings that came after
	// the day was over, 0 where none did.
	lateFrom, lateTo int64

	closed  bool // stored closed before
	skipped bool // the store holds a curve that is not of this working set
	seen    bool // the store was asked whether it holds a closed one
	foreign bool // it did, of a day that is not over: that of an import

	touched          bool      // differs from its stored state
	dirty            bool      // its curve has to be built anew
	overFrom, overTo time.Time // when the first and the last reading came, of those that came once the day was over
}

// edge is how far from a day its neighbouring readings may lie: no register is
// interpolated further.
const edge = longestGap

// margin is where the times of a working set start, before the day.
const margin = int64(3 * time.Hour / time.Millisecond)

// point is a reading of a register.
type point struct {
	v  float64
	at uint32 // milliseconds since the margin before the day
	u  bool   // uncertain
}

// over reports whether p stands for both where p and q are of the same moment:
// any rule does, as long as it does not depend on which came first.
func (p point) over(q point) bool {
	if p.u != q.u {
		return q.u
	}
	return p.v < q.v
}

func (p point) sooner(q point) bool { return p.at < q.at || p.at == q.at && p.over(q) }
func (p point) later(q point) bool  { return p.at > q.at || p.at == q.at && p.over(q) }

// slot is what one interval holds of a register.
type slot struct{ first, last point }

// extremes are the least and the greatest value of a slot where they are not
// those of its first and last reading.
type extremes struct {
	slot   int
	lo, hi float64
}

func newWorkDay(date Date, start, end time.Time, interval time.Duration) *workDay {
	return &workDay{date: date, start: start.UnixMilli(), end: end.UnixMilli(), interval: interval}
}

func (d *workDay) at(ms int64) uint32   { return uint32(ms - d.start + margin) } //nolint:gosec // within the day and its edges
func (d *workDay) ms(at uint32) int64   { return int64(at) - margin + d.start }
func (d *workDay) width() int64         { return d.interval.Milliseconds() }
func (d *workDay) intervals() int       { return int((d.end - d.start + d.width() - 1) / d.width()) }
func (d *workDay) slotOf(at uint32) int { return int((int64(at) - margin) / d.width()) }
func (d *workDay) holds(ms int64) bool  { return ms >= d.start && ms < d.end }
func (d *workDay) bounds(i int) (a, b int64) {
	a = margin + int64(i)*d.width()
	return a, min(a+d.width(), margin+d.end-d.start)
}

// addRegister takes a reading of the register that lies within the day.
// earliest and latest say whether it is now that of the day.
func (d *workDay) addRegister(p point) (changed, earliest, latest bool) {
	i := d.slotOf(p.at)
	at := len(d.register)
	for at > 0 && d.slotOf(d.register[at-1].first.at) >= i { // nearly always the last one
		if at -= 1; d.slotOf(d.register[at].first.at) == i {
			return d.mergeRegister(at, i, p)
		}
	}
	d.register = insertAt(d.register, at, slot{p, p})
	if len(d.register) == 1 {
		d.power.thin()
	}
	d.dirty = true
	return true, at == 0, at == len(d.register)-1
}

func (d *workDay) mergeRegister(at, i int, p point) (changed, earliest, latest bool) {
	s := &d.register[at]
	lo, hi := s.first.v, s.last.v
	k, wild := slices.BinarySearchFunc(d.wild, i, func(e extremes, i int) int { return cmp.Compare(e.slot, i) })
	if wild {
		lo, hi = d.wild[k].lo, d.wild[k].hi
	} else {
		lo, hi = min(lo, hi), max(lo, hi)
	}
	old := *s
	oldLo, oldHi := lo, hi
	if p.sooner(s.first) {
		s.first, earliest = p, at == 0
	}
	if p.later(s.last) {
		s.last, latest = p, at == len(d.register)-1
	}
	lo, hi = min(lo, p.v), max(hi, p.v)
	switch {
	case lo == s.first.v && hi == s.last.v:
		if wild {
			d.wild = slices.Delete(d.wild, k, k+1)
		}
	case wild:
		d.wild[k] = extremes{i, lo, hi}
	default:
		d.wild = slices.Insert(d.wild, k, extremes{i, lo, hi})
	}
	changed = *s != old || lo != oldLo || hi != oldHi
	// The intervals before are those of earlier readings but for the moment
	// at which the last one began.
	if changed && (s.first != old.first || at < len(d.register)-1) {
		d.dirty = true
	}
	return changed, earliest, latest
}

// setBefore, setAfter and their likes say which reading of a neighbouring day
// is nearest; the zero one where none is near enough.
func (d *workDay) setBefore(p point) { assign(d, &d.before, p) }
func (d *workDay) setAfter(p point)  { assign(d, &d.after, p) }

func (d *workDay) setPowerBefore(s sample) { assign(d, &d.powerBefore, s) }
func (d *workDay) setPowerAfter(s sample)  { assign(d, &d.powerAfter, s) }

func assign[T comparable](d *workDay, to *T, v T) {
	if *to != v {
		*to, d.touched, d.dirty = v, true, true
	}
}

// follow takes in where the day's neighbours end and begin; either may be nil.
func (d *workDay) follow(previous, next *workDay) {
	if previous != nil {
		var p point
		if n := len(previous.register); n > 0 {
			p = d.near(previous, previous.register[n-1].last)
		}
		d.setBefore(p)
		var s sample
		if n := len(previous.power); n > 0 {
			s = d.nearPower(previous, previous.power[n-1])
		}
		d.setPowerBefore(s)
	}
	if next != nil {
		var p point
		if len(next.register) > 0 {
			p = d.near(next, next.register[0].first)
		}
		d.setAfter(p)
		var s sample
		if len(next.power) > 0 {
			s = d.nearPower(next, next.power[0])
		}
		d.setPowerAfter(s)
	}
}

// near returns a reading of another day with its time in this one's terms, the
// zero one where it is too far away.
func (d *workDay) near(other *workDay, p point) point {
	ms := other.ms(p.at)
	if ms < d.start-edge.Milliseconds() || ms > d.end+edge.Milliseconds() {
		return point{}
	}
	p.at = d.at(ms)
	return p
}

func (d *workDay) nearPower(other *workDay, s sample) sample {
	p := d.near(other, point{at: s.when()})
	if p.at == 0 {
		return sample{}
	}
	return sample{p.at | s.at&uncertainBit, s.v}
}

// addPower takes a reading of power that lies within the day.
func (d *workDay) addPower(s sample) (changed, earliest, latest bool) {
	changed, at, grown := d.power.add(s, uint32(d.width()/powerCells))
	if !changed {
		return false, false, false
	}
	earliest, latest = at == 0, at == len(d.power)-1
	if len(d.register) > 0 {
		d.power.thin() // the register counts; only the neighbouring days may want these
		return earliest || latest, earliest, latest
	}
	if grown || !latest {
		d.dirty = true
	}
	return true, earliest, latest
}

// addMean takes a reading of a quantity whose means are kept.
func (d *workDay) addMean(code int, s sample) (changed bool) {
	k, found := slices.BinarySearchFunc(d.means, code, func(m means, code int) int { return cmp.Compare(m.code, code) })
	if !found {
		d.means = slices.Insert(d.means, k, means{code: code})
	}
	m := &d.means[k]
	last := -1
	if n := len(m.samples); n > 0 {
		last = d.slotOf(m.samples[n-1].when())
	}
	changed, _, _ = m.samples.add(s, uint32(d.width()/meanCells))
	if changed && d.slotOf(s.when()) != last {
		d.dirty = true
	}
	return changed
}

// late notes that a reading of this moment came after the day was over.
func (d *workDay) late(ms int64) {
	if d.lateFrom == 0 || ms < d.lateFrom {
		d.lateFrom = ms
	}
	d.lateTo = max(d.lateTo, ms)
}

// kept are the quantities of which means are kept, with the decimals kept. Its
// order is that of their codes in stored states: append only.
var kept = [...]struct {
	quantity meter.Quantity
	decimals int
}{
	{meter.VoltageA, 1}, {meter.VoltageB, 1}, {meter.VoltageC, 1}, {meter.THDCurrent, 1},
	{meter.CurrentA, 2}, {meter.CurrentB, 2}, {meter.CurrentC, 2}, {meter.CurrentN, 2},
	{meter.PowerFactor, 3}, {meter.ReactivePower, 3},
}

// codeOf returns the code of a quantity, -1 where no means of it are kept.
func codeOf(q meter.Quantity) int {
	for code := range kept {
		if kept[code].quantity == q {
			return code
		}
	}
	return -1
}
