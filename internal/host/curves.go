package host

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/stream"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// curveReader is the name under which curves keep their position in the
// stream, with the partition where there are several.
const curveReader = "curves"

// buildAllCurves turns all readings of the stream into meter-days until ctx ends.
func (h *Host) buildAllCurves(ctx context.Context) error {
	return h.buildCurves(ctx, stream.AllPartitions, 0)
}

// buildCurves turns the readings of a partition into meter-days until ctx
// ends, under the token of its lease. Days, states and the position in the
// stream are committed together, so that it goes on where it was. The error is
// curve.ErrFenced where another host has taken over.
func (h *Host) buildCurves(ctx context.Context, partition int, token uint64) error {
	reader := curveReader
	if partition != stream.AllPartitions {
		reader += "." + strconv.Itoa(partition)
	}
	c := &h.cfg.Curves
	grace := c.Grace
	if grace == 0 {
		grace = -1 // at once
	}
	accumulator, err := curve.NewAccumulator(curve.AccumulatorConfig{
		Store: h.db.Curves(), Reader: reader, Token: token,
		Location: h.cfg.Location(), Interval: c.Interval, Grace: grace, MaxLate: c.MaxLate,
		Limits:   func(meterID string, t time.Time) curve.Limits { return curve.LimitsOf(h.Network(), meterID, t) },
		Rollover: h.rollover, Clock: h.opts.Now, Logger: h.log, Metrics: h.metrics,
	})
	if err != nil {
		return fmt.Errorf("curves: %w", err)
	}
	after, err := h.curvePosition(ctx, accumulator, partition)
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		if err := accumulator.Run(ctx); err != nil {
			return fmt.Errorf("curves: %w", err)
		}
		return nil
	})
	g.Go(func() error {
		from := stream.Reader{Name: curveReader, Partition: partition, After: after}
		err := h.stream.ReadReadings(ctx, from, func(ctx context.Context, readings []meter.Reading, last uint64) error {
			h.latest.accept(readings)
			err := accumulator.Accept(ctx, readings, last)
			if errors.Is(err, curve.ErrFenced) {
				return stream.Final(err)
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("build curves: %w", err)
		}
		return nil
	})
	return g.Wait() //nolint:wrapcheck // wrapped above
}

// curvePosition is where reading goes on. Versions before positions had a
// durable consumer: what that had acknowledged is in the curves, and the
// stream need not remember it any more.
func (h *Host) curvePosition(ctx context.Context, a *curve.Accumulator, partition int) (uint64, error) {
	after, err := a.Position(ctx)
	if err != nil {
		return 0, fmt.Errorf("curves: %w", err)
	}
	if partition != stream.AllPartitions {
		return after, nil
	}
	acknowledged, err := h.stream.Acknowledged(ctx, stream.Readings, curveReader)
	if err != nil {
		return 0, fmt.Errorf("curves: %w", err)
	}
	if err := h.stream.Forget(ctx, stream.Readings, curveReader); err != nil {
		return 0, fmt.Errorf("curves: %w", err)
	}
	return max(after, acknowledged), nil
}

// watchLive follows the newest values of all meters, for a console whose
// process builds no curves or not all of them, until ctx ends.
func (h *Host) watchLive(ctx context.Context) error {
	states, err := h.stream.States(ctx)
	for err != nil && ctx.Err() == nil { // servers that elect a leader answer a little later
		h.log.Warn("live values of other hosts are not shown yet; trying again", "error", err)
		select {
		case <-time.After(curveRest):
		case <-ctx.Done():
		}
		states, err = h.stream.States(ctx)
	}
	if err != nil {
		return nil
	}
	from := stream.Reader{Name: "live", Partition: stream.AllPartitions}
	for i := range states {
		if states[i].Topic == stream.Readings {
			from.After = states[i].Last
		}
	}
	err = h.stream.ReadReadings(ctx, from, func(_ context.Context, readings []meter.Reading, _ uint64) error {
		h.latest.accept(readings)
		return nil
	})
	if err != nil {
		return fmt.Errorf("live values: %w", err)
	}
	return nil
}
