package historian

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

const (
	exportPath = "/api/v1/export"

	exportRows = 2000    // values in one row of an export
	exportRow  = 1 << 20 // bytes of one row, which is what they take at most

	metricPrefix = measurement + "_"
	anyValue     = metricPrefix + "[a-z0-9_]+"
	anyBad       = metricPrefix + `[a-z0-9_]+\\` + suffixQuality
)

// victoria asks VictoriaMetrics, which has no Flux, through its export of raw
// samples. There a field is a metric of its own, named MEASUREMENT_FIELD, and
// times are milliseconds.
type victoria struct{ h *Historian }

// row is a part of one series.
type row struct {
	Metric     map[string]string `json:"metric"`
	Values     []*float64        `json:"values"`
	Timestamps []int64           `json:"timestamps"` // milliseconds
}

func (v victoria) count(ctx context.Context, from, to time.Time) (int64, error) {
	total := int64(0)
	err := v.export(ctx, `{__name__=~"`+anyValue+`",__name__!="`+metricPrefix+fieldReceived+`"}`, from, to, func(_ *row, values []Point) error {
		total += int64(len(values))
		return nil
	})
	if err != nil {
		return 0, err
	}
	err = v.export(ctx, `{__name__=~"`+anyBad+`"}`, from, to, func(_ *row, values []Point) error {
		for _, p := range values {
			if p.Value == float64(meter.Bad) {
				total++
			}
		}
		return nil
	})
	return total, err
}

func (v victoria) series(ctx context.Context, meterID string, quantity meter.Quantity, from, to time.Time, window time.Duration) ([]Point, error) {
	var points []Point
	err := v.export(ctx, selector(metricPrefix+string(quantity), meterID), from, to, func(_ *row, values []Point) error {
		points = append(points, values...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(points, func(a, b Point) int { return a.Time.Compare(b.Time) })
	if window > 0 {
		points = windows(points, window, quantity.Cumulative())
	}
	return points, nil
}

// windows makes one point of each window, in place: the last value, or the mean.
func windows(points []Point, window time.Duration, last bool) []Point {
	out := points[:0]
	n := 0.0
	for _, p := range points {
		start := time.Unix(0, p.Time.UnixNano()-floorMod(p.Time.UnixNano(), int64(window))).UTC()
		if len(out) == 0 || !out[len(out)-1].Time.Equal(start) {
			out = append(out, Point{Time: start, Value: p.Value})
			n = 1
			continue
		}
		n++
		sum := &out[len(out)-1]
		if last {
			sum.Value = p.Value
		} else {
			sum.Value += (p.Value - sum.Value) / n
		}
	}
	return out
}

func floorMod(a, b int64) int64 { return (a%b + b) % b }

func (v victoria) latest(ctx context.Context, meterID string, from, to time.Time) ([]Value, error) {
	newest := make(map[Value]Point)
	err := v.export(ctx, `{__name__=~"`+anyValue+`",__name__!="`+metricPrefix+fieldReceived+`",`+tagMeter+`=`+strconv.Quote(meterID)+`}`, from, to, func(r *row, values []Point) error {
		of := r.of()
		for _, p := range values {
			if before, ok := newest[of]; !ok || p.Time.After(before.Time) {
				newest[of] = p
			}
		}
		return nil
	})
	var out []Value
	for of, p := range newest {
		of.Point = p
		out = append(out, of)
	}
	slices.SortFunc(out, func(a, b Value) int {
		return strings.Compare(a.DeviceID+"\x00"+string(a.Quantity), b.DeviceID+"\x00"+string(b.Quantity))
	})
	return out, err
}

func (v victoria) values(ctx context.Context, from, to time.Time, fn func(Value) error) error {
	return v.export(ctx, `{__name__=~"`+anyValue+`",__name__!="`+metricPrefix+fieldReceived+`"}`, from, to, func(r *row, values []Point) error {
		of := r.of()
		for _, p := range values {
			of.Point = p
			if err := fn(of); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *row) of() Value {
	return Value{
		DeviceID: r.Metric[tagDevice], MeterID: r.Metric[tagMeter],
		Quantity: meter.Quantity(strings.TrimPrefix(r.Metric["__name__"], metricPrefix)),
	}
}

func selector(metric, meterID string) string {
	return `{__name__=` + strconv.Quote(metric) + `,` + tagMeter + `=` + strconv.Quote(meterID) + `}`
}

// export calls fn for every row of the samples of match from from (inclusive)
// to to (exclusive), with the values that are numbers, each time of a series
// once. The rows of a series come in order; those of several may mix.
func (v victoria) export(ctx context.Context, match string, from, to time.Time, fn func(*row, []Point) error) (err error) {
	first, last := ceilMilli(from), ceilMilli(to)-1
	if last < first {
		return nil
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := v.h.cfg.Patience
	bored := time.AfterFunc(patience, func() { cancel(fmt.Errorf("no answer for %s", patience)) })
	defer bored.Stop()
	defer func() {
		if cause := context.Cause(ctx); err != nil && cause != nil {
			err = cause
		}
		if err != nil {
			err = fmt.Errorf("query %s: %w", v.h.cfg.queryURL(), err)
		}
	}()
	body, err := v.open(ctx, url.Values{
		"match[]": {match}, "start": {seconds(first)}, "end": {seconds(last)},
		"max_rows_per_line": {strconv.Itoa(exportRows)},
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, body.Close()) }()
	return eachRow(body, func(r *row, points []Point) error {
		bored.Stop() // what fn does with a row takes its time
		defer bored.Reset(patience)
		return fn(r, points)
	})
}

// eachRow calls fn for every row of an export.
func eachRow(body io.Reader, fn func(*row, []Point) error) error {
	seen := make(map[string]int64) // the last time of each series
	lines := bufio.NewScanner(body)
	lines.Buffer(make([]byte, 0, 64<<10), exportRow)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return fmt.Errorf("a row of the export is none: %w", err)
		}
		if len(r.Values) != len(r.Timestamps) {
			return fmt.Errorf("a row of the export has %d values and %d times", len(r.Values), len(r.Timestamps))
		}
		if err := fn(&r, r.points(seen)); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("export: %w", err)
	}
	return nil
}

// points are the numbers of r that are new. A reading that was written twice
// may be there twice: the engine removes repeats only with
// -dedup.minScrapeInterval, and late.
func (r *row) points(seen map[string]int64) []Point {
	key := r.Metric["__name__"] + "\x00" + r.Metric[tagDevice] + "\x00" + r.Metric[tagMeter]
	before, ok := seen[key]
	out := make([]Point, 0, len(r.Values))
	for i, value := range r.Values {
		at := r.Timestamps[i]
		if value == nil || math.IsNaN(*value) || ok && at <= before {
			continue
		}
		before, ok = at, true
		out = append(out, Point{Time: time.UnixMilli(at).UTC(), Value: *value})
	}
	if ok {
		seen[key] = before
	}
	return out
}

// open starts an export and returns its rows.
func (v victoria) open(ctx context.Context, params url.Values) (io.ReadCloser, error) {
	address := strings.TrimSuffix(v.h.cfg.queryURL(), "/") + exportPath
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(params.Encode()))
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	v.h.authorize(req)
	resp, err := v.h.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("export: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, maxTrouble))
		return nil, errors.Join(fmt.Errorf("export: %s: %s", resp.Status, bytes.TrimSpace(text)), err, resp.Body.Close())
	}
	return resp.Body, nil
}

// ceilMilli is t in milliseconds of the epoch, rounded up.
func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if time.UnixMilli(ms).Before(t) {
		ms++
	}
	return ms
}

// seconds writes milliseconds as seconds of the epoch.
func seconds(ms int64) string {
	return strconv.FormatFloat(float64(ms)/1000, 'f', 3, 64)
}
