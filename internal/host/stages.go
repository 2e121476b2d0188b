package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/console"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/stream"
)

// Between the stages everything is durable: what the database changes leaves
// it through its outbox, written in the same transaction, and the relay moves
// it to the stream. A crash anywhere brings it again, under the same message
// id; those who consume it bear that.

// Names of durable consumers of the later stages.
const (
	toCases     = "cases"
	toDetection = "detection"
	toConsole   = "console"
)

const (
	relayInterval = 250 * time.Millisecond
	relayBatch    = 256
	// relayRest is the wait after a failure; the outbox keeps what there is.
	relayRest = 2 * time.Second
)

// relay moves letters from the database's outbox to the stream until ctx ends.
func (h *Host) relay(ctx context.Context) error {
	wait := time.NewTimer(0)
	defer wait.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-wait.C:
		}
		n, err := h.relaySome(ctx)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil
		case err != nil:
			h.log.Warn("what the database changed is not in the stream yet; it is tried again", "error", err)
			wait.Reset(relayRest)
		case n == relayBatch:
			wait.Reset(0)
		default:
			wait.Reset(relayInterval)
		}
	}
}

func (h *Host) relaySome(ctx context.Context) (int, error) {
	letters, err := h.db.Outbox().Take(ctx, relayBatch)
	if err != nil {
		return 0, fmt.Errorf("outbox: %w", err)
	}
	if len(letters) == 0 {
		return 0, nil
	}
	done := make([]int64, 0, len(letters))
	for i := range letters {
		l := &letters[i]
		if err = h.stream.Publish(ctx, stream.Topic(l.Topic), l.Key, l.MsgID, l.Data); err != nil {
			err = fmt.Errorf("%s %s: %w", l.Topic, l.Key, err)
			break
		}
		done = append(done, l.ID)
	}
	if len(done) > 0 {
		err = errors.Join(err, h.db.Outbox().Done(ctx, done))
	}
	return len(letters), err
}

// considerFindings lets cases consider every detection run, once it is stored.
func (h *Host) considerFindings(ctx context.Context) error {
	err := h.stream.Consume(ctx, stream.Findings, toCases, func(ctx context.Context, m stream.Message) error {
		var letter struct {
			RunID string `json:"run_id"`
		}
		if err := json.Unmarshal(m.Data, &letter); err != nil || letter.RunID == "" {
			return stream.Poison(fmt.Errorf("a finding's letter names no run: %w", err))
		}
		return h.consider(ctx, letter.RunID)
	})
	if err != nil {
		return fmt.Errorf("consider findings: %w", err)
	}
	return nil
}

// consider has cases take in a stored run, and marks it.
func (h *Host) consider(ctx context.Context, runID string) error {
	done, err := h.db.Results().Considered(ctx, runID)
	if err != nil || done {
		return err
	}
	result, err := h.db.Results().Result(ctx, runID)
	if err != nil {
		return fmt.Errorf("detection run: %w", err)
	}
	if result == nil {
		return stream.Poison(fmt.Errorf("run %s is not stored any more", runID))
	}
	opened, err := h.cases.Consider(ctx, result)
	if err != nil {
		return fmt.Errorf("cases: %w", err)
	}
	if err := h.db.Results().MarkConsidered(ctx, runID); err != nil {
		return err
	}
	h.log.Info("detection run considered", "run", runID, "cases_opened", opened)
	h.hub.Publish(console.Update{Kind: "result", ID: runID})
	return nil
}

// changedDays is what a letter of METER_DAYS says.
type changedDays struct {
	Date   curve.Date `json:"date"`
	Rule   string     `json:"rule"`
	Meters []string   `json:"meters"`
}

// watchDays tells detection of days that were imported or edited. Those that
// polling closes wait for the night.
func (h *Host) watchDays(ctx context.Context) error {
	err := h.stream.Consume(ctx, stream.MeterDays, toDetection, func(_ context.Context, m stream.Message) error {
		var letter changedDays
		if err := json.Unmarshal(m.Data, &letter); err != nil {
			return stream.Poison(fmt.Errorf("a letter of changed days: %w", err))
		}
		if letter.Rule != curve.OriginImported && letter.Rule != curve.OriginEdited {
			return nil
		}
		select {
		case h.changed <- struct{}{}:
		default:
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("watch the days: %w", err)
	}
	return nil
}

// showCases tells open pages of what happened to cases, on whichever host.
func (h *Host) showCases(ctx context.Context) error {
	durable := toConsole
	if h.cfg.Cluster.Host != "" {
		durable += "-" + h.cfg.Cluster.Host
	}
	err := h.stream.Consume(ctx, stream.CaseEvents, durable, func(_ context.Context, m stream.Message) error {
		var event cases.Event
		if err := json.Unmarshal(m.Data, &event); err != nil {
			return stream.Poison(fmt.Errorf("a case event: %w", err))
		}
		h.hub.Publish(console.Update{Kind: "case", ID: event.CaseID})
		return nil
	})
	if err != nil {
		return fmt.Errorf("show cases: %w", err)
	}
	return nil
}
