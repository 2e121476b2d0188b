package detect

import (
	"context"
	"fmt"
	"math"
	"slices"

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

// someFeatures is a store that reads the features of some meters without
// going through those of all.
type someFeatures interface {
	FeaturesOf(ctx context.Context, meterIDs []string, first, last curve.Date, fn func(meterID string, date curve.Date, f *curve.Features) error) error
}

// loadFrame reads the features of the meters; columns says which, nil reads
// all. Where the store brings them in another order the frame is the same.
func loadFrame(ctx context.Context, store curve.Store, meters []string, days span, columns []sdk.Feature) (*frame, error) {
	f := &frame{days: days, meters: slices.Clone(meters), rows: make(map[string]int, len(meters)), names: sdk.Features()}
	slices.Sort(f.meters)
	f.meters = slices.Compact(f.meters)
	for i, id := range f.meters {
		f.rows[id] = i
	}
	n := f.n()
	for c, name := range f.names {
		if columns == nil || slices.Contains(columns, name) {
			f.columns[c] = nanRow(len(f.meters) * n)
		}
	}
	take := func(meterID string, date curve.Date, v *curve.Features) error {
		row, ok := f.rows[meterID]
		if !ok || date < days.first || date > days.last {
			return nil
		}
		at := row*n + int(date-days.first)
		for c := range v {
			if f.columns[c] != nil {
				f.columns[c][at] = v[c]
			}
		}
		return nil
	}
	var err error
	if some, ok := store.(someFeatures); ok {
		err = some.FeaturesOf(ctx, f.meters, days.first, days.last, take)
	} else {
		err = store.Features(ctx, days.first, days.last, take)
	}
	if err != nil {
		return nil, fmt.Errorf("reading daily features: %w", err)
	}
	return f, nil
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
