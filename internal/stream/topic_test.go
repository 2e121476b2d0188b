package stream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"pgregory.net/rapid"
)

func send(t *testing.T, s *Stream, topic Topic, key, id, data string) {
	t.Helper()
	if err := s.Publish(t.Context(), topic, key, id, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

// take consumes a topic until fn says that it is done, or for a minute.
func take(t *testing.T, s *Stream, topic Topic, durable string, fn func(Message) (done bool, err error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := false
	err := s.Consume(ctx, topic, durable, func(_ context.Context, m Message) error {
		done, err := fn(m)
		if done {
			ended = true
			cancel()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if !ended {
		t.Fatal("the consumer did not get what it waited for within a minute")
	}
}

func messages(t *testing.T, s *Stream, topic Topic) int {
	t.Helper()
	info, err := s.info(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return int(info.State.Msgs)
}

func TestTopicsCarryMessages(t *testing.T) {
	s := open(t, Config{})
	for _, topic := range []Topic{MeterDays, Findings, CaseEvents, Work} {
		for i := range 5 {
			send(t, s, topic, fmt.Sprint("run.", i), fmt.Sprint("id-", i), fmt.Sprint("data ", i))
		}
		var got []Message
		take(t, s, topic, "reader", func(m Message) (bool, error) { got = append(got, m); return len(got) == 5, nil })
		for i, m := range got {
			if m.Key != fmt.Sprint("run.", i) || m.ID != fmt.Sprint("id-", i) || m.Seq != uint64(i+1) || m.Deliveries != 1 || time.Since(m.Time) > time.Minute {
				t.Errorf("%s: message %d is %+v", topic, i, m)
			}
		}
		left := 5
		if topic == Work {
			left = 0 // a queue
		}
		waitFor(t, fmt.Sprint(topic, " keeps ", left), func() bool { return messages(t, s, topic) == left })
	}
}

func TestTopicsKeepWhatTheyShould(t *testing.T) {
	s := open(t, Config{MaxBytes: 1 << 30, MaxAge: 96 * time.Hour})
	states, err := s.States(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	share := int64(1<<30) / 10
	for i, want := range []TopicState{
		{Topic: Readings, MaxBytes: 1 << 30, MaxAge: 96 * time.Hour}, {Topic: MeterDays, MaxBytes: share, MaxAge: 96 * time.Hour},
		{Topic: Findings, MaxBytes: share, MaxAge: 96 * time.Hour}, {Topic: CaseEvents, MaxBytes: share, MaxAge: 96 * time.Hour},
		{Topic: Work, MaxBytes: share, MaxAge: 48 * time.Hour}, {Topic: Dead, MaxBytes: 256 << 20, MaxAge: 30 * 24 * time.Hour},
	} {
		if got := states[i]; got.Topic != want.Topic || got.MaxBytes != want.MaxBytes || got.MaxAge != want.MaxAge || got.Replicas != 1 || !got.Oldest.IsZero() {
			t.Errorf("%+v, want %+v", got, want)
		}
	}
}

// TestRepetitionsAreStoredOnce has a sender repeat itself, also after it and
// the server were started again, as an outbox does that crashed between an
// acknowledgement and writing it down.
func TestRepetitionsAreStoredOnce(t *testing.T) {
	dir := t.TempDir()
	for range 3 {
		s := open(t, Config{Dir: dir})
		for i := range 10 {
			send(t, s, CaseEvents, "case-1", fmt.Sprint("case-1/", i), "event")
		}
		publish(t, s, sample(100))
		if n := messages(t, s, CaseEvents); n != 10 {
			t.Errorf("%d messages stored of 10 that were sent again and again", n)
		}
		if n := messages(t, s, Readings); n != 1 {
			t.Errorf("%d batches stored of one that was sent again and again", n)
		}
		s.Close()
	}
}

// TestLateRepetitionsComeTwice shows what consumers must bear: JetStream
// forgets ids after a while.
func TestLateRepetitionsComeTwice(t *testing.T) {
	s := open(t, Config{})
	cfg := s.cfg.streamConfig(CaseEvents)
	cfg.Duplicates = 200 * time.Millisecond
	if _, err := s.js.UpdateStream(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	send(t, s, CaseEvents, "case-1", "case-1/1", "opened")
	waitFor(t, "the id forgotten", func() bool {
		send(t, s, CaseEvents, "case-1", "case-1/1", "opened")
		return messages(t, s, CaseEvents) == 2
	})
	events := make(map[string]string) // a consumer that keeps by id bears it
	n := 0
	take(t, s, CaseEvents, "reader", func(m Message) (bool, error) {
		n++
		events[m.ID] = string(m.Data)
		return n == 2, nil
	})
	if len(events) != 1 {
		t.Errorf("events %v", events)
	}
}

// TestAFailingMessageHoldsNothingUp has one message fail while others pass.
func TestAFailingMessageHoldsNothingUp(t *testing.T) {
	s := open(t, Config{MinBackoff: 50 * time.Millisecond})
	for i := range 20 {
		send(t, s, Findings, "run", fmt.Sprint(i), "")
	}
	var order []string
	var waits []time.Time
	take(t, s, Findings, "cases", func(m Message) (bool, error) {
		if m.ID == "3" {
			if waits = append(waits, time.Now()); len(waits) < 4 {
				return false, errors.New("not now")
			}
			if m.Deliveries != 4 {
				t.Errorf("%d deliveries, want 4", m.Deliveries)
			}
		}
		order = append(order, m.ID)
		return len(order) == 20, nil
	})
	if order[19] != "3" || order[18] != "19" {
		t.Errorf("order %v; want 3 last", order)
	}
	if gap := waits[3].Sub(waits[2]); gap < 190*time.Millisecond {
		t.Errorf("the fourth try came after %s, want 200 ms (50 doubled twice)", gap)
	}
}

// TestWhatAllMessagesNeedIsGone has everything fail for a while: little is
// tried, then all passes.
func TestWhatAllMessagesNeedIsGone(t *testing.T) {
	s := open(t, Config{MinBackoff: 20 * time.Millisecond})
	for i := range 200 {
		send(t, s, Findings, "run", fmt.Sprint(i), "")
	}
	begin, tries := time.Now(), 0
	passed := make(map[string]int)
	take(t, s, Findings, "cases", func(m Message) (bool, error) {
		if time.Since(begin) < time.Second {
			tries++
			return false, errors.New("the database is down")
		}
		passed[m.ID]++
		return len(passed) == 200, nil
	})
	if tries > 50 {
		t.Errorf("%d tries in a second of failure", tries)
	}
	for id, n := range passed {
		if n != 1 {
			t.Errorf("message %s passed %d times", id, n)
		}
	}
}

func TestPoisonGoesToTheDeadLetters(t *testing.T) {
	s := open(t, Config{})
	for i := range 3 {
		send(t, s, CaseEvents, "case-7", fmt.Sprint("case-7/", i), fmt.Sprintf(`{"n":%d}`, i))
	}
	n := 0
	take(t, s, CaseEvents, "audit", func(m Message) (bool, error) {
		n++
		if m.ID == "case-7/1" {
			return false, fmt.Errorf("event: %w", Poison(errors.New("no such case;\nlook for it")))
		}
		return n == 3, nil
	})
	waitFor(t, "all worked off", func() bool {
		p, err := s.durableProgress(t.Context(), consumerKey{CaseEvents, "audit"})
		return err == nil && p.backlog == 0
	})
	letters, err := s.DeadLetters(t.Context(), 0, 10)
	if err != nil || len(letters) != 1 {
		t.Fatalf("%+v, %v", letters, err)
	}
	l := letters[0]
	if l.Topic != CaseEvents || l.Subject != "case_events.case-7" || l.ID != "case-7/1" || l.Consumer != "audit" || l.Reason != "no such case; look for it" || string(l.Data) != `{"n":1}` {
		t.Errorf("letter %+v", l)
	}
}

func TestFinalErrorEndsConsuming(t *testing.T) {
	s := open(t, Config{})
	for i := range 5 {
		send(t, s, Findings, "run", fmt.Sprint(i), "")
	}
	stop := errors.New("stop")
	if err := s.Consume(t.Context(), Findings, "cases", func(context.Context, Message) error { return Final(stop) }); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	n := 0
	take(t, s, Findings, "cases", func(Message) (bool, error) { n++; return n == 5, nil })
}

// TestPartsOfWorkAreShared has three workers take parts, one by one.
func TestPartsOfWorkAreShared(t *testing.T) {
	s := open(t, Config{FetchWait: time.Millisecond})
	for i := range 30 {
		send(t, s, Work, fmt.Sprint("run.", i), fmt.Sprint(i), "")
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var mu sync.Mutex
	by, done := make([]int, 3), make(map[string]int)
	var wg sync.WaitGroup
	for worker := range by {
		wg.Go(func() {
			if err := s.Consume(ctx, Work, "detect", func(ctx context.Context, m Message) error {
				_ = sleep(ctx, 20*time.Millisecond)
				mu.Lock()
				defer mu.Unlock()
				by[worker]++
				if done[m.ID]++; len(done) == 30 {
					cancel()
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for worker, n := range by {
		if n < 5 {
			t.Errorf("worker %d did %d parts of 30: %v", worker, n, by)
		}
	}
	for id, n := range done {
		if n != 1 {
			t.Errorf("part %s was done %d times", id, n)
		}
	}
}

func TestTopicConsumerOutlivesItsServer(t *testing.T) {
	dir := t.TempDir()
	srv := external(t, dir, server.RANDOM_PORT)
	url, port := srv.ClientURL(), srv.Addr().String()
	s := open(t, Config{URL: url, MinBackoff: 20 * time.Millisecond})
	for i := range 3 {
		send(t, s, Findings, "run", fmt.Sprint(i), "")
	}
	seen := make(map[string]bool)
	take(t, s, Findings, "cases", func(m Message) (bool, error) {
		if seen[m.ID] = true; len(seen) == 3 {
			srv.Shutdown()
			srv.WaitForShutdown()
			external(t, dir, portOf(t, port))
			go func() { _ = s.Publish(t.Context(), Findings, "run", "later", nil) }()
		}
		return seen["later"], nil
	})
}

func TestPublishRefuses(t *testing.T) {
	s := open(t, Config{})
	for name, tc := range map[string]struct {
		topic   Topic
		key, id string
		size    int
		want    string
	}{
		"readings": {Readings, "x", "1", 0, "use METER_DAYS"}, "dead": {Dead, "x", "1", 0, "use METER_DAYS"}, "unknown": {"OTHER", "x", "1", 0, "use METER_DAYS"},
		"no key": {Findings, "", "1", 0, "empty part"}, "empty part": {Findings, "a..b", "1", 0, "empty part"},
		"wildcard": {Findings, "a.>", "1", 0, `'>'`}, "space": {Findings, "a b", "1", 0, `' '`},
		"long": {Findings, strings.Repeat("a", 300), "1", 0, "too long"}, "deep": {Findings, "a.b.c.d.e.f.g.h.i", "1", 0, "too long"},
		"no id": {Findings, "a", "", 0, "without an id"}, "odd id": {Findings, "a", "1\r\nx: y", 0, "line end"},
		"large": {Findings, "a", "1", maxMessage, "cut it into parts"},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.Publish(t.Context(), tc.topic, tc.key, tc.id, make([]byte, tc.size))
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
	if err := s.Publish(t.Context(), Findings, "a.b.c.d.e.f.g.h", "1", make([]byte, maxMessage-maxHeaders)); err != nil {
		t.Errorf("the largest: %v", err)
	}
	if err := s.Consume(t.Context(), Dead, "x", nil); err == nil {
		t.Error("dead letters are no topic to consume")
	}
}

func TestKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.StringMatching(`[A-Za-z0-9_-]{1,30}(\.[A-Za-z0-9_-]{1,20}){0,7}`).Draw(t, "key")
		if err := checkKey(key); err != nil && len(key) <= maxKeyBytes {
			t.Fatalf("%q: %v", key, err)
		}
		odd := rapid.StringMatching(`[^A-Za-z0-9_.-]`).Draw(t, "odd")
		at := rapid.IntRange(0, len(key)).Draw(t, "at")
		if checkKey(key[:at]+odd+key[at:]) == nil {
			t.Fatalf("%q was taken", key[:at]+odd+key[at:])
		}
	})
}
