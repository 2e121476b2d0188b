package cluster

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// watch shows the loop the bucket until ctx ends, and reads it anew when asked to.
func (m *Member) watch(ctx context.Context, again <-chan struct{}) {
	for failures := 0; ctx.Err() == nil; {
		err := m.follow(ctx, again)
		if err == nil {
			failures = 0
			continue // asked to
		}
		if ctx.Err() != nil {
			return
		}
		level := slog.LevelDebug
		if failures++; failures == 1 {
			level = slog.LevelWarn
		}
		m.log.Log(ctx, level, "the cluster's bucket cannot be watched; trying again", "error", err)
		if errors.Is(err, jetstream.ErrStreamNotFound) || errors.Is(err, jetstream.ErrBucketNotFound) {
			limited, cancel := context.WithTimeout(ctx, m.timing.lease)
			if err := m.openBucket(limited); err != nil {
				m.log.Warn("the cluster's bucket is gone and cannot be made", "error", err)
			}
			cancel()
		}
		select {
		case <-time.After(m.timing.every):
		case <-ctx.Done():
		}
	}
}

// follow reads the bucket once and then what changes. It returns nil when it
// is to be read anew.
func (m *Member) follow(ctx context.Context, again <-chan struct{}) error {
	started, cancel := context.WithCancel(ctx)
	defer cancel()
	// The watcher lives as long as this context: a deadline for its start only.
	timer := time.AfterFunc(m.timing.lease, cancel)
	watcher, err := m.kv.WatchAll(started)
	if !timer.Stop() && err == nil {
		err = context.DeadlineExceeded
	}
	if err != nil {
		return err
	}
	defer func() {
		if err := watcher.Stop(); err != nil {
			m.log.Debug("watcher not stopped", "error", err)
		}
	}()
	m.send(ctx, func(now time.Duration) { m.mind.rereads(now) })
	for {
		select {
		case entry, open := <-watcher.Updates():
			if !open {
				return errors.New("the watch ended")
			}
			m.show(ctx, entry)
		case <-again:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// show hands an entry to the loop; nil says that all has been read.
func (m *Member) show(ctx context.Context, entry jetstream.KeyValueEntry) {
	if entry == nil {
		m.send(ctx, func(now time.Duration) { m.mind.complete(now) })
		return
	}
	c := &change{
		key: entry.Key(), revision: entry.Revision(), data: entry.Value(),
		deleted: entry.Operation() != jetstream.KeyValuePut,
	}
	m.send(ctx, func(now time.Duration) {
		if err := m.mind.changed(c, now); err != nil {
			m.log.Error("the cluster's bucket holds what is not ours", "error", err)
		}
	})
}
