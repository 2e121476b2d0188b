package curve

import (
	"context"
	"math"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// tracker follows one meter. Register, power and the other quantities advance
// through the intervals independently, each when a reading of its own comes.
type tracker struct {
	id string
	trackerState
	days []*runningDay // today, and yesterday until it closes
}

// trackerState is what survives a restart, apart from the days themselves.
type trackerState struct {
	Register *point                  `json:"register,omitempty"`
	Boundary *boundary               `json:"boundary,omitempty"` // the register at the start of the current interval
	Power    *point                  `json:"power,omitempty"`
	Integral integral                `json:"integral"`
	Means    map[meter.Quantity]mean `json:"means,omitempty"`
}

// point is a reading.
type point struct {
	T time.Time `json:"t"`
	V float64   `json:"v"`
	U bool      `json:"u,omitempty"` // uncertain
}

// boundary is the register at the moment between two intervals.
type boundary struct {
	T     time.Time     `json:"t"`
	V     float64       `json:"v"`
	Loose time.Duration `json:"loose,omitempty"` // between the readings it was interpolated from; 0 where read
	U     bool          `json:"u,omitempty"`     // from an uncertain reading
	Roll  bool          `json:"roll,omitempty"`  // the register rolled over since
}

// integral is power integrated since the start of an interval.
type integral struct {
	Slot    time.Time     `json:"slot"`
	KWh     float64       `json:"kwh"`
	Covered time.Duration `json:"covered"`
	U       bool          `json:"u,omitempty"`
}

// mean gathers one quantity over an interval.
type mean struct {
	Slot  time.Time `json:"slot"`
	Last  time.Time `json:"last"`
	Sum   float64   `json:"sum"`
	Count int       `json:"count"`
}

// runningDay is a day that is not closed.
type runningDay struct {
	day        *Day
	start, end time.Time
	imported   bool // held closed by the store: left alone
	dirty      bool // changed since it was saved

	opened, closed *boundary // the register at the day's two ends, nil where not known
}

func newRunningDay(id string, date Date, start, end time.Time, interval time.Duration) *Day {
	n := int((end.Sub(start) + interval - 1) / interval)
	d := &Day{MeterID: id, Date: date, Start: start.UTC(), Interval: interval, Open: true,
		EnergyKWh: make([]float64, n), Quality: make([]meter.Quality, n)}
	for i := range d.EnergyKWh {
		d.EnergyKWh[i] = math.NaN()
	}
	return d
}

// means are the quantities kept as interval means, with the decimals kept.
func decimalsOf(q meter.Quantity) (decimals int, kept bool) {
	switch q {
	case meter.VoltageA, meter.VoltageB, meter.VoltageC, meter.THDCurrent:
		return 1, true
	case meter.CurrentA, meter.CurrentB, meter.CurrentC, meter.CurrentN:
		return 2, true
	case meter.PowerFactor, meter.ReactivePower:
		return 3, true
	}
	return 0, false
}

func tracked(q meter.Quantity) bool {
	_, kept := decimalsOf(q)
	return kept || q == meter.ActiveEnergyImport || q == meter.ActivePower
}

// energyDecimals is the resolution of accumulated energies, 0.1 Wh: finer than
// registers and coarse enough to store well.
const energyDecimals = 4

func round(v float64, decimals int) float64 {
	return math.Round(v*powersOfTen[decimals]) / powersOfTen[decimals]
}

// newest returns when the last reading was.
func (t *tracker) newest() time.Time {
	var newest time.Time
	for _, p := range []*point{t.Register, t.Power} {
		if p != nil && p.T.After(newest) {
			newest = p.T
		}
	}
	for _, m := range t.Means {
		if m.Last.After(newest) {
			newest = m.Last
		}
	}
	return newest
}

// take takes one reading; taken is false where it is not newer than the last
// of its quantity.
func (t *tracker) take(ctx context.Context, a *Accumulator, r *meter.Reading) (taken bool, err error) {
	if math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
		return true, nil
	}
	now := point{T: r.EventTime.UTC(), V: r.Value, U: r.Quality != meter.Good}
	switch r.Quantity {
	case meter.ActiveEnergyImport:
		return t.takeRegister(ctx, a, now)
	case meter.ActivePower:
		return t.takePower(ctx, a, now)
	}
	return t.takeMean(ctx, a, r.Quantity, now)
}

// slotStart returns the start of the interval that holds the moment, in the
// day d.
func (d *runningDay) slotStart(moment time.Time) time.Time {
	return d.start.Add(moment.Sub(d.start) / d.day.Interval * d.day.Interval)
}

// next returns the end of the interval that starts at start.
func (d *runningDay) next(start time.Time) time.Time {
	if end := start.Add(d.day.Interval); end.Before(d.end) {
		return end
	}
	return d.end
}

// set puts an interval into the day unless the day was imported.
func (d *runningDay) set(start time.Time, kwh float64, q meter.Quality, f meter.Flags) {
	i := int(start.Sub(d.start) / d.day.Interval)
	if d.imported || i < 0 || i >= len(d.day.EnergyKWh) {
		return
	}
	d.day.EnergyKWh[i], d.day.Quality[i] = round(kwh, energyDecimals), q
	if d.day.Flags != nil {
		d.day.Flags[i] = 0
	}
	if f != 0 {
		d.day.Flag(i, f)
	}
	d.dirty = true
}

// takeMean gathers a quantity and writes its mean when the interval is over.
func (t *tracker) takeMean(ctx context.Context, a *Accumulator, q meter.Quantity, now point) (bool, error) {
	m, begun := t.Means[q]
	if begun && !now.T.After(m.Last) {
		return false, nil
	}
	day, err := a.dayOf(ctx, t, now.T)
	if err != nil {
		return false, err
	}
	slot := day.slotStart(now.T)
	if begun && !m.Slot.Equal(slot) {
		before, err := a.dayOf(ctx, t, m.Slot)
		if err != nil {
			return false, err
		}
		before.setMean(q, m)
	}
	if !begun || !m.Slot.Equal(slot) {
		m = mean{Slot: slot}
	}
	m.Sum, m.Last, m.Count = m.Sum+now.V, now.T, m.Count+1
	if t.Means == nil {
		t.Means = make(map[meter.Quantity]mean)
	}
	t.Means[q] = m
	return true, nil
}

func (d *runningDay) setMean(q meter.Quantity, m mean) {
	i := int(m.Slot.Sub(d.start) / d.day.Interval)
	if d.imported || i < 0 || i >= len(d.day.EnergyKWh) || m.Count == 0 {
		return
	}
	column := d.day.Other[q]
	if column == nil {
		column = slices.Repeat([]float32{float32(math.NaN())}, len(d.day.EnergyKWh))
		if d.day.Other == nil {
			d.day.Other = make(map[meter.Quantity][]float32)
		}
		d.day.Other[q] = column
	}
	decimals, _ := decimalsOf(q)
	column[i] = float32(round(m.Sum/float64(m.Count), decimals))
	d.dirty = true
}
