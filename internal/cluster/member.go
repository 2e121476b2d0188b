package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// ErrNameTaken says that another process of this cluster has the host's name.
var ErrNameTaken = errors.New("another process of this cluster has the same host name; give each host its own under cluster.host")

// Member is one host's part in a cluster. Make it with Join, let it work with
// Run. Its methods may be called by many goroutines.
type Member struct {
	cfg    Config
	timing timing
	log    *slog.Logger
	js     jetstream.JetStream
	kv     jetstream.KeyValue
	clock  func() time.Duration
	until  atomic.Int64 // of the clock; when the lease ends

	mind  *mind // of the loop
	fell  bool  // what was told last; of the loop
	inbox chan func(now time.Duration)
	ended chan struct{} // closed when the loop is over
	work  sync.WaitGroup

	acquiring []context.CancelFunc // by partition; of the loop

	shown atomic.Pointer[State]
	count counts
}

// leaveTime bounds how long giving everything up may take in the end.
const leaveTime = 24 * time.Second

// Join makes sure that the bucket exists and that no living process has this
// host's name: where one had it that did not leave, this takes as long as a lease.
func Join(ctx context.Context, cfg Config) (*Member, error) {
	cfg.setDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	m := &Member{
		cfg: cfg, timing: timingOf(cfg.Lease), log: cfg.Logger.With("host", cfg.Host), js: cfg.JetStream, clock: newClock(),
		inbox: make(chan func(time.Duration), 64), ended: make(chan struct{}),
		acquiring: make([]context.CancelFunc, cfg.Partitions),
	}
	about := heartbeat{
		identity: identity{cfg.Host, nuid.Next()}, Started: cfg.Now().UTC(),
		Address: cfg.Address, Version: cfg.Version, Digest: cfg.Digest,
	}
	m.mind = newMind(m.timing, about, cfg.Partitions, func() time.Time { return cfg.Now().UTC() })
	m.fell = true
	m.shown.Store(&State{})
	if err := m.openBucket(ctx); err != nil {
		return nil, err
	}
	if err := m.claimName(ctx); err != nil {
		return nil, err
	}
	if err := m.count.register(m, cfg.Metrics); err != nil {
		return nil, err
	}
	return m, nil
}

func (m *Member) openBucket(ctx context.Context) (err error) {
	m.kv, err = m.js.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{
		Bucket: m.cfg.Bucket, Description: "who is there, and who holds what", Replicas: m.cfg.Replicas, Storage: jetstream.FileStorage,
	})
	if err != nil {
		return fmt.Errorf("cluster: create the bucket %s: %w; check that JetStream is enabled and that the cluster has %d servers", m.cfg.Bucket, err, m.cfg.Replicas)
	}
	return nil
}

// claimName finds the revision on top of which the first heartbeat is written.
// A key that another process has left, without a word, is watched for as long
// as a lease: the write fails if it changes until then.
func (m *Member) claimName(ctx context.Context) error {
	entry, err := m.kv.Get(ctx, hostPrefix+m.cfg.Host)
	if errors.Is(err, jetstream.ErrKeyNotFound) {
		return nil // where it was deleted the view will tell the revision
	}
	if err != nil {
		return fmt.Errorf("cluster: look for %s in the bucket: %w", m.cfg.Host, err)
	}
	m.log.Info("a process of this name did not leave the cluster; waiting until its lease is over", "lease", m.cfg.Lease)
	select {
	case <-time.After(m.cfg.Lease):
	case <-ctx.Done():
		return fmt.Errorf("cluster: %w", ctx.Err())
	}
	now, err := m.kv.Get(ctx, hostPrefix+m.cfg.Host)
	if err == nil && now.Revision() != entry.Revision() {
		return fmt.Errorf("cluster: host %s: %w", m.cfg.Host, ErrNameTaken)
	}
	m.mind.revision = entry.Revision()
	return nil
}

// Valid reports whether what this host holds is certainly still its own. It is
// cheap, and right also at the first moment after the process was stopped.
func (m *Member) Valid() bool { return m.clock() < time.Duration(m.until.Load()) }

// Run takes part, once, until ctx ends; then it gives up what it holds, in order, and
// returns. The error is ErrNameTaken, or says what could not be ended.
func (m *Member) Run(ctx context.Context) error {
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer m.work.Wait()
	defer cancel()
	defer close(m.ended)
	defer m.until.Store(0)
	defer m.count.unregister(m.cfg.Metrics)
	rereads := make(chan struct{}, 1)
	m.work.Go(func() { m.watch(inner, rereads) })
	tick := time.NewTicker(m.timing.every / 2)
	defer tick.Stop()
	var deadline <-chan time.Time
	leave := ctx.Done()
	for {
		select {
		case do := <-m.inbox:
			do(m.clock())
			for range len(m.inbox) { // what else has come, before the next thought
				(<-m.inbox)(m.clock())
			}
		case <-tick.C:
		case <-leave:
			leave = nil
			m.mind.leaving = true
			timer := time.NewTimer(leaveTime)
			defer timer.Stop()
			deadline = timer.C
		case <-deadline:
			return fmt.Errorf("cluster: not everything was given up within %v; others take it over after %v", leaveTime, m.cfg.Lease)
		}
		list := m.mind.step(m.clock())
		m.until.Store(int64(m.mind.valid()))
		m.tell()
		for i := range list {
			m.act(inner, &list[i], rereads)
		}
		switch {
		case m.mind.taken:
			return m.surrender(inner)
		case m.mind.departed:
			return nil
		}
	}
}

// send gives the loop something to do. It drops it where the loop has ended.
func (m *Member) send(ctx context.Context, do func(now time.Duration)) {
	select {
	case m.inbox <- do:
	case <-m.ended:
	case <-ctx.Done():
	}
}

// act does one thing that the mind has decided, without waiting for it.
func (m *Member) act(ctx context.Context, a *action, rereads chan<- struct{}) {
	switch a.kind {
	case doBeat:
		m.work.Go(func() {
			revision, err := m.write(ctx, hostPrefix+m.cfg.Host, encode(a.beat), a.revision)
			m.send(ctx, func(now time.Duration) { m.mind.beaten(a.begun, revision, err, now) })
		})
	case doWrite:
		m.work.Go(func() {
			revision, err := m.write(ctx, keyOf(a.slot, m.cfg.Partitions), encode(a.hold), a.revision)
			m.send(ctx, func(now time.Duration) { m.mind.written(a.slot, a.number, a.hold, revision, err, now) })
		})
	case doAcquire:
		m.acquire(ctx, a.slot)
	case doCancel:
		if a.slot < m.cfg.Partitions && m.acquiring[a.slot] != nil {
			m.acquiring[a.slot]()
		}
	case doRelease:
		m.release(ctx, a.slot, a.lost)
	case doReread:
		select {
		case rereads <- struct{}{}:
		default:
		}
	case doDepart:
		limited, cancel := context.WithTimeout(ctx, m.timing.timeout)
		defer cancel()
		if err := m.kv.Delete(limited, hostPrefix+m.cfg.Host, jetstream.LastRevision(a.revision)); err != nil {
			m.log.Debug("heartbeat not deleted; it runs out by itself", "error", err)
		}
	}
}

// write writes a key that must have a revision.
func (m *Member) write(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, m.timing.timeout)
	defer cancel()
	next, err := m.kv.Update(ctx, key, data, revision)
	var refused *jetstream.APIError
	if errors.As(err, &refused) && refused.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence {
		return 0, errMismatch
	}
	if err != nil {
		return 0, fmt.Errorf("cluster: write %s: %w", key, err)
	}
	return next, nil
}

// acquire begins what a partition means.
func (m *Member) acquire(ctx context.Context, slot int) {
	if slot == m.cfg.Partitions {
		m.mind.acquired(slot, 0, nil, m.clock())
		return
	}
	held, cancel := context.WithCancel(ctx)
	m.acquiring[slot] = cancel
	m.count.acquired.Add(1)
	m.work.Go(func() {
		defer cancel()
		token, err := m.cfg.Acquire(held, slot)
		if err != nil && held.Err() == nil {
			m.log.Error("a partition could not be taken on; it is tried again", "partition", slot, "error", err)
		} else if err == nil {
			m.log.Info("partition taken on", "partition", slot, "token", token)
		}
		m.send(ctx, func(now time.Duration) {
			m.acquiring[slot] = nil
			m.mind.acquired(slot, token, err, now)
		})
	})
}

// release ends it.
func (m *Member) release(ctx context.Context, slot int, lost bool) {
	if slot == m.cfg.Partitions {
		m.mind.released(slot, m.clock())
		return
	}
	if lost {
		m.count.lost.Add(1)
	} else {
		m.count.released.Add(1)
	}
	m.work.Go(func() {
		limited, cancel := context.WithTimeout(ctx, leaveTime/2)
		defer cancel()
		if err := m.cfg.Release(limited, slot, lost); err != nil {
			m.log.Warn("a partition was not given up cleanly", "partition", slot, "lost", lost, "error", err)
		} else {
			m.log.Info("partition given up", "partition", slot, "lost", lost)
		}
		m.send(ctx, func(now time.Duration) { m.mind.released(slot, now) })
	})
}

// surrender ends everything at once: another process has our name.
func (m *Member) surrender(ctx context.Context) error {
	m.until.Store(0)
	for _, cancel := range m.acquiring {
		if cancel != nil {
			cancel()
		}
	}
	var ends sync.WaitGroup
	for i := range m.mind.slots[:m.cfg.Partitions] {
		if s := m.mind.slots[i].state; s == slotHeld || s == slotAcquiring {
			ends.Go(func() {
				limited, cancel := context.WithTimeout(ctx, leaveTime/2)
				defer cancel()
				if err := m.cfg.Release(limited, i, true); err != nil {
					m.log.Warn("a partition was not given up cleanly", "partition", i, "error", err)
				}
			})
		}
	}
	ends.Wait()
	return fmt.Errorf("cluster: host %s: %w", m.cfg.Host, ErrNameTaken)
}

// Announce changes the digest that is shown to others.
func (m *Member) Announce(digest string) {
	m.send(context.Background(), func(time.Duration) { m.mind.about.Digest = digest })
}

// Drop gives a partition up at once, of which its holder found that another
// has claimed it.
func (m *Member) Drop(ctx context.Context, partition int, because error) {
	m.log.Error("a partition is dropped", "partition", partition, "error", because)
	m.send(ctx, func(now time.Duration) { m.mind.drop(partition, now) })
}
