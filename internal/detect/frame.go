package detect

import (
	"context"
	"math"
	"sort"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// frame holds the daily features of all meters of a run in columns, meters in
// order of id, NaN where there is no value.
type frame struct {
	days    span
	meters  []string
	rows    map[string]int
	columns [curve.FeatureCount][]float32 // [row*n + day]
	names   []sdk.Feature                 // of the columns
}

func (f *frame) n() int { return int(f.days.last-f.days.first) + 1 }

// loadFrame reads the features of every meter of the roster. Where the store
// brings them in another order the frame is the same.
func loadFrame(ctx context.Context, store curve.Store, r *roster, days span) (*frame, error) {
	f := &frame{days: days, rows: make(map[string]int), names: sdk.Features()}
	add := func(id string) {
		if _, ok := f.rows[id]; !ok && id != "" {
			f.rows[id] = 0
			f.meters = append(f.meters, id)
		}
	}
	for _, p := range r.points {
		for _, t := range p.tenures {
			add(t.record.MeterID)
		}
	}
	for _, a := range r.areas {
		add(a.transformer.MeterID)
	}
	sort.Strings(f.meters)
	for i, id := range f.meters {
		f.rows[id] = i
	}
	n := f.n()
	nan := float32(math.NaN())
	for c := range f.columns {
		column := make([]float32, len(f.meters)*n)
		for i := range column {
			column[i] = nan
		}
		f.columns[c] = column
	}
	err := store.Features(ctx, days.first, days.last, func(meterID string, date curve.Date, v *curve.Features) error {
		row, ok := f.rows[meterID]
		if !ok || date < days.first || date > days.last {
			return nil
		}
		at := row*n + int(date-days.first)
		for c := range v {
			f.columns[c][at] = v[c]
		}
		return nil
	})
	return f, err
}

// copyInto writes one feature of the tenures' meters into row, which spans
// days; days outside the tenures stay as they are.
func (f *frame) copyInto(row []float32, column int, days span, tenures []tenure) {
	for _, t := range tenures {
		f.copyMeter(row, column, days, span{max(t.first, days.first), min(t.last, days.last)}, t.record.MeterID)
	}
}

func (f *frame) copyMeter(row []float32, column int, days, part span, meterID string) {
	at, ok := f.rows[meterID]
	if !ok || part.first > part.last {
		return
	}
	from := at*f.n() + int(part.first-f.days.first)
	copy(row[part.first-days.first:part.last-days.first+1], f.columns[column][from:])
}

// seen reports whether the meter has any day with energy.
func (f *frame) seen(meterID string) bool {
	at, ok := f.rows[meterID]
	if !ok {
		return false
	}
	for _, v := range f.columns[columnOf(sdk.EnergyKWh)][at*f.n() : (at+1)*f.n()] {
		if v == v { // not NaN
			return true
		}
	}
	return false
}

// columnOf returns the place of a feature in curve.Features, -1 for none.
func columnOf(feature sdk.Feature) int {
	for i, f := range sdk.Features() {
		if f == feature {
			return i
		}
	}
	return -1
}

// mean returns the mean of a feature over the tenures' days that have it, and
// how many those are.
func (f *frame) mean(feature sdk.Feature, days span, tenures []tenure) (mean float64, count int) {
	row := nanRow(f.n())
	f.copyInto(row, columnOf(feature), days, tenures)
	var sum float64
	for _, v := range row {
		if v == v {
			sum += float64(v)
			count++
		}
	}
	if count == 0 {
		return math.NaN(), 0
	}
	return sum / float64(count), count
}

func nanRow(n int) []float32 {
	row := make([]float32, n)
	for i := range row {
		row[i] = float32(math.NaN())
	}
	return row
}

// tenureDays counts the days that the tenures span.
func tenureDays(tenures []tenure) int {
	n := 0
	for _, t := range tenures {
		n += int(t.last-t.first) + 1
	}
	return n
}
