package historian

import (
	"context"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/internal/stream"
)

// TestEngineDownThenUp keeps publishing while the engine is away: the
// readings wait in the stream, and all of them are there when it is back.
func TestEngineDownThenUp(t *testing.T) {
	s, err := stream.Open(t.Context(), stream.Config{
		Dir: t.TempDir(), Logger: quiet(), MessageBytes: 4000,
		FetchWait: 20 * time.Millisecond, MaxBackoff: 200 * time.Millisecond, MinBackoff: 20 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	backlog := func() int64 {
		n, err := s.Backlog(t.Context(), "historian")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}

	dir := t.TempDir()
	c := child(t, ChildConfig{Dir: dir})
	h := historian(t, Config{URL: c.URL(), Attempts: 2, MinBackoff: 10 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	var g errgroup.Group
	g.Go(func() error { return s.ConsumeReadings(ctx, "historian", h.Write) })
	defer func() {
		cancel()
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	}()

	in := sample(30_000)
	publish := func(from, to int) {
		if err := s.PublishReadings(t.Context(), in[from:to]); err != nil {
			t.Fatal(err)
		}
	}
	publish(0, 10_000)
	waitFor(t, "the first third is stored", func() bool { return backlog() == 0 })

	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	publish(10_000, 20_000)
	waitFor(t, "a failed attempt", func() bool { state, _ := h.State(); return state == Failing })
	publish(20_000, 30_000)
	if n := backlog(); n < 100 {
		t.Errorf("backlog %d with the engine away", n)
	}

	child(t, ChildConfig{Dir: dir, Addr: strings.TrimPrefix(c.URL(), "http://")})
	waitFor(t, "the backlog is worked off", func() bool { return backlog() == 0 })
	mustMatch(t, h, in)
	if state, err := h.State(); state != Works {
		t.Errorf("%s, %v", state, err)
	}
}
