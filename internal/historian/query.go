package historian

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/influxdata/influxdb-client-go/v2/api"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Point is one value of a series.
type Point struct {
	Time  time.Time
	Value float64
}

// Value is one stored value with what it belongs to.
type Value struct {
	DeviceID string
	MeterID  string
	Quantity meter.Quantity
	Point
}

// Count returns the number of readings stored with event times from from
// (inclusive) to to (exclusive): values and notes of bad quality.
func (h *Historian) Count(ctx context.Context, from, to time.Time) (int64, error) {
	total := int64(0)
	for _, which := range []string{
		` and r._field !~ /\./ and r._field != "` + fieldReceived + `"`,
		` and r._field =~ /\` + suffixQuality + `$/ and r._value == 0`,
	} {
		flux := h.source(from, to, which) + `
  |> group()
  |> count()`
		err := h.each(ctx, flux, func(r *api.QueryTableResult) error {
			n, ok := r.Record().Value().(int64)
			if !ok {
				return fmt.Errorf("a count is %v", r.Record().Value())
			}
			total += n
			return nil
		})
		if err != nil {
			return 0, fmt.Errorf("historian: count: %w", err)
		}
	}
	return total, nil
}

// Series returns one quantity of one meter from from (inclusive) to to
// (exclusive), in order of time. With a window each point is the mean of its
// window, or the last value of a cumulative register, at the window's start;
// with a window of 0 the values come as they were read.
func (h *Historian) Series(ctx context.Context, meterID string, quantity meter.Quantity, from, to time.Time, window time.Duration) ([]Point, error) {
	id, err := fluxString(meterID)
	if err != nil {
		return nil, fmt.Errorf("historian: series: meter id: %w", err)
	}
	field, err := fluxString(string(quantity))
	if err != nil {
		return nil, fmt.Errorf("historian: series: quantity: %w", err)
	}
	flux := h.source(from, to, ` and r.`+tagMeter+` == `+id+` and r._field == `+field) + `
  |> group()`
	if window > 0 {
		fn := "mean"
		if quantity.Cumulative() {
			fn = "last"
		}
		flux += fmt.Sprintf(`
  |> sort(columns: ["_time"])
  |> aggregateWindow(every: %dns, fn: %s, timeSrc: "_start", createEmpty: false)`, window.Nanoseconds(), fn)
	}
	flux += `
  |> keep(columns: ["_time", "_value"])
  |> sort(columns: ["_time"])`
	var out []Point
	err = h.each(ctx, flux, func(r *api.QueryTableResult) error {
		p, err := point(r)
		out = append(out, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("historian: series of meter %s, %s: %w", meterID, quantity, err)
	}
	return out, nil
}

// Values calls fn with every stored value (not with notes of bad quality) of
// every meter from from (inclusive) to to (exclusive), series by series. It
// streams; an error of fn ends it.
func (h *Historian) Values(ctx context.Context, from, to time.Time, fn func(Value) error) error {
	flux := h.source(from, to, ` and r._field !~ /\./ and r._field != "`+fieldReceived+`"`)
	err := h.each(ctx, flux, func(r *api.QueryTableResult) error {
		p, err := point(r)
		if err != nil {
			return err
		}
		rec := r.Record()
		device, _ := rec.ValueByKey(tagDevice).(string) // absent is empty
		id, _ := rec.ValueByKey(tagMeter).(string)
		return fn(Value{DeviceID: device, MeterID: id, Quantity: meter.Quantity(rec.Field()), Point: p})
	})
	if err != nil {
		return fmt.Errorf("historian: values: %w", err)
	}
	return nil
}

func point(r *api.QueryTableResult) (Point, error) {
	rec := r.Record()
	v, ok := rec.Value().(float64)
	if !ok {
		return Point{}, fmt.Errorf("field %s holds %v, not a float; another program has written to the bucket", rec.Field(), rec.Value())
	}
	return Point{Time: rec.Time().UTC(), Value: v}, nil
}

// source is the beginning of every query. InfluxDB 1.8 takes the end of a
// range in, 2.x leaves it out; the second filter makes them agree.
func (h *Historian) source(from, to time.Time, which string) string {
	start, stop := from.UTC().Format(time.RFC3339Nano), to.UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf(`from(bucket: %q)
  |> range(start: %s, stop: %s)
  |> filter(fn: (r) => r._measurement == %q%s)
  |> filter(fn: (r) => r._time < %s)`, h.cfg.Bucket, start, stop, measurement, which, stop)
}

// each runs a query and calls fn for every record.
func (h *Historian) each(ctx context.Context, flux string, fn func(*api.QueryTableResult) error) (err error) {
	result, err := h.query.Query(ctx, flux)
	if err != nil {
		return fmt.Errorf("query %s: %w; the engine must run and know Flux", h.cfg.URL, err)
	}
	defer func() {
		if closeErr := result.Close(); err == nil && closeErr != nil {
			err = fmt.Errorf("query %s: %w", h.cfg.URL, closeErr)
		}
	}()
	for result.Next() {
		if err := fn(result); err != nil {
			return err
		}
	}
	if err := result.Err(); err != nil {
		return fmt.Errorf("query %s: %w", h.cfg.URL, err)
	}
	return nil
}

// fluxString quotes s for a query.
func fluxString(s string) (string, error) {
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\\' }) {
		return "", fmt.Errorf("%q has a control character or a backslash; no stored id has one", s)
	}
	return `"` + strings.NewReplacer(`"`, `\"`, `${`, `\${`).Replace(s) + `"`, nil
}
