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

// flux asks an engine that knows Flux.
type flux struct{ h *Historian }

func (f flux) count(ctx context.Context, from, to time.Time) (int64, error) {
	total := int64(0)
	for _, which := range []string{
		onlyValues,
		` and r._field =~ /\` + suffixQuality + `$/ and r._value == 0`,
	} {
		text := f.source(from, to, which) + `
  |> group()
  |> count()`
		err := f.each(ctx, text, func(r *api.QueryTableResult) error {
			n, ok := r.Record().Value().(int64)
			if !ok {
				return fmt.Errorf("a count is %v", r.Record().Value())
			}
			total += n
			return nil
		})
		if err != nil {
			return 0, err
		}
	}
	return total, nil
}

func (f flux) series(ctx context.Context, meterID string, quantity meter.Quantity, from, to time.Time, window time.Duration) ([]Point, error) {
	id, err := fluxString(meterID)
	if err != nil {
		return nil, fmt.Errorf("meter id: %w", err)
	}
	field, err := fluxString(string(quantity))
	if err != nil {
		return nil, fmt.Errorf("quantity: %w", err)
	}
	text := f.source(from, to, ` and r.`+tagMeter+` == `+id+` and r._field == `+field) + `
  |> group()`
	if window > 0 {
		text += fmt.Sprintf(`
  |> sort(columns: ["_time"])
  |> aggregateWindow(every: %dns, fn: %s, timeSrc: "_start", createEmpty: false)`, window.Nanoseconds(), aggregate(quantity))
	}
	text += `
  |> keep(columns: ["_time", "_value"])
  |> sort(columns: ["_time"])`
	var out []Point
	err = f.each(ctx, text, func(r *api.QueryTableResult) error {
		p, err := point(r)
		out = append(out, p)
		return err
	})
	return out, err
}

func (f flux) latest(ctx context.Context, meterID string, from, to time.Time) ([]Value, error) {
	id, err := fluxString(meterID)
	if err != nil {
		return nil, fmt.Errorf("meter id: %w", err)
	}
	text := f.source(from, to, onlyValues+` and r.`+tagMeter+` == `+id) + `
  |> last()`
	var out []Value
	err = f.each(ctx, text, func(r *api.QueryTableResult) error {
		v, err := value(r)
		out = append(out, v)
		return err
	})
	return out, err
}

func (f flux) values(ctx context.Context, from, to time.Time, fn func(Value) error) error {
	return f.each(ctx, f.source(from, to, onlyValues), func(r *api.QueryTableResult) error {
		v, err := value(r)
		if err != nil {
			return err
		}
		return fn(v)
	})
}

func value(r *api.QueryTableResult) (Value, error) {
	p, err := point(r)
	rec := r.Record()
	device, _ := rec.ValueByKey(tagDevice).(string) // absent is empty
	id, _ := rec.ValueByKey(tagMeter).(string)
	return Value{DeviceID: device, MeterID: id, Quantity: meter.Quantity(rec.Field()), Point: p}, err
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
func (f flux) source(from, to time.Time, which string) string {
	start, stop := from.UTC().Format(time.RFC3339Nano), to.UTC().Format(time.RFC3339Nano)
	return fmt.Sprintf(`from(bucket: %q)
  |> range(start: %s, stop: %s)
  |> filter(fn: (r) => r._measurement == %q%s)
  |> filter(fn: (r) => r._time < %s)`, f.h.cfg.Bucket, start, stop, measurement, which, stop)
}

// onlyValues leaves out what accompanies values.
const onlyValues = ` and r._field !~ /\./ and r._field != "` + fieldReceived + `"`

// each runs a query and calls fn for every record. An engine that brings no
// row for Config.Patience is given up.
func (f flux) each(ctx context.Context, text string, fn func(*api.QueryTableResult) error) (err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := f.h.cfg.Patience
	bored := time.AfterFunc(patience, func() { cancel(fmt.Errorf("no answer for %s", patience)) })
	defer bored.Stop()
	failed := func(err error) error {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("query %s: %w; the engine must run and know Flux", f.h.cfg.queryURL(), err)
	}
	result, err := f.h.query.Query(ctx, text)
	if err != nil {
		return failed(err)
	}
	defer func() {
		if closeErr := result.Close(); err == nil && closeErr != nil {
			err = failed(closeErr)
		}
	}()
	for result.Next() {
		bored.Stop() // what fn does with a row takes its time
		if err := fn(result); err != nil {
			return err
		}
		bored.Reset(patience)
	}
	if err := result.Err(); err != nil {
		return failed(err)
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
