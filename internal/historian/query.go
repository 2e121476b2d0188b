package historian

import (
	"context"
	"errors"
	"fmt"
	"time"

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

// reader answers queries in an engine's own way.
type reader interface {
	count(ctx context.Context, from, to time.Time) (int64, error)
	series(ctx context.Context, meterID string, quantity meter.Quantity, from, to time.Time, window time.Duration) ([]Point, error)
	latest(ctx context.Context, meterID string, from, to time.Time) ([]Value, error)
	values(ctx context.Context, from, to time.Time, fn func(Value) error) error
}

func (h *Historian) reader(ctx context.Context) (reader, error) {
	if h == nil {
		return nil, errors.New("there is no historian; set historian.url")
	}
	a, err := h.know(ctx)
	if err != nil {
		return nil, err
	}
	if a.engine.Flux() {
		return flux{h}, nil
	}
	return victoria{h}, nil
}

// aggregate is the Flux function that makes one value of a window's.
func aggregate(q meter.Quantity) string {
	if q.Cumulative() {
		return "last"
	}
	return "mean"
}

// Count returns the number of readings stored with event times from from
// (inclusive) to to (exclusive): values and notes of bad quality.
func (h *Historian) Count(ctx context.Context, from, to time.Time) (n int64, err error) {
	r, err := h.reader(ctx)
	if err == nil {
		n, err = r.count(ctx, from, to)
	}
	if err != nil {
		return 0, fmt.Errorf("historian: count: %w", err)
	}
	return n, nil
}

// Series returns one quantity of one meter from from (inclusive) to to
// (exclusive), in order of time. With a window each point is the mean of its
// window, or the last value of a cumulative register, at the window's start;
// windows are counted from the epoch. With a window of 0 the values come as
// they were read.
func (h *Historian) Series(ctx context.Context, meterID string, quantity meter.Quantity, from, to time.Time, window time.Duration) (points []Point, err error) {
	r, err := h.reader(ctx)
	if err == nil {
		points, err = r.series(ctx, meterID, quantity, from, to, window)
	}
	if err != nil {
		return nil, fmt.Errorf("historian: series of meter %s, %s: %w", clip(meterID, maxName), clip(string(quantity), maxName), err)
	}
	return points, nil
}

// Latest returns the newest value of each quantity of a meter from from
// (inclusive) to to (exclusive), one for each device that had it.
func (h *Historian) Latest(ctx context.Context, meterID string, from, to time.Time) (values []Value, err error) {
	r, err := h.reader(ctx)
	if err == nil {
		values, err = r.latest(ctx, meterID, from, to)
	}
	if err != nil {
		return nil, fmt.Errorf("historian: latest values of meter %s: %w", clip(meterID, maxName), err)
	}
	return values, nil
}

// Values calls fn with every stored value (not with notes of bad quality) of
// every meter from from (inclusive) to to (exclusive), series by series. It
// streams; an error of fn ends it.
func (h *Historian) Values(ctx context.Context, from, to time.Time, fn func(Value) error) error {
	r, err := h.reader(ctx)
	if err == nil {
		err = r.values(ctx, from, to, fn)
	}
	if err != nil {
		return fmt.Errorf("historian: values: %w", err)
	}
	return nil
}
