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
// current, which cover the same time whatever the length of the intervals. An
// edit whose intervals the delivery's do not divide is spread evenly.
func keepEdits(delivered, current *Day) Day {
	d := clone(delivered)
	d.Origin = current.Origin
	d.Origin.Rule = OriginEdited
	for i, f := range current.Flags {
		if !f.Has(meter.Edited) {
			continue
		}
		from, to := overlap(&d, current, i)
		for j := from; j < to; j++ {
			d.EnergyKWh[j] = current.EnergyKWh[i] * float64(d.Interval) / float64(current.Interval)
			if d.Interval == current.Interval {
				d.EnergyKWh[j] = current.EnergyKWh[i]
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

// overlap returns which intervals of d interval i of other touches.
func overlap(d, other *Day, i int) (from, to int) {
	begin := other.Start.Add(time.Duration(i) * other.Interval).Sub(d.Start)
	end := begin + other.Interval
	from = int(begin / d.Interval)
	to = int((end + d.Interval - 1) / d.Interval)
	return max(0, from), min(len(d.EnergyKWh), to)
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
