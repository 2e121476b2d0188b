package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// AllPartitions makes a Reader read every partition, and what versions before
// partitions have stored.
const AllPartitions = -1

// Reader says what ReadReadings reads, and from where.
type Reader struct {
	Name      string // of what reads, for logs and metrics
	Partition int    // AllPartitions or one
	After     uint64 // position of the last message that needs not be read; 0: from the oldest kept
}

// label is the name under which a reader's backlog is reported.
func (r Reader) label() string {
	if r.Partition == AllPartitions {
		return r.Name
	}
	return r.Name + "-" + strconv.Itoa(r.Partition)
}

// filters are the subjects that are read: none for all. Markers of claims are
// among them: they are renewed, so that the position of a partition without
// readings does not grow old.
func (r Reader) filters() []string {
	if r.Partition == AllPartitions {
		return nil
	}
	partition := "*." + strconv.Itoa(r.Partition)
	return []string{readingsPrefix + partition, claimsPrefix + partition}
}

// silenceInterval is how often a reader to which nothing comes looks whether
// that is so: messages may have been sent to it while the connection was cut.
const silenceInterval = 10 * time.Second

// unanswered is how long the client waits for an answer to a fetch that does
// not wait: if it took that long and nothing came, the server that holds the
// consumer may be gone.
const unanswered = time.Second

// readerIdle is how long the server keeps the consumer of a reader that does
// not fetch: its function may take long.
const readerIdle = 10 * time.Minute

// ReadReadings hands the readings after a position to fn, in the stream's
// order, with the position of the last of them, until ctx is done; then it
// returns nil. Nothing is acknowledged: fn stores the position together with
// what it made of the readings, and the next reader is given it as After, so
// that across crashes every reading is counted once.
//
// There may be no readings up to a position: those of undecodable messages,
// which go to the dead letters, and of markers of claims. After an error of fn
// it gets the same again, after growing waits; a Final error ends the reading
// and is returned. fn copies what it keeps.
//
// The position goes back only where the stream is another one, younger than
// After: then everything in it is read. That, and readings that retention has
// dropped before they were read, are logged as errors and counted.
func (s *Stream) ReadReadings(ctx context.Context, r Reader, fn func(ctx context.Context, readings []meter.Reading, last uint64) error) error {
	if r.Partition < AllPartitions {
		return fmt.Errorf("stream: reader %q: partition %d; give a number from 0 on, or AllPartitions", r.Name, r.Partition)
	}
	if err := checkKey(r.Name); err != nil {
		return fmt.Errorf("stream: reader: %w", err)
	}
	run := &reading{s: s, Reader: r, fn: fn, heard: time.Now()}
	run.state.last = r.After
	s.addReader(run)
	defer s.removeReader(run)
	defer run.end()
	return s.keepOn(ctx, func(int) (bool, error) { return run.stride(ctx) }, func(failures int, wait time.Duration, err error) {
		s.log.Warn("readings not read, trying again", "reader", r.label(), "after", run.position(), "failures", failures, "wait", wait, "error", err)
	}, func() {})
}

// reading is one call of ReadReadings.
type reading struct {
	s *Stream
	Reader
	fn func(context.Context, []meter.Reading, uint64) error

	cons      jetstream.Consumer // nil where there is none
	delivered uint64             // messages of cons that have come
	buffer    []meter.Reading    // used again for every batch
	waiting   []meter.Reading    // part of buffer: what fn has not taken
	until     uint64             // position of the last of waiting
	full      bool               // there may be more behind it
	heard     time.Time          // when something came last, or silence was found right
	behind    uint64             // end of the stream at the last check

	mu    sync.Mutex
	state struct {
		last     uint64 // position that fn has taken
		consumer string // name of cons
		inHand   int64  // messages that have come and that fn has not taken
	}
}

func (r *reading) position() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.state.last
}

// stride takes what there is, up to FetchBytes, and hands it out. It reports
// whether there may be more already.
func (r *reading) stride(ctx context.Context) (more bool, err error) {
	if r.until == 0 {
		if err := r.fetch(ctx); err != nil {
			r.end()
			return false, err
		}
	}
	if r.until == 0 {
		return false, nil
	}
	if err := r.fn(ctx, r.waiting, r.until); err != nil {
		return false, err
	}
	r.mu.Lock()
	r.state.last, r.state.inHand = r.until, 0
	r.mu.Unlock()
	r.waiting, r.until = nil, 0
	return r.full, nil
}

// fetch decodes what there is into waiting. After an error the consumer is of
// no use any more; what had come before it is kept.
func (r *reading) fetch(ctx context.Context) error {
	if r.cons == nil {
		if err := r.begin(ctx); err != nil {
			return err
		}
	}
	most := r.s.cfg.fetchMessages()
	asked := time.Now()
	batch, err := r.cons.FetchNoWait(most)
	if err != nil {
		return fmt.Errorf("fetch: %w", err)
	}
	readings, fetched := r.buffer[:0], int64(0)
	var failed error
	for m := range batch.Messages() {
		if failed != nil {
			continue // let the batch end
		}
		var seq uint64
		if readings, seq, failed = r.take(ctx, readings, m); failed == nil {
			r.until = seq
			fetched++
		}
	}
	r.buffer, r.waiting, r.full = readings, readings, int(fetched) == most
	r.mu.Lock()
	r.state.inHand = fetched
	r.mu.Unlock()
	if fetched > 0 {
		r.heard = time.Now()
	}
	if failed == nil {
		if err := batch.Error(); err != nil && !errors.Is(err, jetstream.ErrMsgNotFound) {
			failed = fmt.Errorf("fetch: %w", err)
		}
	}
	if failed == nil && fetched == 0 && (time.Since(r.heard) > r.s.silence || time.Since(asked) >= unanswered) {
		failed = r.checkSilence(ctx)
	}
	if failed != nil && r.until != 0 {
		// What has come is good: hand it out, then look again from there.
		r.s.log.Warn("reading interrupted, going on from the last message", "reader", r.label(), "after", r.until, "error", failed)
		r.end()
		return nil
	}
	return failed
}

// checkSilence asks the server that holds the consumer how many messages it has
// given out, and the stream's leader whether there are more: the server may be
// gone, or may lag behind.
func (r *reading) checkSilence(ctx context.Context) error {
	info, err := r.cons.Info(ctx)
	if err != nil {
		return fmt.Errorf("look for lost messages: %w", err)
	}
	if given := info.Delivered.Consumer; given != r.delivered {
		return fmt.Errorf("the consumer has given out %d messages where %d came", given, r.delivered)
	}
	if r.Partition == AllPartitions {
		stream, err := r.s.info(ctx, Readings)
		if err != nil {
			return fmt.Errorf("look for later messages: %w", err)
		}
		if reached := info.Delivered.Stream; reached < r.behind {
			return fmt.Errorf("the consumer has come to %d, where the stream had ended at %d a check ago", reached, r.behind)
		}
		r.behind = stream.State.LastSeq
	}
	r.heard = time.Now()
	return nil
}

// take decodes a message that must be the consumer's next.
func (r *reading) take(ctx context.Context, readings []meter.Reading, m jetstream.Msg) ([]meter.Reading, uint64, error) {
	meta, err := m.Metadata()
	if err != nil {
		return readings, 0, fmt.Errorf("a message without its position: %w", err)
	}
	if meta.Sequence.Consumer != r.delivered+1 {
		return readings, 0, fmt.Errorf("message %d of the consumer came where %d was next", meta.Sequence.Consumer, r.delivered+1)
	}
	r.delivered++
	if isMarker(m) {
		return readings, meta.Sequence.Stream, nil
	}
	out, err := appendDecoded(readings, m.Data())
	if err != nil {
		if _, err := r.s.copyAside(ctx, Readings, r.label(), m, err); err != nil {
			return readings, 0, err
		}
		out = readings
	}
	return out, meta.Sequence.Stream, nil
}

// begin makes a consumer that begins after the position, and says so where
// that is not what comes next.
func (r *reading) begin(ctx context.Context) error {
	info, err := r.s.info(ctx, Readings)
	if err != nil {
		return err
	}
	last := r.position()
	switch first := info.State.FirstSeq; {
	case last > info.State.LastSeq:
		r.s.log.Error("the stream is not the one that was read before: it ends before the last position; everything in it is read", "reader", r.label(), "position", last, "end", info.State.LastSeq)
		r.s.dropped.WithLabelValues(string(Readings), r.label()).Add(1)
		last = 0
		r.mu.Lock()
		r.state.last = 0
		r.mu.Unlock()
	case last > 0 && first > last+1:
		r.s.log.Error("readings were dropped before they were read: the stream begins after the last position; raise stream.retention", "reader", r.label(), "position", last, "begin", first, "messages_at_most", first-last-1)
		r.s.dropped.WithLabelValues(string(Readings), r.label()).Add(float64(first - last - 1))
	}
	cfg := jetstream.ConsumerConfig{
		Description: "reader " + r.label(), Metadata: map[string]string{readerMetadata: r.label()},
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy, OptStartSeq: last + 1,
		AckPolicy: jetstream.AckNonePolicy, FilterSubjects: r.filters(),
		InactiveThreshold: readerIdle, MemoryStorage: true, Replicas: 1,
	}
	cons, err := r.s.js.CreateConsumer(ctx, string(Readings), cfg)
	if err != nil {
		return fmt.Errorf("stream: reader %q: %w", r.label(), err)
	}
	r.cons, r.delivered, r.behind = cons, 0, 0
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state.consumer = cons.CachedInfo().Name
	return nil
}

// readerMetadata names the reader of a consumer.
const readerMetadata = "gridwarden-reader"

// end removes the consumer, which the server would do itself after a while.
func (r *reading) end() {
	r.mu.Lock()
	name := r.state.consumer
	r.state.consumer = ""
	r.mu.Unlock()
	r.cons = nil
	if name == "" || r.s.conn.IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := r.s.js.DeleteConsumer(ctx, string(Readings), name); err != nil {
		r.s.log.Debug("consumer of a reader not removed", "reader", r.label(), "error", err)
	}
}

// isMarker reports whether m is the marker of a claim.
func isMarker(m jetstream.Msg) bool { return strings.HasPrefix(m.Subject(), claimsPrefix) }
