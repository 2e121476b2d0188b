package host

import (
	"context"
	"errors"
	"fmt"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
)

// ErrNoDays is returned by Detect where no closed day is stored yet.
var ErrNoDays = errors.New("no closed day of any meter is stored yet; import an AMI export, or poll for a day")

// Detect runs every detector over the closed days, stores the result, and
// lets cases consider it. One run goes on at a time; others wait.
func (h *Host) Detect(ctx context.Context, progress func(detect.Progress)) (*detect.Result, error) {
	select {
	case <-h.detecting:
		defer func() { h.detecting <- struct{}{} }()
	case <-ctx.Done():
		return nil, fmt.Errorf("detection: %w", ctx.Err())
	}
	first, last, err := h.window(ctx)
	if err != nil {
		return nil, err
	}
	in := h.detectInput()
	in.First, in.Last, in.Progress = first, last, progress
	result, err := h.judge(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("detection: %w", err)
	}
	for _, f := range result.Failed {
		h.log.Error("a detector did not finish; the others' judgement stands", "detector", f.Detector, "error", f.Error)
	}
	if err := h.db.Results().SaveResult(ctx, result); err != nil {
		return nil, fmt.Errorf("detection: %w", err)
	}
	h.log.Info("detection finished", "from", first, "to", last, "usage_points", len(result.UsagePoints))
	// The stored run is on its way to the cases through the stream; where they
	// are here it need not come that far.
	if h.does(Casework) {
		if err := h.consider(ctx, result.RunID); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// window is the span that detectors look at: the closed days of the lookback.
// The day in progress is left out.
func (h *Host) window(ctx context.Context) (first, last curve.Date, err error) {
	first, last, ok, err := h.db.Curves().Span(ctx)
	if err != nil {
		return 0, 0, fmt.Errorf("span of the curves: %w", err)
	}
	last = min(last, curve.DateOf(h.opts.Now().In(h.cfg.Location()))-1)
	if !ok || first > last {
		return 0, 0, ErrNoDays
	}
	return max(first, last-curve.Date(h.cfg.Detection.LookbackDays)+1), last, nil
}
