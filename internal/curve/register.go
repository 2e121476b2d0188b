package curve

import (
	"context"
	"math"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// rolloverShare is how near to its maximum a register must be, and how near to
// zero it must come back, for a fall to be a rollover; any other fall is a
// reset or another meter.
const rolloverShare = 0.01

// rolloverMaxima are where registers of 4 to 9 digits and of 32 bits at 1 or
// 0.001 kWh a count begin anew, in kWh.
var rolloverMaxima = [...]float64{1e4, 1e5, 1e6, 1e7, 1e8, 1e9, math.MaxUint32 + 1, (math.MaxUint32 + 1) / 1000.0}

// advance returns the energy between two register readings; ok is false where
// the register was reset or exchanged, or rose by more than the supply can
// carry.
func advance(from, to, most float64) (kwh float64, rolled, ok bool) {
	kwh = to - from
	if kwh < 0 {
		for _, top := range rolloverMaxima {
			if from <= top && from >= (1-rolloverShare)*top && to <= rolloverShare*top && top-from+to <= most {
				return top - from + to, true, true
			}
		}
		return 0, false, false
	}
	return kwh, false, kwh <= most
}

// jumpSlack is what a register may rise by at once beyond the supply's limit:
// its own resolution.
const jumpSlack = 1.0

// takeRegister advances the register's intervals. At each boundary between
// the last reading and this one the register is interpolated; an interval is
// good where both of its boundaries were read or lie between readings that
// are no further apart than an interval, estimated where they are up to two
// hours apart, and missing otherwise.
func (t *tracker) takeRegister(ctx context.Context, a *Accumulator, now point) (bool, error) {
	last := t.Register
	if last != nil && !now.T.After(last.T) {
		return false, nil
	}
	t.Register = &now
	day, err := a.dayOf(ctx, t, now.T)
	if err != nil {
		return false, err
	}
	if last == nil {
		t.begin(day, now)
		return true, nil
	}
	span := now.T.Sub(last.T)
	most := a.limits(t.id, now.T).rangeKW()*span.Hours() + jumpSlack
	delta, rolled, ok := advance(last.V, now.V, most)
	if !ok || span > a.cfg.MaxLate {
		a.cfg.Logger.Info("a register was reset or its meter exchanged; the interval is missing", "meter", t.id)
		t.begin(day, now)
		return true, nil
	}
	before, err := a.dayOf(ctx, t, last.T)
	if err != nil {
		return false, err
	}
	value := func(at time.Time) float64 { // counted on from last.V, without the rollover
		return last.V + delta*float64(at.Sub(last.T))/float64(span)
	}
	crossed := false
	start := before.slotStart(last.T)
	for end := before.next(start); !end.After(now.T); end = before.next(start) {
		b := &boundary{T: end, V: value(end), U: last.U || now.U}
		if end.Before(now.T) {
			b.Loose = span
		}
		t.endInterval(before, start, b, rolled)
		t.Boundary = b
		if end.Equal(before.end) {
			before.closed = b
		}
		start, crossed = end, true
		if before, err = a.dayOf(ctx, t, start); err != nil {
			return false, err
		}
		if start.Equal(before.start) {
			before.opened = b
		}
	}
	if rolled {
		for _, d := range t.days {
			d.opened = nil
		}
	}
	if rolled && t.Boundary != nil {
		t.Boundary.V += now.V - (last.V + delta) // from here on the register counts from zero
		t.Boundary.Roll = !crossed
	}
	return true, nil
}

// begin starts afresh at a reading.
func (t *tracker) begin(day *runningDay, now point) {
	t.Boundary = nil
	for _, d := range t.days {
		d.opened = nil // the register of the day's start is another one
	}
	if day.slotStart(now.T).Equal(now.T) {
		t.Boundary = &boundary{T: now.T, V: now.V, U: now.U}
	}
}

func (t *tracker) endInterval(d *runningDay, start time.Time, end *boundary, rolled bool) {
	from := t.Boundary
	if from == nil || !from.T.Equal(start) {
		return
	}
	kwh := end.V - from.V
	loose := max(from.Loose, end.Loose)
	var flags meter.Flags
	if rolled || from.Roll {
		flags = meter.Rollover
	}
	switch {
	case loose > longestGap:
		return
	case loose > d.day.Interval:
		d.set(start, kwh, meter.Uncertain, flags|meter.Estimated)
	case from.U || end.U:
		d.set(start, kwh, meter.Uncertain, flags)
	default:
		d.set(start, kwh, meter.Good, flags)
	}
}

// Shares of an interval that integrated power must cover for its energy to be
// good, and to be given at all, scaled up.
const (
	goodCover  = 0.95
	leastCover = 0.5
)

// takePower integrates power by the trapezoidal rule between readings that
// are no further apart than an interval. Its energies count only where the
// meter has no register.
func (t *tracker) takePower(ctx context.Context, a *Accumulator, now point) (bool, error) {
	last := t.Power
	if last != nil && !now.T.After(last.T) {
		return false, nil
	}
	t.Power = &now
	day, err := a.dayOf(ctx, t, now.T)
	if err != nil {
		return false, err
	}
	if last == nil {
		t.Integral = integral{Slot: day.slotStart(now.T)}
		return true, nil
	}
	span := now.T.Sub(last.T)
	bridged := span <= a.cfg.Interval
	power := func(at time.Time) float64 {
		return last.V + (now.V-last.V)*float64(at.Sub(last.T))/float64(span)
	}
	current, err := a.dayOf(ctx, t, t.Integral.Slot)
	if err != nil {
		return false, err
	}
	for at := last.T; ; {
		end := current.next(t.Integral.Slot)
		until := end
		if now.T.Before(until) {
			until = now.T
		}
		if bridged && until.After(at) {
			t.Integral.KWh += (power(at) + power(until)) / 2 * until.Sub(at).Hours()
			t.Integral.Covered += until.Sub(at)
			t.Integral.U = t.Integral.U || last.U || now.U
		}
		if until.Before(end) {
			return true, nil
		}
		if t.Register == nil {
			current.setIntegral(t.Integral)
		}
		at = end
		if !bridged { // intervals in between have nothing
			end = day.slotStart(now.T)
		}
		t.Integral = integral{Slot: end}
		if current, err = a.dayOf(ctx, t, end); err != nil {
			return false, err
		}
		if !bridged {
			return true, nil
		}
	}
}

func (d *runningDay) setIntegral(in integral) {
	cover := float64(in.Covered) / float64(d.next(in.Slot).Sub(in.Slot))
	switch {
	case cover < leastCover:
	case cover < goodCover:
		d.set(in.Slot, in.KWh/cover, meter.Uncertain, meter.Estimated)
	case in.U:
		d.set(in.Slot, in.KWh/cover, meter.Uncertain, 0)
	default:
		d.set(in.Slot, in.KWh/cover, meter.Good, 0)
	}
}
