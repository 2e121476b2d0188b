package stream

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// lines is a log that tests look into.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) has(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.b.String(), s)
}

func (l *lines) logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// counter checks that values come in order, each once, and knows the position.
type counter struct {
	t    *testing.T
	mu   sync.Mutex
	next float64
	last uint64
}

func (c *counter) accept(rs []meter.Reading, last uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if last <= c.last {
		c.t.Errorf("position %d after %d", last, c.last)
	}
	c.last = last
	for _, r := range rs {
		if r.Value != c.next {
			c.t.Errorf("reading %v where %v was next", r.Value, c.next)
		}
		c.next = r.Value + 1
	}
}

func (c *counter) at(n float64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.next >= n
}

// startReader runs a reader until the returned function is called.
func startReader(t *testing.T, s *Stream, r Reader, fn func([]meter.Reading, uint64) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.ReadReadings(ctx, r, func(_ context.Context, rs []meter.Reading, last uint64) error { return fn(rs, last) }); err != nil {
			t.Error(err)
		}
	})
	stop = func() { cancel(); wg.Wait() }
	t.Cleanup(stop)
	return stop
}

func all(name string) Reader { return Reader{Name: name, Partition: AllPartitions} }

// consumerOf waits for the consumer that a reader reads by.
func consumerOf(t *testing.T, s *Stream, name string) jetstream.Consumer {
	t.Helper()
	var cons jetstream.Consumer
	waitFor(t, "the consumer of "+name, func() bool {
		for _, r := range s.reading() {
			r.mu.Lock()
			consumer := r.state.consumer
			r.mu.Unlock()
			if r.label() == name && consumer != "" {
				var err error
				cons, err = s.js.Consumer(t.Context(), string(Readings), consumer)
				return err == nil
			}
		}
		return false
	})
	return cons
}

func TestReaderGoesOnFromItsPosition(t *testing.T) {
	s := open(t, Config{MessageBytes: 1, FetchBytes: 7})
	publish(t, s, counted(0, 100))
	c := &counter{t: t}
	for c.next < 100 {
		ctx, cancel := context.WithCancel(t.Context())
		r := all("curves")
		r.After = c.last
		stopAt := c.next + 30
		if err := s.ReadReadings(ctx, r, func(_ context.Context, rs []meter.Reading, last uint64) error {
			c.accept(rs, last)
			if c.next >= min(stopAt, 100) {
				cancel()
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		cancel()
	}
	if c.last != 100 {
		t.Errorf("position %d after 100 messages", c.last)
	}
	str, err := s.js.Stream(t.Context(), string(Readings))
	if err != nil {
		t.Fatal(err)
	}
	if n := str.CachedInfo().State.Consumers; n != 0 {
		t.Errorf("%d consumers left behind", n)
	}
}

func TestReaderOfAPartition(t *testing.T) {
	s := open(t, Config{MessageBytes: 1})
	token := claimed(t, s, 1)
	for i := range 10 {
		if err := s.PublishClaimed(t.Context(), 1, token, counted(i, 1)); err != nil {
			t.Fatal(err)
		}
		publish(t, s, counted(100+i, 1))
	}
	if _, err := s.js.Publish(t.Context(), "readings.elsewhere.1", mustEncode(t, counted(10, 1))); err != nil {
		t.Fatal(err)
	}
	if _, err := s.js.Publish(t.Context(), "readings.local", mustEncode(t, counted(1000, 1))); err != nil { // as before partitions
		t.Fatal(err)
	}
	c := &counter{t: t}
	if err := readUntil(t, s, Reader{Name: "curves", Partition: 1}, func(rs []meter.Reading, last uint64) error { c.accept(rs, last); return nil }); err != nil {
		t.Fatal(err)
	}
	if c.next != 11 {
		t.Errorf("partition 1: %v readings of 11", c.next)
	}
	// The marker of a claim is a position of its own.
	again := claimed(t, s, 1)
	r := Reader{Name: "curves", Partition: 1, After: c.last}
	if err := readUntil(t, s, r, func(rs []meter.Reading, last uint64) error {
		if len(rs) != 0 || last != again {
			t.Errorf("%d readings up to %d; want none up to the marker %d", len(rs), last, again)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	everything := 0
	if err := readUntil(t, s, all("curves"), func(rs []meter.Reading, _ uint64) error { everything += len(rs); return nil }); err != nil {
		t.Fatal(err)
	}
	if everything != 22 {
		t.Errorf("all partitions: %d readings of 22", everything)
	}
}

func mustEncode(t *testing.T, rs []meter.Reading) []byte {
	t.Helper()
	chunks, err := Encode(rs, maxMessage/2)
	if err != nil || len(chunks) != 1 {
		t.Fatal(len(chunks), err)
	}
	return chunks[0]
}

func TestReaderTriesAgain(t *testing.T) {
	s := open(t, Config{MessageBytes: 1, MinBackoff: time.Millisecond})
	publish(t, s, counted(0, 20))
	c := &counter{t: t}
	calls := 0
	if err := readUntil(t, s, all("curves"), func(rs []meter.Reading, last uint64) error {
		if calls++; calls%3 != 0 {
			return errors.New("database locked")
		}
		c.accept(rs, last)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if c.next != 20 || calls < 3 {
		t.Errorf("%v readings of 20 in %d calls", c.next, calls)
	}
}

func TestFinalErrorEndsReading(t *testing.T) {
	s := open(t, Config{})
	publish(t, s, counted(0, 3))
	fenced := errors.New("fenced")
	err := s.ReadReadings(t.Context(), all("curves"), func(context.Context, []meter.Reading, uint64) error {
		return fmt.Errorf("commit: %w", Final(fenced))
	})
	if !errors.Is(err, fenced) {
		t.Errorf("error %v", err)
	}
}

func TestReaderSetsAsideWhatItCannotDecode(t *testing.T) {
	s := open(t, Config{})
	publish(t, s, counted(0, 3))
	if _, err := s.js.Publish(t.Context(), s.readingsSubject(0), []byte("no batch")); err != nil {
		t.Fatal(err)
	}
	publish(t, s, counted(3, 3))
	if _, err := s.js.Publish(t.Context(), s.readingsSubject(0), []byte("nor this")); err != nil {
		t.Fatal(err)
	}
	c := &counter{t: t}
	if err := readUntil(t, s, all("curves"), func(rs []meter.Reading, last uint64) error { c.accept(rs, last); return nil }); err != nil {
		t.Fatal(err)
	}
	if c.next != 6 || c.last != 4 {
		t.Errorf("%v readings of 6, position %d of 4", c.next, c.last)
	}
	letters, err := s.DeadLetters(t.Context(), 0, 10)
	if err != nil || len(letters) != 2 || letters[1].Consumer != "curves" || string(letters[1].Data) != "nor this" || letters[1].Topic != Readings {
		t.Errorf("dead letters %+v, %v", letters, err)
	}
}

// TestReaderLosesItsConsumer deletes the consumer, and takes a message away
// from it, which is a gap: the reader goes on from its position.
func TestReaderLosesItsConsumer(t *testing.T) {
	log := &lines{}
	s := open(t, Config{MessageBytes: 1, MinBackoff: time.Millisecond, FetchWait: 10 * time.Millisecond, Logger: log.logger()})
	c := &counter{t: t}
	startReader(t, s, all("curves"), func(rs []meter.Reading, last uint64) error { c.accept(rs, last); return nil })
	publish(t, s, counted(0, 10))
	waitFor(t, "10 readings", func() bool { return c.at(10) })

	if err := s.js.DeleteConsumer(t.Context(), string(Readings), consumerOf(t, s, "curves").CachedInfo().Name); err != nil {
		t.Fatal(err)
	}
	publish(t, s, counted(10, 10))
	waitFor(t, "readings after the consumer was deleted", func() bool { return c.at(20) })

	for n := 20; !log.has("where"); n++ {
		cons := consumerOf(t, s, "curves")
		publish(t, s, counted(n, 1))
		batch, err := cons.FetchNoWait(1) // who is first, this or the reader?
		if err != nil {
			t.Fatal(err)
		}
		for range batch.Messages() {
		}
		publish(t, s, counted(n+1, 1))
		n++
		waitFor(t, "readings after one was taken away", func() bool { return c.at(float64(n)) })
	}
}

// TestReaderHearsOfWhatWasLostOnTheWay takes the last message away from the
// consumer: no later one shows the gap.
func TestReaderHearsOfWhatWasLostOnTheWay(t *testing.T) {
	log := &lines{}
	s := open(t, Config{MessageBytes: 1, MinBackoff: time.Millisecond, FetchWait: 50 * time.Millisecond, Logger: log.logger()})
	s.silence = 200 * time.Millisecond
	c := &counter{t: t}
	startReader(t, s, all("curves"), func(rs []meter.Reading, last uint64) error { c.accept(rs, last); return nil })
	for n := 0; !log.has("has given out"); n++ { // until this was first, not the reader
		cons := consumerOf(t, s, "curves")
		publish(t, s, counted(n, 1))
		batch, err := cons.FetchNoWait(1)
		if err != nil {
			t.Fatal(err)
		}
		for range batch.Messages() {
		}
		waitFor(t, "the reading that was taken away", func() bool { return c.at(float64(n + 1)) })
		time.Sleep(300 * time.Millisecond) // and silence that is right
	}
}

func TestReaderOutlivesItsServer(t *testing.T) {
	dir := t.TempDir()
	srv := external(t, dir, server.RANDOM_PORT)
	url, port := srv.ClientURL(), srv.Addr().String()
	s := open(t, Config{URL: url, MessageBytes: 1, MinBackoff: 20 * time.Millisecond})
	c := &counter{t: t}
	startReader(t, s, all("curves"), func(rs []meter.Reading, last uint64) error { c.accept(rs, last); return nil })
	for n := range 3 {
		publish(t, s, counted(n*10, 10))
		waitFor(t, "readings", func() bool { return c.at(float64(n*10 + 10)) })
		srv.Shutdown()
		srv.WaitForShutdown()
		srv = external(t, dir, portOf(t, port))
	}
	publish(t, s, counted(30, 10))
	waitFor(t, "readings after three restarts", func() bool { return c.at(40) })
}

func TestReaderInAClusterThatLosesServers(t *testing.T) {
	c := threeServers(t)
	s := open(t, Config{URL: c.URL(), Guarantee: SurvivesHost, MessageBytes: 1, MinBackoff: 50 * time.Millisecond})
	token := claimed(t, s, 5)
	count := &counter{t: t}
	startReader(t, s, Reader{Name: "curves", Partition: 5}, func(rs []meter.Reading, last uint64) error { count.accept(rs, last); return nil })
	n := 0
	for round := range 2 { // the leader each time
		for range 10 {
			if err := s.PublishClaimed(t.Context(), 5, token, counted(n, 5)); err != nil {
				t.Fatal(err)
			}
			n += 5
		}
		waitFor(t, fmt.Sprintf("readings in round %d", round), func() bool { return count.at(float64(n)) })
		victim := c.streamLeader()
		c.stop(victim)
		if err := s.PublishClaimed(t.Context(), 5, token, counted(n, 5)); err != nil {
			t.Fatal(err)
		}
		n += 5
		c.start(victim)
		waitFor(t, fmt.Sprintf("readings after round %d", round), func() bool { return count.at(float64(n)) })
		waitFor(t, "all replicas current", func() bool {
			info, err := s.info(t.Context(), Readings)
			if err != nil || info.Cluster == nil || len(info.Cluster.Replicas) != 2 {
				return false
			}
			for _, r := range info.Cluster.Replicas {
				if !r.Current || r.Offline {
					return false
				}
			}
			return true
		})
	}
}

func TestReadingsDroppedBeforeTheyWereRead(t *testing.T) {
	log := &lines{}
	s := open(t, Config{MessageBytes: 1, Logger: log.logger()})
	publish(t, s, counted(0, 20))
	str, err := s.js.Stream(t.Context(), string(Readings))
	if err != nil {
		t.Fatal(err)
	}
	if err := str.Purge(t.Context(), jetstream.WithPurgeSequence(11)); err != nil { // keeps 11 and on
		t.Fatal(err)
	}
	read := func(after uint64) int {
		n := 0
		r := all("curves")
		r.After = after
		if err := readUntil(t, s, r, func(rs []meter.Reading, _ uint64) error { n += len(rs); return nil }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := read(0); n != 10 || log.has("dropped before") {
		t.Errorf("a new reader: %d readings of 10; it lost nothing", n)
	}
	if n := read(10); n != 10 || log.has("dropped before") {
		t.Errorf("a reader that had read all that was dropped: %d readings of 10", n)
	}
	if n := read(4); n != 10 || !log.has("readings were dropped before they were read") || !log.has("messages_at_most=6") {
		t.Errorf("a reader that had not: %d readings of 10, log %s", n, log.b.String())
	}
	if v := testutil.ToFloat64(s.dropped.WithLabelValues("READINGS", "curves")); v != 6 {
		t.Errorf("metric %v, want 6", v)
	}
}

// TestPositionOfAnotherStream gives a reader a position that the stream never
// reached, for its files were lost.
func TestPositionOfAnotherStream(t *testing.T) {
	log := &lines{}
	s := open(t, Config{MessageBytes: 1, Logger: log.logger()})
	publish(t, s, counted(0, 5))
	r := all("curves")
	r.After = 1_000_000
	c := &counter{t: t}
	startReader(t, s, r, func(rs []meter.Reading, last uint64) error { c.accept(rs, last); return nil })
	waitFor(t, "the readings of the new stream", func() bool { return c.at(5) })
	if !log.has("the stream is not the one that was read before") {
		t.Error("nothing was said")
	}
}

func TestReaderBadlyNamed(t *testing.T) {
	s := open(t, Config{})
	for _, r := range []Reader{{Name: "", Partition: 1}, {Name: "a b"}, {Name: "a", Partition: -2}} {
		if err := s.ReadReadings(t.Context(), r, nil); err == nil {
			t.Errorf("%+v was taken", r)
		}
	}
}

func TestBacklogAndDangerOfAReader(t *testing.T) {
	s := open(t, Config{MessageBytes: 1, FetchBytes: 4, MaxBytes: 20_000})
	publish(t, s, counted(0, 50))
	hold := make(chan struct{})
	stop := startReader(t, s, all("curves"), func([]meter.Reading, uint64) error { <-hold; return nil })
	consumerOf(t, s, "curves")
	waitFor(t, "backlog 50", func() bool { return backlog(t, s, "curves") == 50 })
	reports := func() (out []report) {
		t.Helper()
		if err := s.eachConsumer(t.Context(), time.Now(), func(r report) { out = append(out, r) }); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if r := reports(); len(r) != 1 || r[0].backlog != 50 || r[0].name != "curves" || r[0].danger != "" {
		t.Errorf("reports %+v", r)
	}
	publish(t, s, counted(50, 150))
	if r := reports(); len(r) != 1 || !strings.Contains(r[0].danger, "the stream holds") {
		t.Errorf("a full stream, reports %+v", r)
	}
	states, err := s.States(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	readings := states[0]
	if readings.Topic != Readings || readings.Messages == 0 || readings.MaxBytes != 20_000 || len(readings.Consumers) != 1 {
		t.Fatalf("state %+v", readings)
	}
	if c := readings.Consumers[0]; c.Name != "curves" || !c.Positioned || c.Backlog < 100 || c.Unread != 1 || c.Danger == "" {
		t.Errorf("consumer %+v", c)
	}
	close(hold)
	waitFor(t, "backlog 0", func() bool { return backlog(t, s, "curves") == 0 })
	stop()
	if r := reports(); len(r) != 0 {
		t.Errorf("after the end, reports %+v", r)
	}
}

// TestUpgradeFromAcknowledgements takes over where a durable had come to.
func TestUpgradeFromAcknowledgements(t *testing.T) {
	s := open(t, Config{MessageBytes: 1})
	if seq, err := s.Acknowledged(t.Context(), Readings, "curves"); err != nil || seq != 0 {
		t.Errorf("never used: %d, %v", seq, err)
	}
	for i := range 10 {
		m := nats.NewMsg("readings.local") // as before partitions
		m.Data = mustEncode(t, counted(i, 1))
		if _, err := s.js.PublishMsg(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	got := 0
	consume(t, s, "curves", func(rs []meter.Reading) (bool, error) { got += len(rs); return got >= 10, nil })
	waitFor(t, "backlog 0", func() bool { return backlog(t, s, "curves") == 0 })
	seq, err := s.Acknowledged(t.Context(), Readings, "curves")
	if err != nil || seq != 10 {
		t.Errorf("acknowledged up to %d, %v; want 10", seq, err)
	}
	for range 2 { // the second time changes nothing
		if err := s.Forget(t.Context(), Readings, "curves"); err != nil {
			t.Fatal(err)
		}
	}
	publish(t, s, counted(10, 5))
	r := all("curves")
	r.After = seq
	c := &counter{t: t, next: 10}
	if err := readUntil(t, s, r, func(rs []meter.Reading, last uint64) error { c.accept(rs, last); return nil }); err != nil || c.next != 15 {
		t.Errorf("went on up to %v, %v", c.next, err)
	}
}
