package historian

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	influxhttp "github.com/influxdata/influxdb-client-go/v2/api/http"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// line is one rendered line and the readings in it.
type line struct {
	text     []byte
	readings []meter.Reading
}

// Write stores readings and returns nil once the engine has taken them. After
// an error any part may have been stored; writing all of them again is
// harmless.
func (h *Historian) Write(ctx context.Context, readings []meter.Reading) error {
	err := h.writeAll(ctx, readings)
	if err != nil && ctx.Err() != nil {
		return err // an end on our side says nothing about the engine
	}
	h.remember(err)
	return err
}

func (h *Historian) writeAll(ctx context.Context, readings []meter.Reading) error {
	lines, unfit, reason := render(readings)
	if len(unfit) > 0 {
		if err := h.reject(ctx, unfit, reason); err != nil {
			return err
		}
	}
	for len(lines) > 0 {
		n, size := 0, 0
		for n < len(lines) && (n == 0 || size+len(lines[n].text) <= h.cfg.BatchBytes) {
			size += len(lines[n].text)
			n++
		}
		if err := h.writeLines(ctx, lines[:n]); err != nil {
			h.points.WithLabelValues("failed").Add(count(lines))
			return err
		}
		lines = lines[n:]
	}
	return nil
}

func count(lines []line) float64 {
	n := 0
	for i := range lines {
		n += len(lines[i].readings)
	}
	return float64(n)
}

// bytesPerReading is what a reading takes in a line where ten share one.
const bytesPerReading = 40

// render turns readings into lines, and returns apart those that no engine
// could take, with the reason of the first.
func render(readings []meter.Reading) (lines []line, unfit []meter.Reading, reason error) {
	// One buffer for all lines; each line is a part of it.
	buf := make([]byte, 0, bytesPerReading*len(readings))
	for i := 0; i < len(readings); {
		if err := storable(&readings[i]); err != nil {
			if reason == nil {
				reason = err
			}
			unfit = append(unfit, readings[i])
			i++
			continue
		}
		end := i + 1
		for end < len(readings) && sameLine(&readings[i], &readings[end]) &&
			fieldName(&readings[end]) == nil && !repeated(readings[i:end], readings[end].Quantity) {
			end++
		}
		start := len(buf)
		buf = appendLine(buf, readings[i:end])
		lines = append(lines, line{text: buf[start:len(buf):len(buf)], readings: readings[i:end]})
		i = end
	}
	return lines, unfit, reason
}

func repeated(readings []meter.Reading, q meter.Quantity) bool {
	return slices.ContainsFunc(readings, func(r meter.Reading) bool { return r.Quantity == q })
}

// writeLines writes one batch. Where the engine refuses a part of it for
// good, it halves the batch until the refused lines stand alone.
func (h *Historian) writeLines(ctx context.Context, lines []line) error {
	err := h.post(ctx, lines)
	if err == nil {
		h.points.WithLabelValues("written").Add(count(lines))
		return nil
	}
	refused, tooLarge := verdict(err)
	switch {
	case !refused && !tooLarge:
		return fmt.Errorf("historian: write %d lines to %s: %w; %s", len(lines), h.cfg.URL, err, mend(err))
	case len(lines) == 1:
		return h.reject(ctx, lines[0].readings, err)
	}
	half := len(lines) / 2
	if err := h.writeLines(ctx, lines[:half]); err != nil {
		return err
	}
	return h.writeLines(ctx, lines[half:])
}

// post sends one request, several times where the failure may pass.
func (h *Historian) post(ctx context.Context, lines []line) error {
	var body strings.Builder
	size := 0
	for i := range lines {
		size += len(lines[i].text)
	}
	body.Grow(size)
	for i := range lines {
		body.Write(lines[i].text)
	}
	for attempt := 1; ; attempt++ {
		err := h.attempt(ctx, body.String())
		if err == nil {
			return nil
		}
		refused, tooLarge := verdict(err)
		if refused || tooLarge || ctx.Err() != nil || attempt == h.cfg.Attempts {
			return err
		}
		wait := h.wait(attempt, err)
		h.log.Debug("historian write failed, trying again", "attempt", attempt, "wait", wait, "error", err)
		t := time.NewTimer(wait)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return err
		}
	}
}

func (h *Historian) attempt(ctx context.Context, body string) error {
	ctx, cancel := context.WithTimeout(ctx, h.cfg.Timeout)
	defer cancel()
	return h.write.WriteRecord(ctx, body) //nolint:wrapcheck // writeLines looks at it and wraps it
}

// wait is the time before the next attempt: doubling and bounded, or what the
// engine asks for where that is more, within the same bound.
func (h *Historian) wait(attempt int, err error) time.Duration {
	d := h.cfg.MinBackoff << (attempt - 1)
	var answer *influxhttp.Error
	if errors.As(err, &answer) && answer.RetryAfter > 0 {
		d = max(d, time.Duration(answer.RetryAfter)*time.Second)
	}
	return min(d, h.cfg.MaxBackoff)
}

// verdict says whether the engine refuses the content for good, or only the
// size of the request.
func verdict(err error) (refused, tooLarge bool) {
	var answer *influxhttp.Error
	if !errors.As(err, &answer) {
		return false, false
	}
	switch answer.StatusCode {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return true, false
	case http.StatusRequestEntityTooLarge:
		return false, true
	}
	return false, false
}

// mend says what to do about a failure.
func mend(err error) string {
	var answer *influxhttp.Error
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return "check the historian's token and that it may write to the bucket"
		case http.StatusNotFound:
			return "create the bucket, or correct historian.org and historian.bucket"
		}
	}
	return "check that the engine runs and historian.url; the readings wait in the stream"
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
