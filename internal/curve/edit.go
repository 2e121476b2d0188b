package curve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// EditStore is what edits need.
type EditStore interface {
	Store
	History
	Transactional
}

// Edit replaces intervals of a closed meter-day by values that a person
// vouches for.
type Edit struct {
	MeterID string
	Date    Date
	From    int       // the first interval
	KWh     []float64 // from there on
	Author  string    // login
	Reason  string
	Limits  Limits // of the supply, which values may not pass; zero where not known
}

// Withdrawal takes edits back: each edited interval from From until before To
// gets the value that it had last before it was edited.
type Withdrawal struct {
	MeterID  string
	Date     Date
	From, To int
	Author   string
	Reason   string
}

// ErrEdit marks edits that cannot be: what the person gave is wrong.
var ErrEdit = errors.New("cannot edit")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrEdit, fmt.Sprintf(format, args...))
}

// Apply stores the edit as a new version of the day, of origin edited, and
// returns it. The edited intervals are uncertain and flagged edited, nothing
// else; earlier versions stay as they were.
func (e *Edit) Apply(ctx context.Context, store EditStore) (*Day, error) {
	if err := signed(e.Author, e.Reason); err != nil {
		return nil, err
	}
	if len(e.KWh) == 0 {
		return nil, refuse("no value is given; give at least one")
	}
	return change(ctx, store, e.MeterID, e.Date, Origin{OriginEdited, e.Author, strings.TrimSpace(e.Reason)}, func(d *Day) error {
		if e.From < 0 || e.From+len(e.KWh) > len(d.EnergyKWh) {
			return refuse("the day has %d intervals of %v; %d from the %d. on do not fit in", len(d.EnergyKWh), d.Interval, len(e.KWh), e.From+1)
		}
		most := e.Limits.rangeKW() * d.Interval.Hours()
		for i, kwh := range e.KWh {
			if !(kwh >= 0 && kwh <= most) {
				return refuse("%v kWh in an interval of %v; give 0 to %g, which is the most that the supply can carry", kwh, d.Interval, most)
			}
			at := e.From + i
			d.EnergyKWh[at], d.Quality[at] = kwh, meter.Uncertain
			if d.Flags == nil {
				d.Flags = make([]meter.Flags, len(d.EnergyKWh))
			}
			d.Flags[at] = meter.Edited
		}
		return nil
	})
}

// Apply stores the withdrawal as a new version of the day, of origin edited,
// and returns it.
func (w *Withdrawal) Apply(ctx context.Context, store EditStore) (*Day, error) {
	if err := signed(w.Author, w.Reason); err != nil {
		return nil, err
	}
	versions, err := store.Versions(ctx, w.MeterID, w.Date)
	if err != nil {
		return nil, fmt.Errorf("withdraw edits: %w", err)
	}
	return change(ctx, store, w.MeterID, w.Date, Origin{OriginEdited, w.Author, "withdrawn: " + strings.TrimSpace(w.Reason)}, func(d *Day) error {
		if n := len(versions); n == 0 || !Same(&versions[n-1].Day, d) {
			return fmt.Errorf("the day was changed at the same moment; try again")
		}
		if w.From < 0 || w.To > len(d.EnergyKWh) || w.From >= w.To {
			return refuse("the day has %d intervals; %d to %d are none of them", len(d.EnergyKWh), w.From+1, w.To)
		}
		found := false
		for i := w.From; i < w.To; i++ {
			if d.Flags != nil && d.Flags[i].Has(meter.Edited) {
				found = true
				d.restore(i, versions)
			}
		}
		if !found {
			return refuse("none of these intervals is edited")
		}
		return nil
	})
}

// restore gives interval i what it had before people edited it: nothing where
// no earlier version has such an interval.
func (d *Day) restore(i int, versions []Version) {
	for _, v := range slices.Backward(versions) {
		old := &v.Day
		if old.Interval != d.Interval || len(old.EnergyKWh) != len(d.EnergyKWh) || old.Flags != nil && old.Flags[i].Has(meter.Edited) {
			continue
		}
		d.EnergyKWh[i], d.Quality[i], d.Flags[i] = old.EnergyKWh[i], old.Quality[i], 0
		if old.Flags != nil {
			d.Flags[i] = old.Flags[i]
		}
		return
	}
	d.EnergyKWh[i], d.Quality[i], d.Flags[i] = math.NaN(), meter.Bad, meter.Missing
}

func signed(author, reason string) error {
	if strings.TrimSpace(author) == "" {
		return refuse("no author; say who edits")
	}
	if strings.TrimSpace(reason) == "" {
		return refuse("no reason; say why, for those who read the versions later")
	}
	return nil
}

// change stores what fn makes of the current version of a day.
func change(ctx context.Context, store EditStore, meterID string, date Date, origin Origin, fn func(*Day) error) (*Day, error) {
	var changed Day
	err := store.Atomically(ctx, func(ctx context.Context, tx Store) error {
		days, err := tx.Days(ctx, meterID, date, date)
		switch {
		case err != nil:
			return fmt.Errorf("read the day: %w", err)
		case len(days) == 0:
			return refuse("meter %s has no curve on %s", meterID, date)
		case days[0].Open:
			return refuse("%s is still in progress for meter %s; edit it once it has closed", date, meterID)
		}
		changed = clone(&days[0])
		if err := fn(&changed); err != nil {
			return err
		}
		if Same(&changed, &days[0]) {
			return refuse("the intervals have these values already")
		}
		changed.Origin = origin
		return tx.PutDays(ctx, []Day{changed}, []Features{Compute(&changed)})
	})
	if err != nil {
		return nil, fmt.Errorf("meter %s on %s: %w", meterID, date, err)
	}
	return &changed, nil
}
