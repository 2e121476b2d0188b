package historian

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Feed runs consume, which hands readings to the function that it gets until
// ctx is done, Config.Writers times at once: while the engine works on one
// batch the next is rendered. What is in memory is one batch each; the rest
// waits where it comes from. The order in which batches arrive does not
// matter.
func (h *Historian) Feed(ctx context.Context, consume func(context.Context, func(context.Context, []meter.Reading) error) error) error {
	g, ctx := errgroup.WithContext(ctx)
	for range h.cfg.Writers {
		g.Go(func() error { return consume(ctx, h.Write) })
	}
	return g.Wait() //nolint:wrapcheck // consume's own error, as it is
}

// Write stores readings and returns nil once the engine has taken them, or
// refused some for good, which then are with Config.Rejected. After an error
// any part may have been stored; writing all of them again is harmless.
func (h *Historian) Write(ctx context.Context, readings []meter.Reading) error {
	if len(readings) == 0 {
		return nil
	}
	err := h.writeAll(ctx, readings)
	if err != nil && ctx.Err() != nil {
		return err // an end on our side says nothing about the engine
	}
	h.remember(err)
	return err
}

func (h *Historian) writeAll(ctx context.Context, readings []meter.Reading) error {
	a, err := h.know(ctx)
	if err != nil {
		h.points.WithLabelValues("failed").Add(float64(len(readings)))
		return err
	}
	s := sender{h: h, form: form{strings: a.engine != VictoriaMetrics, received: !h.withoutReceived()}}
	err = s.send(ctx, readings)
	if err == nil {
		err = s.settle(ctx)
	}
	h.points.WithLabelValues("written").Add(float64(s.written))
	if open := len(readings) - s.written - s.rejected; err != nil && open > 0 {
		h.points.WithLabelValues("failed").Add(float64(open))
	}
	return err
}

// post sends one request, several times where the failure may pass.
func (h *Historian) post(ctx context.Context, body string) error {
	for attempt := 1; ; attempt++ {
		if err := h.pause.wait(ctx); err != nil {
			return err
		}
		err := h.attempt(ctx, body)
		if err == nil || ctx.Err() != nil || judge(err) != passes {
			return err
		}
		now := time.Now()
		if d := retryAfter(err, now); d > 0 {
			h.pause.extend(now.Add(d))
		}
		if attempt == h.cfg.Attempts {
			return err
		}
		h.remember(fmt.Errorf("historian: %s: %w; %s", h.cfg.URL, err, mend(err)))
		wait := h.cfg.backoff(attempt)
		h.log.Debug("historian write failed, trying again", "attempt", attempt, "wait", wait, "error", err)
		if sleep(ctx, wait) != nil {
			return err
		}
	}
}

func (h *Historian) attempt(ctx context.Context, body string) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	return h.write.WriteRecord(ctx, body) //nolint:wrapcheck // the sender looks at it and wraps it
}

// reject gives up readings that the engine will never take.
func (h *Historian) reject(ctx context.Context, readings []meter.Reading, reason error) error {
	if h.cfg.Rejected != nil {
		if err := h.cfg.Rejected(ctx, readings, reason); err != nil {
			return fmt.Errorf("historian: set rejected readings aside: %w", err)
		}
	} else {
		h.log.Error("readings dropped that the historian cannot take", "readings", len(readings), "device", readings[0].DeviceID, "quantity", readings[0].Quantity, "reason", reason)
	}
	h.points.WithLabelValues("rejected").Add(float64(len(readings)))
	return nil
}

// withoutReceived reports whether receive times are left out.
func (h *Historian) withoutReceived() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.late
}

// leaveOutReceived stops writing receive times, whose field another program
// has spoilt: every line carries it, and would be refused.
func (h *Historian) leaveOutReceived(reason error) {
	h.mu.Lock()
	told := h.late
	h.late = true
	h.mu.Unlock()
	if !told {
		h.log.Error("the field "+fieldReceived+" is spoilt by another program: receive times are not stored until the field is gone and this program is started again", "reason", reason)
	}
}

func (h *Historian) remember(failure error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.failure = failure
}
