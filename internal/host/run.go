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
	if err := h.Start(ctx, h.leading(h.leaderRoutine)); err != nil && !errors.Is(err, context.Canceled) {
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
	g.Go(func() error { return h.relay(ctx) })
	g.Go(func() error { return h.stopWithTheStream(ctx) })
	as(Storing, h.feedHistorian)
	if h.tenancy != nil {
		g.Go(func() error { return h.tenancy.run(ctx) })
		as(Detecting, h.workForAll)
	} else {
		as(Polling, h.poll)
		as(Storing, h.buildAllCurves)
	}
	as(Detecting, h.leading(h.watchDays))
	as(Casework, h.considerFindings)
	as(Serving, h.showCases)
	if !h.does(Storing) || h.tenancy != nil {
		as(Serving, h.watchLive)
	}
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

// stopWithTheStream ends everything when the stream can store nothing more,
// because the disk is full or failing: what it had acknowledged is there after
// the next start.
func (h *Host) stopWithTheStream(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-h.stream.Failed():
		return fmt.Errorf("stopped: %w", err)
	}
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

// quiet is how long days must not have changed before they are judged: an
// import tells of its days in many letters.
const quiet = 5 * time.Second

// routine is what the program does over the days: import what is new, detect
// when days were imported or edited, and once a night.
func (h *Host) routine(ctx context.Context) error {
	if !h.does(Detecting) {
		<-ctx.Done()
		return nil
	}
	h.importFolder(ctx)
	last, err := h.db.Results().LatestResult(ctx)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("latest result: %w", err)
	}
	if last == nil {
		h.detect(ctx, "there is no result yet")
	}
	folder := time.NewTicker(folderInterval)
	defer folder.Stop()
	settled := time.NewTimer(time.Hour)
	settled.Stop()
	defer settled.Stop()
	for {
		night := time.NewTimer(h.untilNight())
		select {
		case <-ctx.Done():
		case <-folder.C:
			h.importFolder(ctx)
		case <-h.changed:
			settled.Reset(quiet)
		case <-settled.C:
			h.detect(ctx, "days were imported or edited")
		case <-night.C:
			h.detect(ctx, "the night's run")
		}
		night.Stop()
		if ctx.Err() != nil {
			return nil
		}
	}
}

// importFolder imports exports that are new. Bad files are logged and tried
// again when they change.
func (h *Host) importFolder(ctx context.Context) {
	if _, err := h.importNew(ctx); err != nil && ctx.Err() == nil {
		h.log.Error("import failed; the file is tried again when it changes", "error", err)
	}
}

func (h *Host) detect(ctx context.Context, why string) {
	_, err := h.Detect(ctx, nil)
	switch {
	case err == nil || ctx.Err() != nil:
	case errors.Is(err, ErrNoDays):
		h.log.Info("nothing to judge yet", "error", err)
	default:
		h.log.Error("detection failed", "because", why, "error", err)
	}
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
