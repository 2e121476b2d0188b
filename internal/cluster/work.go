package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Names of what a run uses.
const (
	workStream   = "WORK"
	workSubject  = "work.parts."
	workDurable  = "parts"
	runBucket    = "GRIDWARDEN_RUN_"
	planObject   = "plan"
	errorKey     = "error"
	partAttempts = 3 // deliveries of one part before it fails its run

	bucketLife = 48 * time.Hour // of a run that nobody cleaned up after
)

var (
	// ErrNotLeader ends a run whose host leads no longer: the next leader starts another.
	ErrNotLeader = errors.New("this host does not lead the cluster any more")
	// ErrPart says that a part could not be done.
	ErrPart = errors.New("a part of the run failed")
)

// part is a message of work: one part of a run.
type part struct {
	Run  string `json:"run"`
	Part int    `json:"part"`
}

func objectOf(n int) string { return "part/" + strconv.Itoa(n) }

// Distribute has the parts of a run done by whichever hosts Work, and returns
// their results in order. Only the leader may; what runs before have left is
// removed first. It ends with ErrPart where a part fails at every attempt, and
// with ErrNotLeader where another host leads meanwhile.
func (m *Member) Distribute(ctx context.Context, run string, plan []byte, parts int) (results [][]byte, err error) {
	if !nameForm.MatchString(run) {
		return nil, fmt.Errorf("cluster: run %q; use 1 to 64 letters, digits, - and _", run)
	}
	if !m.Leader() {
		return nil, fmt.Errorf("cluster: run %s: %w", run, ErrNotLeader)
	}
	if err := m.tidy(ctx, run); err != nil {
		return nil, err
	}
	store, err := m.js.CreateOrUpdateObjectStore(ctx, jetstream.ObjectStoreConfig{
		Bucket: runBucket + run, Description: "plan and results of a run", TTL: bucketLife, Replicas: m.cfg.Replicas, Storage: jetstream.FileStorage,
	})
	if err != nil {
		return nil, fmt.Errorf("cluster: room for run %s: %w", run, err)
	}
	defer func() {
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveTime)
		defer cancel()
		if bad := m.remove(limited, run); bad != nil {
			m.log.Warn("a run was not cleaned up; the next one does it", "run", run, "error", bad)
		}
	}()
	if _, err := store.PutBytes(ctx, planObject, plan); err != nil {
		return nil, fmt.Errorf("cluster: plan of run %s: %w", run, err)
	}
	for n := range parts {
		data := encode(part{run, n})
		if _, err := m.js.Publish(ctx, workSubject+run, data, jetstream.WithMsgID(run+"/"+strconv.Itoa(n)), jetstream.WithRetryAttempts(5)); err != nil {
			return nil, fmt.Errorf("cluster: part %d of run %s: %w", n, run, err)
		}
	}
	for n := range parts {
		result, err := m.collect(ctx, store, run, n)
		if err != nil {
			return nil, err
		}
		results = append(results, result)
	}
	return results, nil
}

// collect waits for the result of one part.
func (m *Member) collect(ctx context.Context, store jetstream.ObjectStore, run string, n int) ([]byte, error) {
	for wait := 20 * time.Millisecond; ; wait = min(2*wait, 500*time.Millisecond) {
		info, err := store.GetInfo(ctx, objectOf(n))
		if err == nil {
			if reason := info.Metadata[errorKey]; reason != "" {
				return nil, fmt.Errorf("cluster: part %d of run %s: %w: %s", n, run, ErrPart, reason)
			}
			var data []byte
			if data, err = store.GetBytes(ctx, objectOf(n)); err == nil {
				return data, nil
			}
		}
		if !errors.Is(err, jetstream.ErrObjectNotFound) {
			m.log.Debug("result not read yet", "run", run, "part", n, "error", err)
		}
		if !m.Leader() && m.deposed() {
			return nil, fmt.Errorf("cluster: run %s: %w", run, ErrNotLeader)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, fmt.Errorf("cluster: run %s: %w", run, ctx.Err())
		}
	}
}

// deposed reports whether another host leads, or nobody: a lease that has only
// run out may be proven again.
func (m *Member) deposed() bool {
	select {
	case <-m.ended:
		return true
	default:
	}
	s := m.shown.Load()
	return m.Valid() && !s.leads() || s.Leader != "" && !s.leads()
}

// tidy removes what runs other than this one have left.
func (m *Member) tidy(ctx context.Context, run string) error {
	names := m.js.ObjectStoreNames(ctx)
	var old []string
	for name := range names.Name() {
		if other, ok := strings.CutPrefix(name, runBucket); ok && other != run {
			old = append(old, other)
		}
	}
	if err := names.Error(); err != nil {
		return fmt.Errorf("cluster: look for earlier runs: %w", err)
	}
	for _, other := range old {
		if err := m.remove(ctx, other); err != nil {
			return err
		}
	}
	return nil
}

// remove takes a run's messages, plan and results away.
func (m *Member) remove(ctx context.Context, run string) error {
	work, err := m.js.Stream(ctx, workStream)
	if err == nil {
		err = work.Purge(ctx, jetstream.WithPurgeSubject(workSubject+run))
	}
	if gone := m.js.DeleteObjectStore(ctx, runBucket+run); gone != nil && !errors.Is(gone, jetstream.ErrStreamNotFound) && !errors.Is(gone, jetstream.ErrBucketNotFound) {
		err = errors.Join(err, gone)
	}
	if err != nil {
		return fmt.Errorf("cluster: clean up after run %s: %w", run, err)
	}
	return nil
}

// Work does parts of runs, one at a time, until ctx ends; then it returns nil.
// do gets the run's plan, the same slice for all parts of a run, and returns
// the part's result. It may be called again for a part that was done, here or
// elsewhere. A part that fails comes again; after a few attempts, or where its
// workers die of it, its run fails.
func (m *Member) Work(ctx context.Context, do func(ctx context.Context, plan []byte, part int) ([]byte, error)) error {
	w := &worker{m: m, do: do}
	for wait := m.timing.every; ctx.Err() == nil; {
		err := w.take(ctx)
		if err == nil || ctx.Err() != nil {
			wait = m.timing.every
			continue
		}
		m.log.Warn("no work can be taken; trying again", "error", err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
		wait = min(2*wait, m.timing.lease)
	}
	return nil
}

// worker does parts.
type worker struct {
	m    *Member
	do   func(ctx context.Context, plan []byte, part int) ([]byte, error)
	run  string
	plan []byte // of run
}

// take does parts until something goes wrong with the queue.
func (w *worker) take(ctx context.Context) error {
	ack := 2 * w.m.timing.lease
	consumer, err := w.m.js.CreateOrUpdateConsumer(ctx, workStream, jetstream.ConsumerConfig{
		Durable: workDurable, FilterSubject: workSubject + ">", AckPolicy: jetstream.AckExplicitPolicy,
		AckWait: ack, MaxDeliver: -1, MaxAckPending: 1024,
	})
	if err != nil {
		return fmt.Errorf("cluster: queue of work: %w", err)
	}
	for ctx.Err() == nil {
		limited, cancel := context.WithTimeout(ctx, w.m.timing.lease)
		message, err := consumer.Next(jetstream.FetchContext(limited))
		cancel()
		switch {
		case err == nil:
			w.handle(ctx, message)
		case errors.Is(err, jetstream.ErrNoMessages) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled):
		default:
			return fmt.Errorf("cluster: take work: %w", err)
		}
	}
	return nil
}

// handle does one part, telling the queue meanwhile that it is being done.
func (w *worker) handle(ctx context.Context, message jetstream.Msg) {
	m := w.m
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(m.timing.lease / 2)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				if err := message.InProgress(); err != nil {
					m.log.Debug("progress not told", "error", err)
				}
			case <-done:
				return
			}
		}
	}()
	err := w.part(ctx, message)
	close(done)
	<-ended
	switch {
	case err == nil:
		err = message.Ack()
	case ctx.Err() != nil:
		err = message.Nak()
	default:
		m.log.Warn("a part of a run failed; it is tried again", "error", err)
		err = message.NakWithDelay(m.timing.every)
	}
	if err != nil {
		m.log.Debug("work not acknowledged; it comes again", "error", err)
	}
}

// part does one part and stores its result, or why there is none. An error
// makes it come again.
func (w *worker) part(ctx context.Context, message jetstream.Msg) error {
	var p part
	if err := json.Unmarshal(message.Data(), &p); err != nil || !nameForm.MatchString(p.Run) {
		w.m.log.Error("the queue of work holds what is not ours; it is dropped", "subject", message.Subject(), "error", err)
		return nil
	}
	store, err := w.m.js.ObjectStore(ctx, runBucket+p.Run)
	if errors.Is(err, jetstream.ErrBucketNotFound) || errors.Is(err, jetstream.ErrStreamNotFound) {
		return nil // the run is over
	}
	if err != nil {
		return fmt.Errorf("run %s: %w", p.Run, err)
	}
	info, err := message.Metadata()
	if err != nil {
		return fmt.Errorf("run %s, part %d: %w", p.Run, p.Part, err)
	}
	name := objectOf(p.Part)
	fail := func(why string) error {
		_, err := store.Put(ctx, jetstream.ObjectMeta{Name: name, Metadata: map[string]string{errorKey: why}}, strings.NewReader(""))
		return err //nolint:wrapcheck // handle logs it
	}
	if info.NumDelivered > partAttempts {
		return fail(fmt.Sprintf("none of %d hosts finished it; look into their logs", partAttempts))
	}
	result, err := w.result(ctx, store, p)
	if err != nil {
		if ctx.Err() == nil && info.NumDelivered == partAttempts {
			return fail(fmt.Sprintf("at host %s, the last of %d attempts: %v", w.m.cfg.Host, partAttempts, err))
		}
		return fmt.Errorf("run %s, part %d: %w", p.Run, p.Part, err)
	}
	if _, err := store.PutBytes(ctx, name, result); err != nil {
		return fmt.Errorf("run %s, result of part %d: %w", p.Run, p.Part, err)
	}
	return nil
}

// result does a part of a run, whose plan is read once.
func (w *worker) result(ctx context.Context, store jetstream.ObjectStore, p part) ([]byte, error) {
	if w.run != p.Run {
		plan, err := store.GetBytes(ctx, planObject)
		if err != nil {
			return nil, fmt.Errorf("plan: %w", err)
		}
		w.run, w.plan = p.Run, plan
	}
	return w.do(ctx, w.plan, p.Part)
}
