package curve

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// ruler is what the records say of a meter on a day.
type ruler struct {
	limits   func(t time.Time) Limits
	rollover float64 // where the register begins anew; 0 where not known
	location *time.Location
}

// built is a curve before validation, with what a person should know of it.
type built struct {
	day     Day
	counted float64  // energy that the register counted over the whole day; NaN where it does not say
	notes   []string // breaks of the register, in words
	carried float64  // energy that rounding has left over
}

// energyDecimals is the resolution of accumulated energies, 0.1 Wh: finer than
// registers and coarse enough to store well.
const energyDecimals = 4

// onTime is how much later than after an interval the next reading may come
// and still be on time: polls are not exact.
func onTime(interval time.Duration) int64 { return (interval + interval/100).Milliseconds() }

// build returns the curve of the working set: a function of it and of the
// records alone. Of an open day the interval in progress is left out.
func (d *workDay) build(meterID string, r *ruler, open bool) built {
	n := d.intervals()
	b := built{counted: math.NaN(), day: Day{MeterID: meterID, Date: d.date, Start: time.UnixMilli(d.start).UTC(), Interval: d.interval,
		Open: open, EnergyKWh: make([]float64, n), Quality: make([]meter.Quality, n)}}
	for i := range b.day.EnergyKWh {
		b.day.EnergyKWh[i] = math.NaN()
	}
	if len(d.register) > 0 {
		d.buildRegister(&b, r)
	} else {
		d.buildPower(&b, open)
	}
	for i := range d.means {
		m := &d.means[i]
		limit := n
		if open && len(m.samples) > 0 {
			limit = d.slotOf(m.samples[len(m.samples)-1].when())
		}
		column := d.column(m, n, limit)
		if column == nil {
			continue
		}
		if b.day.Other == nil {
			b.day.Other = make(map[meter.Quantity][]float32)
		}
		b.day.Other[kept[m.code].quantity] = column
	}
	d.inherit(&b)
	return b
}

// inherit fills in what only the open day of before knows.
func (d *workDay) inherit(b *built) {
	var base Day
	if len(d.base) == 0 || Decode(&base, b.day.MeterID, d.date, d.base) != nil || len(base.EnergyKWh) != len(b.day.EnergyKWh) {
		return
	}
	for i, kwh := range base.EnergyKWh {
		if b.day.EnergyKWh[i] == b.day.EnergyKWh[i] || kwh != kwh || b.day.Flags != nil && b.day.Flags[i] != 0 {
			continue
		}
		b.day.EnergyKWh[i], b.day.Quality[i] = kwh, base.Quality[i]
		if base.Flags != nil && base.Flags[i] != 0 {
			b.day.Flag(i, base.Flags[i])
		}
	}
	for q, column := range base.Other {
		own := b.day.Other[q]
		if own == nil {
			if b.day.Other == nil {
				b.day.Other = make(map[meter.Quantity][]float32)
			}
			b.day.Other[q] = column
			continue
		}
		for i, v := range column {
			if own[i] != own[i] {
				own[i] = v
			}
		}
	}
}

// part is what is known of one interval of a register so far.
type part struct {
	kwh       float64
	covered   int64 // milliseconds
	loose     int64 // longest span over which one of its boundaries was interpolated
	uncertain bool
	rolled    bool
	broken    bool
}

// buildRegister gives the intervals of the energy that the register counted.
// At a boundary between two readings the register is interpolated; an interval
// is good where both of its boundaries were read or lie between readings that
// are no further apart than an interval, estimated where those are up to two
// hours apart, and missing otherwise, and wherever the register was reset or
// exchanged.
func (d *workDay) buildRegister(b *built, r *ruler) {
	parts := make([]part, d.intervals())
	steps := stepper{d: d, r: r, b: b, parts: parts, fixed: r.limits(b.day.Start)}
	steps.varied = steps.fixed != r.limits(time.UnixMilli(d.end-1).UTC())
	previous, wild := d.before, d.wild
	for i := range d.register {
		s := &d.register[i]
		if previous.at != 0 {
			steps.take(previous, s.first, nil)
		}
		var odd *extremes
		if len(wild) > 0 && wild[0].slot == d.slotOf(s.first.at) {
			odd, wild = &wild[0], wild[1:]
		}
		if s.last.at > s.first.at {
			steps.take(s.first, s.last, odd)
		} else if odd != nil {
			steps.breakAt(s.first, s.last, "two values of the register are of the same moment")
		}
		previous = s.last
	}
	if d.after.at != 0 {
		steps.take(previous, d.after, nil)
	}
	total, whole := 0.0, true
	for i := range parts {
		p := &parts[i]
		from, to := d.bounds(i)
		complete := p.covered == to-from && p.loose <= longestGap.Milliseconds() && !p.broken
		whole = whole && complete
		total += p.kwh
		var flags meter.Flags
		if p.rolled {
			flags |= meter.Rollover
		}
		switch {
		case p.broken:
			b.day.Flag(i, meter.Implausible)
		case !complete:
		case p.loose > onTime(d.interval):
			b.set(i, p.kwh, meter.Uncertain, flags|meter.Estimated)
		case p.uncertain:
			b.set(i, p.kwh, meter.Uncertain, flags)
		default:
			b.set(i, p.kwh, meter.Good, flags)
		}
	}
	if whole {
		b.counted = total
	}
}

// set gives an interval its energy. What rounding takes from it the next one
// gets, so that a day has the energy that was counted.
func (b *built) set(i int, kwh float64, q meter.Quality, f meter.Flags) {
	rounded := round(kwh+b.carried, energyDecimals)
	if kwh >= 0 {
		rounded = max(0, rounded)
	}
	b.carried += kwh - rounded
	b.day.EnergyKWh[i], b.day.Quality[i] = rounded, q
	if f != 0 {
		b.day.Flag(i, f)
	}
}

// stepper goes from reading to reading of a register.
type stepper struct {
	d     *workDay
	r     *ruler
	b     *built
	parts []part

	fixed  Limits // at the start of the day
	varied bool   // the limits are others at its end
}

func (s *stepper) limits(at uint32) Limits {
	if !s.varied {
		return s.fixed
	}
	return s.r.limits(time.UnixMilli(s.d.ms(at)).UTC())
}

// take gives the intervals between two readings their shares. odd are the
// extremes of the readings in between, nil where these rose steadily.
func (s *stepper) take(p, q point, odd *extremes) {
	span := int64(q.at) - int64(p.at)
	before, after := s.limits(p.at), s.limits(q.at)
	most := max(before.rangeKW(), after.rangeKW())*float64(span)/float64(time.Hour.Milliseconds()) + jumpSlack
	delta, top := advance(p.v, q.v, s.r.rollover, after.Factor)
	switch {
	case before.Factor != after.Factor && before.Factor > 0 && after.Factor > 0:
		s.breakAt(p, q, fmt.Sprintf("the factor of the meter changed from %g to %g", before.Factor, after.Factor))
		return
	case delta < 0:
		s.breakAt(p, q, fmt.Sprintf("the register fell from %.10g to %.10g kWh: a reset or another meter", p.v, q.v))
		return
	case delta > most && top > 0:
		s.breakAt(p, q, fmt.Sprintf("the register went from %.10g over its maximum to %.10g kWh, more than the supply carries: another meter, or a wrong reading", p.v, q.v))
		return
	case delta > most:
		s.breakAt(p, q, fmt.Sprintf("the register rose from %.10g to %.10g kWh, more than the supply carries: another meter, or a wrong reading", p.v, q.v))
		return
	case odd != nil && !(top > 0 && odd.hi <= top && odd.lo >= 0):
		s.breakAt(p, q, fmt.Sprintf("the register went from %.10g to %.10g kWh by %.10g and %.10g: a reset, or wrong readings", p.v, q.v, odd.lo, odd.hi))
		return
	}
	s.each(p, q, func(part *part, from, to, begin, end int64) {
		part.kwh += delta * float64(to-from) / float64(span)
		part.covered += to - from
		part.rolled = part.rolled || top > 0
		s.boundary(part, p, q, begin)
		s.boundary(part, p, q, end)
	})
}

// boundary notes how the register is known at a boundary, where it lies in the step.
func (s *stepper) boundary(part *part, p, q point, at int64) {
	from, to := int64(p.at), int64(q.at)
	switch {
	case at < from || at > to:
	case at == from:
		part.uncertain = part.uncertain || p.u
	case at == to:
		part.uncertain = part.uncertain || q.u
	default:
		part.uncertain = part.uncertain || p.u || q.u
		part.loose = max(part.loose, to-from)
	}
}

// each calls fn with the intervals that a step touches, the time that it has
// in each, and the interval's own bounds.
func (s *stepper) each(p, q point, fn func(part *part, from, to, begin, end int64)) {
	from, to := int64(p.at), int64(q.at)
	for i := max(0, s.d.slotOf(p.at)); i < len(s.parts); i++ {
		begin, end := s.d.bounds(i)
		if begin > to || begin == to && from < to {
			return
		}
		if max(from, begin) <= min(to, end) {
			fn(&s.parts[i], max(from, begin), min(to, end), begin, end)
		}
	}
}

// breakAt makes the intervals of a step missing and says why.
func (s *stepper) breakAt(p, q point, why string) {
	touched := false
	s.each(p, q, func(part *part, _, _, _, _ int64) { part.broken, touched = true, true })
	if touched {
		s.b.notes = append(s.b.notes, s.clock(p.at)+" to "+s.clock(q.at)+" "+why)
	}
}

func (s *stepper) clock(at uint32) string {
	return time.UnixMilli(s.d.ms(at)).In(s.r.location).Format("15:04:05")
}

// mostNotes is how many breaks of a day are told.
const mostNotes = 3

// note says in words what happened to the register.
func (b *built) note() string {
	if more := len(b.notes) - mostNotes; more > 0 {
		return strings.Join(b.notes[:mostNotes], "; ") + fmt.Sprintf("; and %d more", more)
	}
	return strings.Join(b.notes, "; ")
}

// rolloverShare is how near to its maximum a register must be, and how near to
// zero it must come back, for a fall to be a rollover; any other fall is a
// reset or another meter.
const rolloverShare = 0.01

// rolloverMaxima are where registers of 4 to 9 digits and of 32 bits at 1 or
// 0.001 kWh a count begin anew, in kWh.
var rolloverMaxima = [...]float64{1e4, 1e5, 1e6, 1e7, 1e8, 1e9, math.MaxUint32 + 1, (math.MaxUint32 + 1) / 1000.0}

// jumpSlack is what a register may rise by at once beyond the supply's limit:
// its own resolution.
const jumpSlack = 1.0

// advance returns the energy between two readings of a register, and where it
// rolled over in between the value at which it did; the energy is below zero
// where it was reset or exchanged. known is where the register begins anew, 0
// where only the usual places are known, which are those of the meter's own
// counts and of these multiplied by its factor.
func advance(from, to, known, factor float64) (kwh, top float64) {
	if to >= from {
		return to - from, 0
	}
	near := func(top float64) bool {
		return from <= top && from >= (1-rolloverShare)*top && to >= 0 && to <= rolloverShare*top
	}
	if known > 0 {
		if near(known) {
			return known - from + to, known
		}
		return to - from, 0
	}
	for _, top := range rolloverMaxima {
		if near(top) {
			return top - from + to, top
		}
		if factor > 0 && factor != 1 && near(top*factor) {
			return top*factor - from + to, top * factor
		}
	}
	return to - from, 0
}
