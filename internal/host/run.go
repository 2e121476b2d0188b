package host

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
)

// folderInterval is how often new AMI exports are looked for.
const folderInterval = time.Minute

// Run polls, stores, detects and serves until ctx ends; then it stops cleanly
// and returns nil. Exports that the configuration names are imported first
// while everything else runs already.
func (h *Host) Run(ctx context.Context) error {
	if err := h.Start(ctx, h.routine); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// Start runs polling, storing and the console, and beside them main, until
// main returns an error or ctx ends.
func (h *Host) Start(ctx context.Context, main func(context.Context) error) error {
	g, ctx := errgroup.WithContext(ctx)
	as := func(role Role, work func(context.Context) error) {
		if h.does(role) {
			g.Go(func() error { return work(ctx) })
		}
	}
	g.Go(func() error { return h.web.serve(ctx) }) // metrics and health in every role
	g.Go(func() error { return h.control.Serve(ctx, h.controlled()) })
	g.Go(func() error { return h.reloadOnSignal(ctx) })
	as(Storing, h.feedHistorian)
	as(Storing, h.feedCurves)
	as(Polling, h.poll)
	as(Storing, h.keepCurves)
	g.Go(func() error { return main(ctx) })
	return g.Wait() //nolint:wrapcheck // wrapped above
}

// poll reads the devices until ctx ends.
func (h *Host) poll(ctx context.Context) error {
	if err := h.poller.Run(ctx); err != nil {
		return fmt.Errorf("polling: %w", err)
	}
	return nil
}

// keepCurves saves what becomes of the readings until ctx ends.
func (h *Host) keepCurves(ctx context.Context) error {
	if err := h.accumulator.Run(ctx); err != nil {
		return fmt.Errorf("curves: %w", err)
	}
	return nil
}

// drainLimit bounds Drain.
const drainLimit = 30 * time.Second

// Drain moves what still waits in the stream to the historian, after Start has
// returned. What cannot be moved in time stays in the stream and is an error.
func (h *Host) Drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, drainLimit)
	defer cancel()
	feed, stop := context.WithCancel(ctx)
	defer stop()
	fed := make(chan error, 1)
	go func() { fed <- h.feedHistorian(feed) }()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		waiting, err := h.Backlog(ctx)
		if err == nil && waiting == 0 {
			stop()
			return <-fed
		}
		select {
		case <-tick.C:
		case err := <-fed:
			return err
		case <-ctx.Done():
			stop()
			return errors.Join(fmt.Errorf("%d batches still wait in the stream for the historian; they are written after the next start", waiting), <-fed)
		}
	}
}

// routine is what the program does over the days: import what is new, detect
// when new days were closed, and once a night.
func (h *Host) routine(ctx context.Context) error {
	if !h.does(Detecting) {
		<-ctx.Done()
		return nil
	}
	if err := h.importAndDetect(ctx); err != nil {
		return err
	}
	folder := time.NewTicker(folderInterval)
	defer folder.Stop()
	for {
		night := time.NewTimer(h.untilNight())
		select {
		case <-ctx.Done():
			night.Stop()
			return nil
		case <-folder.C:
			night.Stop()
			if err := h.importAndDetect(ctx); err != nil {
				return err
			}
		case <-night.C:
			if _, err := h.Detect(ctx, nil); err != nil {
				h.log.Error("nightly detection failed", "error", err)
			}
		}
	}
}

// importAndDetect imports exports that are new, and detects when any day came
// or there is no result yet. Bad files are logged and tried again when changed.
func (h *Host) importAndDetect(ctx context.Context) error {
	days, err := h.importNew(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		h.log.Error("import failed; the file is tried again when it changes", "error", err)
	}
	last, err := h.db.Results().LatestResult(ctx)
	if err != nil {
		return fmt.Errorf("latest result: %w", err)
	}
	if days == 0 && last != nil {
		return nil
	}
	if _, err := h.Detect(ctx, nil); err != nil && ctx.Err() == nil {
		h.log.Error("detection failed", "error", err)
	}
	return nil
}

// untilNight is how long it is until the next nightly run.
func (h *Host) untilNight() time.Duration {
	now := h.opts.Now().In(h.cfg.Location())
	at, err := time.Parse("15:04", h.cfg.Detection.At)
	if err != nil {
		at = time.Date(0, 1, 1, 3, 30, 0, 0, time.UTC) // config has checked the form; the default of last resort
	}
	next := time.Date(now.Year(), now.Month(), now.Day(), at.Hour(), at.Minute(), 0, 0, now.Location())
	if !next.After(now) {
		next = time.Date(now.Year(), now.Month(), now.Day()+1, at.Hour(), at.Minute(), 0, 0, now.Location())
	}
	return next.Sub(now)
}
