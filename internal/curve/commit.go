package curve

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

const (
	// settle is how long no more readings must have come before a day that was
	// reopened is closed again, and longestSettle how long it is at most held
	// open for that: a device that catches up makes one version and not many.
	settle        = time.Minute
	longestSettle = 10 * time.Minute
	// catchUp is how old readings are while the stream is behind; days are not
	// closed then, for longestCatchUp at most.
	catchUp        = 2 * time.Minute
	longestCatchUp = 6 * time.Hour
)

// outcome is what holds of a tracker once the commit is stored.
type outcome struct {
	t        *tracker
	days     []*workDay // still in work
	archived []Date
	fresh    bool   // its state is in the commit
	stored   uint64 // hash of that
	gone     bool   // forget it
	waiting  bool   // has a day that settles
	counts   Counts
	notes    []string
}

// commit stores what changed since the last one. all closes every day that is
// over at once, also one that still settles. a.mu is held.
func (a *Accumulator) commit(ctx context.Context, now time.Time, all bool) error {
	if a.ended != nil {
		return a.ended
	}
	list := a.changed
	everyone := all || !now.Before(a.nextClose)
	if everyone {
		list = slices.Collect(maps.Values(a.meters))
	}
	c := Commit{Reader: a.cfg.Reader, Token: a.cfg.Token, Position: a.position}
	outcomes := make([]outcome, 0, len(list))
	behind := !a.behind.IsZero() && now.Sub(a.behind) > catchUp
	for _, t := range list {
		o, err := a.resolve(ctx, t, &c, now, all, behind)
		if err != nil {
			return fmt.Errorf("accumulator: meter %s: %w", t.id, err)
		}
		outcomes = append(outcomes, o)
	}
	if len(c.Days) > 0 || len(c.States) > 0 || a.position != a.committed {
		if err := a.cfg.Store.Commit(ctx, &c); err != nil {
			if errors.Is(err, ErrFenced) {
				a.ended = err
			}
			return fmt.Errorf("accumulator: %w", err)
		}
	}
	a.apply(outcomes, c.Days)
	a.committed, a.readings, a.behind = a.position, 0, time.Time{}
	if everyone {
		a.nextClose = now.Add(24 * time.Hour)
		for _, t := range a.meters {
			for _, d := range t.days {
				if over := d.over(a); over.Before(a.nextClose) && over.After(now) { // what settles is queued
					a.nextClose = over
				}
			}
		}
	}
	return nil
}

func (a *Accumulator) apply(outcomes []outcome, days []Day) {
	a.changed = a.changed[:0]
	for i := range outcomes {
		o := &outcomes[i]
		t := o.t
		t.days, t.archived, t.queued = o.days, o.archived, false
		for _, d := range t.days {
			d.touched = false
			if !d.closed {
				d.dirty = false
			}
		}
		if o.fresh {
			t.stored = o.stored
		}
		if o.gone {
			delete(a.meters, t.id)
			continue
		}
		if o.waiting {
			a.queue(t)
		}
		for rule, n := range o.counts {
			if n > 0 {
				a.rules.WithLabelValues(Rule(rule).String()).Add(float64(n)) //nolint:gosec // a rule's number
			}
		}
		for _, note := range o.notes {
			a.cfg.Logger.Info("a register did not simply rise", "meter", t.id, "what", note)
		}
	}
	for i := range days {
		if !days[i].Open {
			a.made.WithLabelValues(days[i].Origin.Rule).Inc()
		}
	}
}

// resolve puts into the commit what is to be stored of a meter.
func (a *Accumulator) resolve(ctx context.Context, t *tracker, c *Commit, now time.Time, all, behind bool) (outcome, error) {
	o := outcome{t: t, archived: t.archived}
	fresh, closing := false, false
	for _, d := range t.days {
		fresh = fresh || d.touched
		closing = closing || !d.closed && !now.Before(d.over(a))
	}
	if closing && !fresh {
		// Its readings may go to another reader by now, which knows more.
		data, err := a.cfg.Store.State(ctx, t.id)
		if err != nil {
			return o, err
		}
		if maphash.Bytes(a.seed, data) != t.stored {
			o.gone = true
			return o, nil
		}
	}
	for _, d := range t.days {
		over := d.over(a)
		switch {
		case d.skipped || d.closed && !d.dirty:
			continue // was looked at only
		case now.Before(over):
			if err := a.storeOpen(ctx, t, d, c, now); err != nil {
				return o, err
			}
			o.days = append(o.days, d)
			continue
		case !all && (behind && now.Sub(over) < longestCatchUp || !d.overFrom.IsZero() && now.Sub(d.overTo) < settle && now.Sub(d.overFrom) < longestSettle):
			o.days, o.waiting = append(o.days, d), true
			continue
		}
		keep, err := a.storeClosed(ctx, t, d, c, &o)
		if err != nil {
			return o, err
		}
		fresh = true
		at, found := slices.BinarySearch(o.archived, d.date)
		switch {
		case keep && !found:
			o.archived = slices.Insert(slices.Clone(o.archived), at, d.date)
		case !keep && found:
			o.archived = slices.Delete(slices.Clone(o.archived), at, at+1)
		}
	}
	for len(o.archived) > 0 && now.Sub((o.archived[0]+1).Start(a.cfg.Location)) > a.cfg.MaxLate+a.cfg.Grace+24*time.Hour {
		c.States = append(c.States, State{MeterID: t.id, Date: o.archived[0]})
		o.archived, fresh = o.archived[1:], true
	}
	if o.fresh = fresh; !fresh {
		o.gone = len(o.days) == 0 && len(o.archived) == 0
		return o, nil
	}
	state := State{MeterID: t.id}
	if o.gone = len(o.days) == 0 && len(o.archived) == 0; !o.gone {
		state.Data = (&tracker{days: o.days, archived: o.archived}).appendState(nil)
		o.stored = maphash.Bytes(a.seed, state.Data)
	}
	c.States = append(c.States, state)
	return o, nil
}

// storeOpen stores a day in progress where an interval of it has ended. The
// store is asked for an import once, and again after midnight.
func (a *Accumulator) storeOpen(ctx context.Context, t *tracker, d *workDay, c *Commit, now time.Time) error {
	if !d.dirty {
		return nil
	}
	if !d.seen || now.UnixMilli() >= d.end {
		stored, err := a.cfg.Store.Days(ctx, t.id, d.date, d.date)
		if err != nil {
			return err
		}
		d.seen, d.foreign = true, len(stored) > 0 && !stored[0].Open
	}
	if d.foreign {
		return nil
	}
	b := d.build(t.id, a.ruler(t, d), true)
	b.day.Origin = Origin{Rule: OriginPolled, Reason: b.note()}
	c.Days, c.Features = append(c.Days, b.day), append(c.Features, Features{})
	return nil
}

// storeClosed closes a day, for the first time or again. keep is false where
// the day is none of ours.
func (a *Accumulator) storeClosed(ctx context.Context, t *tracker, d *workDay, c *Commit, o *outcome) (keep bool, err error) {
	stored, err := a.cfg.Store.Days(ctx, t.id, d.date, d.date)
	if err != nil {
		return false, err
	}
	closed := len(stored) > 0 && !stored[0].Open
	if closed {
		rule, err := a.deliveredBy(ctx, &stored[0])
		if err != nil {
			return false, err
		}
		if rule != OriginPolled && rule != OriginLate {
			if d.closed {
				c.States = append(c.States, State{MeterID: t.id, Date: d.date})
			}
			return false, nil
		}
	}
	done := *d
	done.closed, done.lateFrom, done.lateTo = true, 0, 0
	c.States = append(c.States, State{MeterID: t.id, Date: d.date, Data: appendWork(nil, &done)})

	var counts Counts
	b := d.build(t.id, a.ruler(t, d), false)
	VEE(&b.day, a.limitsOn(t.id, d), &counts)
	CheckSum(&b.day, b.counted, &counts)
	for _, f := range b.day.Flags {
		if f.Has(meter.Rollover) {
			counts[RuleRollover]++
		}
		if f.Has(meter.Implausible | meter.Missing) {
			counts[RuleReset]++
		}
	}
	b.day.Origin = Origin{Rule: OriginPolled, Reason: b.note()}
	if d.closed || closed || d.lateFrom != 0 {
		b.day.Origin = Origin{Rule: OriginLate, Reason: d.lateness(a.cfg.Location)}
		if note := b.note(); note != "" {
			b.day.Origin.Reason += "; " + note
		}
	}
	if closed && Same(&stored[0], &b.day) {
		return true, nil
	}
	c.Days, c.Features = append(c.Days, b.day), append(c.Features, Compute(&b.day))
	o.counts.Add(&counts)
	o.notes = append(o.notes, b.notes...)
	return true, nil
}

// deliveredBy returns the origin of a stored day, of an edited one that of
// what was edited.
func (a *Accumulator) deliveredBy(ctx context.Context, d *Day) (string, error) {
	if d.Origin.Rule != OriginEdited {
		return d.Origin.Rule, nil
	}
	versions, err := a.cfg.Store.Versions(ctx, d.MeterID, d.Date)
	if err != nil {
		return "", err
	}
	for i := len(versions) - 1; i >= 0; i-- {
		if rule := versions[i].Day.Origin.Rule; rule != OriginEdited {
			return rule, nil
		}
	}
	return OriginImported, nil
}

// lateness says what came late.
func (d *workDay) lateness(location *time.Location) string {
	if d.lateFrom == 0 {
		return "a reading next to the day came after it had closed"
	}
	from, to := time.UnixMilli(d.lateFrom).In(location).Format("15:04:05"), time.UnixMilli(d.lateTo).In(location).Format("15:04:05")
	if from == to {
		return "the reading of " + from + " came after the day had closed"
	}
	return "readings from " + from + " to " + to + " came after the day had closed"
}

func (a *Accumulator) ruler(t *tracker, d *workDay) *ruler {
	r := &ruler{location: a.cfg.Location, limits: func(at time.Time) Limits { return a.cfg.Limits(t.id, at) }}
	if a.cfg.Rollover != nil && len(d.register) > 0 {
		if top, ok := a.cfg.Rollover(t.id, meter.ActiveEnergyImport); ok {
			r.rollover = top
		}
	}
	return r
}

// limitsOn returns the widest limits of a day, as the assignment may change in
// its course.
func (a *Accumulator) limitsOn(meterID string, d *workDay) Limits {
	from, to := a.cfg.Limits(meterID, time.UnixMilli(d.start).UTC()), a.cfg.Limits(meterID, time.UnixMilli(d.end-1).UTC())
	return Limits{ContractedKVA: max(from.ContractedKVA, to.ContractedKVA), RatedKVA: max(from.RatedKVA, to.RatedKVA)}
}
