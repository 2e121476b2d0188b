package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func open(t *testing.T, cfg Config) *Stream {
	t.Helper()
	if cfg.Dir == "" && cfg.URL == "" {
		cfg.Dir = t.TempDir()
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.FetchWait == 0 {
		cfg.FetchWait = 20 * time.Millisecond
	}
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func publish(t *testing.T, s *Stream, readings []meter.Reading) {
	t.Helper()
	if err := s.PublishReadings(t.Context(), readings); err != nil {
		t.Fatal(err)
	}
}

func backlog(t *testing.T, s *Stream, durable string) int64 {
	t.Helper()
	n, err := s.Backlog(t.Context(), durable)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// consume runs a consumer until fn says that it is done, or the test's time
// is up, and waits for it.
func consume(t *testing.T, s *Stream, durable string, fn func([]meter.Reading) (done bool, err error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ended := false
	err := s.ConsumeReadings(ctx, durable, func(_ context.Context, rs []meter.Reading) error {
		done, err := fn(rs)
		if done {
			ended = true
			defer cancel()
		}
		return err
	})
	if err != nil {
		t.Fatalf("consume: %v", err)
	}
	if !ended {
		t.Fatal("the consumer did not get what it waited for within 2 minutes")
	}
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within three minutes: %s", what)
		}
	}
}

func TestReadingsArriveAsPublished(t *testing.T) {
	s := open(t, Config{MessageBytes: 2000})
	in := sample(1000)
	publish(t, s, in)
	var out []meter.Reading
	consume(t, s, "historian", func(rs []meter.Reading) (bool, error) {
		out = append(out, rs...)
		return len(out) >= len(in), nil
	})
	if len(out) != len(in) {
		t.Fatalf("%d readings in, %d out", len(in), len(out))
	}
	for i := range in {
		if !same(in[i], out[i]) {
			t.Fatalf("reading %d:\n in %+v\nout %+v", i, in[i], out[i])
		}
	}
}

func TestEachDurableGetsEverything(t *testing.T) {
	s := open(t, Config{})
	publish(t, s, sample(50))
	for _, durable := range []string{"historian", "curves"} {
		got := 0
		consume(t, s, durable, func(rs []meter.Reading) (bool, error) {
			got += len(rs)
			return got >= 50, nil
		})
		if got != 50 {
			t.Errorf("%s got %d of 50", durable, got)
		}
	}
}

func TestFailedDeliveryComesAgain(t *testing.T) {
	s := open(t, Config{MinBackoff: 10 * time.Millisecond})
	publish(t, s, sample(20))
	var calls []time.Time
	consume(t, s, "historian", func(rs []meter.Reading) (bool, error) {
		calls = append(calls, time.Now())
		if len(rs) != 20 {
			t.Errorf("call %d got %d readings of 20", len(calls), len(rs))
		}
		if len(calls) < 5 {
			return false, errors.New("engine down")
		}
		return true, nil
	})
	if gap := calls[4].Sub(calls[3]); gap < 80*time.Millisecond {
		t.Errorf("the fourth repetition came after %s, at least 80 ms (10 ms doubled three times) were expected", gap)
	}
	waitFor(t, "backlog 0", func() bool { return backlog(t, s, "historian") == 0 })
}

func TestWorkLongerThanAckWaitIsNotRepeated(t *testing.T) {
	s := open(t, Config{AckWait: 300 * time.Millisecond})
	publish(t, s, sample(5))
	got := 0
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	err := s.ConsumeReadings(ctx, "slow", func(ctx context.Context, rs []meter.Reading) error {
		got += len(rs)
		return sleep(ctx, time.Second)
	})
	if err != nil {
		t.Fatal(err)
	}
	if got != 5 {
		t.Errorf("%d readings delivered, 5 were published", got)
	}
}

func TestBacklog(t *testing.T) {
	s := open(t, Config{MessageBytes: 1})
	if n := backlog(t, s, "historian"); n != 0 {
		t.Errorf("empty stream: backlog %d", n)
	}
	publish(t, s, sample(7))
	if n := backlog(t, s, "historian"); n != 7 {
		t.Errorf("7 messages and no consumer yet: backlog %d", n)
	}
	consume(t, s, "historian", func([]meter.Reading) (bool, error) { return true, errors.New("not now") })
	if n := backlog(t, s, "historian"); n != 7 {
		t.Errorf("7 messages delivered, none acknowledged: backlog %d", n)
	}
	got := 0
	consume(t, s, "historian", func(rs []meter.Reading) (bool, error) { got += len(rs); return got >= 7, nil })
	waitFor(t, "backlog 0", func() bool { return backlog(t, s, "historian") == 0 })
}

func TestRepeatedBatchIsStoredOnce(t *testing.T) {
	s := open(t, Config{MessageBytes: 500})
	in := sample(100)
	publish(t, s, in)
	before := backlog(t, s, "any")
	publish(t, s, in)
	if after := backlog(t, s, "any"); after != before {
		t.Errorf("%d messages after the first time, %d after the second", before, after)
	}
}

func TestUndecodableMessageIsSetAside(t *testing.T) {
	s := open(t, Config{})
	publish(t, s, sample(3))
	poison := message(s.readingsSubject(0), []byte("GWR\x01 this is no batch"))
	if _, err := s.js.PublishMsg(t.Context(), poison); err != nil {
		t.Fatal(err)
	}
	publish(t, s, sample(9)[3:])
	got := 0
	consume(t, s, "historian", func(rs []meter.Reading) (bool, error) { got += len(rs); return got >= 9, nil })
	if got != 9 {
		t.Errorf("%d readings of 9", got)
	}
	waitFor(t, "backlog 0", func() bool { return backlog(t, s, "historian") == 0 })
	dead, err := s.DeadLetters(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(dead) != 1 {
		t.Fatalf("%d dead letters, want 1", len(dead))
	}
	d := dead[0]
	if d.Consumer != "historian" || string(d.Data) != string(poison.Data) || !strings.Contains(d.Reason, "not a batch of readings") || time.Since(d.Time) > time.Minute {
		t.Errorf("dead letter %+v", d)
	}
}

func TestReadingsSetAsideByAConsumer(t *testing.T) {
	s := open(t, Config{})
	in := sample(2)
	for range 2 { // the second time changes nothing
		if err := s.SetAside(t.Context(), "historian", in, errors.New("field type conflict")); err != nil {
			t.Fatal(err)
		}
	}
	dead, err := s.DeadLetters(t.Context(), 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(dead) != 1 || dead[0].Reason != "field type conflict" {
		t.Fatalf("dead letters %+v", dead)
	}
	out, err := Decode(dead[0].Data)
	if err != nil || len(out) != 2 || !same(in[1], out[1]) {
		t.Errorf("%+v, %v", out, err)
	}
	if more, err := s.DeadLetters(t.Context(), dead[0].Seq, 10); err != nil || len(more) != 0 {
		t.Errorf("after the last: %+v, %v", more, err)
	}
}

func TestRestartKeepsReadingsAndPlace(t *testing.T) {
	dir := t.TempDir()
	first := open(t, Config{Dir: dir, MessageBytes: 1})
	publish(t, first, sample(10))
	n := 0
	consume(t, first, "historian", func(rs []meter.Reading) (bool, error) { n += len(rs); return n >= 10, nil })
	waitFor(t, "backlog 0", func() bool { return backlog(t, first, "historian") == 0 })
	publish(t, first, sample(15)[10:])
	first.Close()

	second := open(t, Config{Dir: dir})
	if n := backlog(t, second, "historian"); n != 5 {
		t.Errorf("backlog %d after the restart, want 5", n)
	}
	var out []meter.Reading
	consume(t, second, "historian", func(rs []meter.Reading) (bool, error) {
		out = append(out, rs...)
		return len(out) >= 5, nil
	})
	if len(out) != 5 || !same(out[0], sample(11)[10]) {
		t.Errorf("after the restart: %d readings, first %+v", len(out), out[0])
	}
}

func TestBadConfig(t *testing.T) {
	for name, tc := range map[string]struct {
		cfg  Config
		want string
	}{
		"nowhere":        {Config{}, "neither a folder nor a URL"},
		"source":         {Config{Dir: "x", Source: "a.b"}, `source "a.b" has a '.'`},
		"large messages": {Config{Dir: "x", MessageBytes: 1 << 20}, "use 524288 at most"},
		"nobody there":   {Config{URL: "nats://127.0.0.1:1"}, "check stream.url"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), tc.cfg)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("error %v, want one with %q", err, tc.want)
			}
		})
	}
}

func TestPublishAfterCloseFails(t *testing.T) {
	s := open(t, Config{MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond})
	s.Close()
	if err := s.PublishReadings(t.Context(), sample(1)); err == nil {
		t.Error("published to a closed stream without an error")
	}
}

func TestManyPublishers(t *testing.T) {
	s := open(t, Config{MessageBytes: 4000})
	var wg sync.WaitGroup
	for p := range 8 {
		wg.Go(func() {
			for b := range 10 {
				batch := sample(100)
				for i := range batch {
					batch[i].DeviceID = fmt.Sprintf("p%d-b%d", p, b)
				}
				if err := s.PublishReadings(t.Context(), batch); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	got := 0
	consume(t, s, "historian", func(rs []meter.Reading) (bool, error) { got += len(rs); return got >= 8000, nil })
	if got != 8000 {
		t.Errorf("%d readings of 8000", got)
	}
}

func TestMetrics(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := open(t, Config{Metrics: reg, MessageBytes: 1})
	publish(t, s, sample(3))
	backlog(t, s, "historian")
	send(t, s, Findings, "run.1", "1", "x")
	take(t, s, Findings, "cases", func(Message) (bool, error) { return true, nil })
	stop := startReader(t, s, Reader{Name: "curves", Partition: 4}, nil)
	consumerOf(t, s, "curves-4")
	waitFor(t, "the finding worked off", func() bool {
		p, err := s.durableProgress(t.Context(), consumerKey{Findings, "cases"})
		return err == nil && p.backlog == 0
	})
	want := `# HELP gridwarden_stream_backlog Messages (of readings: batches) a consumer has not yet worked off.
# TYPE gridwarden_stream_backlog gauge
gridwarden_stream_backlog{consumer="cases",topic="FINDINGS"} 0
gridwarden_stream_backlog{consumer="curves-4",topic="READINGS"} 0
gridwarden_stream_backlog{consumer="historian",topic="READINGS"} 3
# HELP gridwarden_stream_danger 1 where messages that a consumer has not read will soon be dropped.
# TYPE gridwarden_stream_danger gauge
gridwarden_stream_danger{consumer="cases",topic="FINDINGS"} 0
gridwarden_stream_danger{consumer="curves-4",topic="READINGS"} 0
gridwarden_stream_danger{consumer="historian",topic="READINGS"} 0
# HELP gridwarden_stream_messages Messages that the stream of a topic holds.
# TYPE gridwarden_stream_messages gauge
gridwarden_stream_messages{topic="CASE_EVENTS"} 0
gridwarden_stream_messages{topic="DEAD"} 0
gridwarden_stream_messages{topic="FINDINGS"} 1
gridwarden_stream_messages{topic="METER_DAYS"} 0
gridwarden_stream_messages{topic="READINGS"} 3
gridwarden_stream_messages{topic="WORK"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "gridwarden_stream_backlog", "gridwarden_stream_danger", "gridwarden_stream_messages"); err != nil {
		t.Error(err)
	}
	stop()
	s.Close()
	if families, err := reg.Gather(); err != nil || len(families) != 0 {
		t.Errorf("after the end: %v, %v", families, err)
	}
}

func TestUnreadReadingsInDanger(t *testing.T) {
	s := open(t, Config{MessageBytes: 1, MaxBytes: 10_000})
	now := time.Now()
	say := func(at time.Time) string {
		t.Helper()
		p, err := s.durableProgress(t.Context(), consumerKey{Readings, "historian"})
		if err != nil {
			t.Fatal(err)
		}
		danger, err := s.danger(t.Context(), Readings, p, at)
		if err != nil {
			t.Fatal(err)
		}
		return danger
	}
	publish(t, s, sample(2))
	if d := say(now); d != "" {
		t.Errorf("two fresh readings: %q", d)
	}
	if d := say(now.Add(DefaultMaxAge * 9 / 10)); !strings.Contains(d, "old of 168h") {
		t.Errorf("unread for nine tenths of the age: %q", d)
	}
	publish(t, s, sample(200)[2:])
	if d := say(now); !strings.Contains(d, "the stream holds") {
		t.Errorf("full and unread: %q", d)
	}
	consume(t, s, "historian", func([]meter.Reading) (bool, error) { return backlog(t, s, "historian") < 200, nil })
	waitFor(t, "backlog 0", func() bool { return backlog(t, s, "historian") == 0 })
	if d := say(now); d != "" {
		t.Errorf("full, but all read: %q", d)
	}
}
