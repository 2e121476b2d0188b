package curve

import (
	"bytes"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Superseding is a version to be stored with its features.
type Superseding struct {
	Day      Day
	Features Features
}

// Supersede says which versions a delivery adds to a closed day that is
// already there, in order; none where nothing changes. Usually that is the
// delivery itself. Where people have edited intervals of the current version,
// those stay: the delivery is kept as it came, so that a withdrawal can go
// back to it, and after it the delivery with the edited intervals in their
// place. lastDelivered returns the newest version that is no edit, nil where
// there is none.
func Supersede(current, delivered *Day, lastDelivered func() (*Day, error)) ([]Superseding, error) {
	if Same(current, delivered) {
		return nil, nil
	}
	if delivered.Origin.Rule == OriginEdited || !edited(current) {
		return []Superseding{{*delivered, Compute(delivered)}}, nil
	}
	last, err := lastDelivered()
	if err != nil {
		return nil, err
	}
	if last != nil && Same(last, delivered) {
		return nil, nil
	}
	merged := keepEdits(delivered, current)
	return []Superseding{{*delivered, Compute(delivered)}, {merged, Compute(&merged)}}, nil
}

// Same reports whether two versions of a meter-day hold the same curve.
// Origins are no part of it.
func Same(a, b *Day) bool {
	return a.Open == b.Open && bytes.Equal(Encode(nil, a), Encode(nil, b))
}

func edited(d *Day) bool {
	return slices.ContainsFunc(d.Flags, func(f meter.Flags) bool { return f.Has(meter.Edited) })
}

// keepEdits returns the delivery with the intervals that were edited in
// current. Where the two have intervals of different lengths, the energy of
// the edited time is kept.
func keepEdits(delivered, current *Day) Day {
	d := clone(delivered)
	d.Origin = current.Origin
	for i, f := range current.Flags {
		if !f.Has(meter.Edited) {
			continue
		}
		begin := current.Start.Add(time.Duration(i) * current.Interval)
		end := begin.Add(current.Interval)
		for j := range d.EnergyKWh {
			from := d.Start.Add(time.Duration(j) * d.Interval)
			both := min(end.Sub(from), d.Interval) - max(0, begin.Sub(from))
			switch {
			case both <= 0:
				continue
			case d.Interval == current.Interval && both == d.Interval:
				d.EnergyKWh[j] = current.EnergyKWh[i]
			case d.Flags != nil && d.Flags[j].Has(meter.Edited): // by another one of the edited intervals
				d.EnergyKWh[j] += share(current, i, both) - share(delivered, j, both)
			default:
				d.EnergyKWh[j] = share(current, i, both) + share(delivered, j, d.Interval-both)
			}
			d.Quality[j] = current.Quality[i]
			if d.Flags == nil {
				d.Flags = make([]meter.Flags, len(d.EnergyKWh))
			}
			d.Flags[j] = f
		}
	}
	return d
}

// share is the energy of a part of interval i, spread evenly.
func share(d *Day, i int, part time.Duration) float64 {
	if part <= 0 {
		return 0
	}
	return d.EnergyKWh[i] * float64(part) / float64(d.Interval)
}

// clone returns a day that shares nothing with d.
func clone(d *Day) Day {
	c := *d
	c.EnergyKWh, c.Quality, c.Flags = slices.Clone(d.EnergyKWh), slices.Clone(d.Quality), slices.Clone(d.Flags)
	if d.Other != nil {
		c.Other = make(map[meter.Quantity][]float32, len(d.Other))
		for q, column := range d.Other {
			c.Other[q] = slices.Clone(column)
		}
	}
	return c
}
