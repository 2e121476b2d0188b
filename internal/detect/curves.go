package detect

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// curveReader reads raw curves for the windows that answer requests.
type curveReader struct {
	store curve.Store
	loc   *time.Location
}

// addCurves reads the raw curves of a window's members: the declared quantities
// and no other, at the declared quality or better.
func (b *builder) addCurves(ctx context.Context, d *sdk.Description, p batch, w *sdk.Window) error {
	days := span{curve.Date(w.FirstDay), curve.Date(w.LastDay())}
	w.Curves = make([]sdk.Curve, 0, len(p.members))
	for _, m := range p.members {
		read, err := b.curves.days(ctx, m, days)
		if err != nil {
			return err
		}
		w.Curves = append(w.Curves, b.curves.curve(d, read, days))
	}
	return nil
}

// days reads the meter-days of a member from the meters that it had.
func (c *curveReader) days(ctx context.Context, m member, days span) ([]curve.Day, error) {
	if m.transformer != nil {
		if m.transformer.MeterID == "" {
			return nil, nil
		}
		return c.read(ctx, m.transformer.MeterID, days)
	}
	var out []curve.Day
	for _, t := range m.tenures {
		part := span{max(t.first, days.first), min(t.last, days.last)}
		if part.first > part.last {
			continue
		}
		read, err := c.read(ctx, t.record.MeterID, part)
		if err != nil {
			return nil, err
		}
		out = append(out, read...)
	}
	return out, nil
}

func (c *curveReader) read(ctx context.Context, meterID string, days span) ([]curve.Day, error) {
	read, err := c.store.Days(ctx, meterID, days.first, days.last)
	if err != nil {
		return nil, fmt.Errorf("reading the curves of meter %s: %w", meterID, err)
	}
	return read, nil
}

// curve lays the days out on one time line at the coarsest interval among
// them; finer days are averaged, so that no flatness is made up.
func (c *curveReader) curve(d *sdk.Description, read []curve.Day, days span) sdk.Curve {
	interval := time.Duration(0)
	for i := range read {
		interval = max(interval, read[i].Interval)
	}
	if interval <= 0 {
		interval = time.Hour
	}
	start := days.first.Start(c.loc)
	out := sdk.Curve{IntervalSeconds: int(interval / time.Second), Start: start.UTC(), Columns: make(map[meter.Quantity][]float32)}
	for date := days.first; date <= days.last+1; date++ {
		out.DayStart = append(out.DayStart, int32(date.Start(c.loc).Sub(start)/interval))
	}
	n := out.Intervals()
	out.Good = make([]bool, n)
	for _, q := range d.Quantities {
		column := nanRow(n)
		carried := q == meter.ActivePower
		for i := range read {
			if value := values(&read[i], q); value != nil {
				carried = true
				lay(column, &read[i], value, start, interval, d.MinimumQuality)
			}
		}
		if carried {
			out.Columns[q] = column
		}
	}
	for i := range read {
		markGood(out.Good, &read[i], start, interval)
	}
	return out
}

// values returns the interval means of a quantity on one day, nil for none.
func values(day *curve.Day, q meter.Quantity) func(i int) float64 {
	if q == meter.ActivePower {
		return day.PowerKW
	}
	other := day.Other[q]
	if other == nil {
		return nil
	}
	return func(i int) float64 { return float64(other[i]) }
}

// lay writes one day into a column. Where several of the day's intervals make
// one of the column's, one that is missing makes it missing.
func lay(column []float32, day *curve.Day, value func(int) float64, start time.Time, interval time.Duration, minimum meter.Quality) {
	group := max(1, int(interval/day.Interval))
	for i := 0; i+group <= day.Intervals(); i += group {
		at := place(day, i, start, interval)
		if at < 0 || at >= len(column) {
			continue
		}
		var sum float64
		for j := i; j < i+group; j++ {
			if qualityOf(day, j) < minimum {
				sum = math.NaN()
				break
			}
			sum += value(j)
		}
		column[at] = float32(sum / float64(group))
	}
}

func markGood(good []bool, day *curve.Day, start time.Time, interval time.Duration) {
	group := max(1, int(interval/day.Interval))
	for i := 0; i+group <= day.Intervals(); i += group {
		at := place(day, i, start, interval)
		if at < 0 || at >= len(good) {
			continue
		}
		good[at] = true
		for j := i; j < i+group; j++ {
			good[at] = good[at] && qualityOf(day, j) == meter.Good
		}
	}
}

// notMeasured marks intervals whose value is not what the meter delivered.
const notMeasured = meter.Estimated | meter.Substituted | meter.Edited

// qualityOf is the quality of an interval; what the meter did not deliver is
// uncertain at the best.
func qualityOf(day *curve.Day, i int) meter.Quality {
	if day.Flags != nil && day.Flags[i]&notMeasured != 0 {
		return min(day.Quality[i], meter.Uncertain)
	}
	return day.Quality[i]
}

// place is where interval i of a day stands on the time line.
func place(day *curve.Day, i int, start time.Time, interval time.Duration) int {
	return int(day.Start.Add(time.Duration(i)*day.Interval).Sub(start) / interval)
}
