package curve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// tracker follows one meter.
type tracker struct {
	id       string
	days     []*workDay // in work, in order of date
	archived []Date     // closed days whose working sets the store keeps, for readings that come late

	stored uint64 // hash of the stored state
	queued bool   // is in Accumulator.changed
}

// take takes one reading in.
func (t *tracker) take(ctx context.Context, a *Accumulator, r *meter.Reading, code int, now time.Time) error {
	ms := r.EventTime.UnixMilli()
	d, err := t.dayAt(ctx, a, ms, now)
	if err != nil {
		return err
	}
	if d.skipped {
		a.ignored.WithLabelValues("closed").Inc()
		return nil
	}
	p := point{v: r.Value, at: d.at(ms), u: r.Quality != meter.Good}
	var changed, earliest, latest bool
	switch r.Quantity {
	case meter.ActiveEnergyImport:
		changed, earliest, latest = d.addRegister(p)
	case meter.ActivePower:
		changed, earliest, latest = d.addPower(sampleOf(p))
	default:
		p.u = false
		p.v = round(p.v, kept[code].decimals)
		changed = d.addMean(code, sampleOf(p))
	}
	if !changed {
		return nil
	}
	d.touched = true
	if over := d.over(a); !now.Before(over) {
		if d.overTo = now; d.overFrom.IsZero() {
			d.overFrom = now
		}
		if d.dirty = true; d.closed || r.ReceiveTime.IsZero() || r.ReceiveTime.After(over) {
			d.late(ms)
		}
	}
	a.queue(t)
	if earliest && ms-d.start <= edge.Milliseconds() {
		if err := t.join(ctx, a, d, d.date-1, now); err != nil {
			return err
		}
	}
	if latest && d.end-ms <= edge.Milliseconds() {
		return t.join(ctx, a, d, d.date+1, now)
	}
	return nil
}

// over is when the day closes.
func (d *workDay) over(a *Accumulator) time.Time { return time.UnixMilli(d.end).Add(a.cfg.Grace) }

// join tells a neighbouring day, where there is one, about d.
func (t *tracker) join(ctx context.Context, a *Accumulator, d *workDay, date Date, now time.Time) error {
	other, err := t.neighbour(ctx, a, date)
	if err != nil || other == nil {
		return err
	}
	if date > d.date {
		other.follow(d, nil)
	} else {
		other.follow(nil, d)
	}
	if other.touched && !now.Before(other.over(a)) {
		if other.overTo = now; other.overFrom.IsZero() {
			other.overFrom = now
		}
	}
	return nil
}

// neighbour returns the working set of a date, nil where there is none.
func (t *tracker) neighbour(ctx context.Context, a *Accumulator, date Date) (*workDay, error) {
	for _, d := range t.days {
		if d.date == date {
			if d.skipped {
				return nil, nil
			}
			return d, nil
		}
	}
	if !slices.Contains(t.archived, date) {
		return nil, nil
	}
	d, err := t.reload(ctx, a, date)
	if err != nil || d.skipped {
		return nil, err
	}
	return d, nil
}

// dayAt returns the working set of the day that holds the moment.
func (t *tracker) dayAt(ctx context.Context, a *Accumulator, ms int64, now time.Time) (*workDay, error) {
	for _, d := range slices.Backward(t.days) {
		if d.holds(ms) {
			return d, nil
		}
	}
	date, start, end := a.bounds(ms)
	if slices.Contains(t.archived, date) {
		return t.reload(ctx, a, date)
	}
	d := newWorkDay(date, start, end, a.cfg.Interval)
	stored, err := a.cfg.Store.Days(ctx, t.id, date, date)
	if err != nil {
		return nil, fmt.Errorf("meter %s: %w", t.id, err)
	}
	d.seen = true
	switch over := !now.Before(d.over(a)); {
	case len(stored) == 0:
	case stored[0].Open && stored[0].Interval == d.interval:
		d.base = Encode(nil, &stored[0])
	case !stored[0].Open:
		// What is closed already without a working set of ours is an import,
		// or so old that its readings are no longer known.
		d.skipped, d.foreign = over, !over
	}
	t.insert(a, d)
	if d.skipped {
		return d, nil
	}
	for _, date := range []Date{d.date - 1, d.date + 1} {
		other, err := t.neighbour(ctx, a, date)
		if err != nil {
			return nil, err
		}
		if other != nil && date < d.date {
			d.follow(other, nil)
		} else if other != nil {
			d.follow(nil, other)
		}
	}
	return d, nil
}

// insert puts a day into the list. The days in work do not overlap: where the
// site's zone has changed, the new day begins where the old one ended.
func (t *tracker) insert(a *Accumulator, d *workDay) {
	at, _ := slices.BinarySearchFunc(t.days, d.start, func(o *workDay, start int64) int { return int(o.start - start) })
	t.days = slices.Insert(t.days, at, d)
	if over := d.over(a); over.Before(a.nextClose) {
		a.nextClose = over
	}
	a.queue(t)
}

// reload brings the working set of a closed day back.
func (t *tracker) reload(ctx context.Context, a *Accumulator, date Date) (*workDay, error) {
	data, err := a.cfg.Store.DayState(ctx, t.id, date)
	if err != nil {
		return nil, fmt.Errorf("meter %s on %s: %w", t.id, date, err)
	}
	d, err := decodeWork(data)
	if err != nil || d.date != date {
		a.damaged("meter "+t.id+" on "+date.String(), errors.Join(err, ErrState))
		start, end := date.Start(a.cfg.Location), (date + 1).Start(a.cfg.Location)
		d = newWorkDay(date, start, end, a.cfg.Interval)
		d.skipped = true
	}
	t.insert(a, d)
	return d, nil
}

// usable reports whether a reading can be part of a curve.
func usable(r *meter.Reading) (code int, ok bool) {
	if r.MeterID == "" || r.Quality == meter.Bad || !(math.Abs(r.Value) <= math.MaxFloat32) {
		return 0, false
	}
	if r.Quantity == meter.ActiveEnergyImport || r.Quantity == meter.ActivePower {
		return -1, true
	}
	code = codeOf(r.Quantity)
	return code, code >= 0
}
