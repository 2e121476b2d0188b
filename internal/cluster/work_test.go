package cluster

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// queue makes the stream of work as internal/stream does.
func queue(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	_, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: workStream, Subjects: []string{"work.>"}, Retention: jetstream.WorkQueuePolicy})
	if err != nil {
		t.Fatal(err)
	}
}

// works lets a member do parts until the test ends or stop is called.
func works(t *testing.T, m *Member, do func(ctx context.Context, plan []byte, part int) ([]byte, error)) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- m.Work(ctx, do) }()
	var over atomic.Bool
	stop = func() {
		if !over.Swap(true) {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(stop)
	return stop
}

func squares(_ context.Context, plan []byte, part int) ([]byte, error) {
	return fmt.Appendf(nil, "%s %d", plan, part*part), nil
}

func TestWorkIsSharedAndComesBackInOrder(t *testing.T) {
	srv := serve(t, t.TempDir(), 0)
	b := newBoard()
	js := connect(t, srv.ClientURL())
	queue(t, js)
	one, _ := b.member(t, js, "one")
	two, _ := b.member(t, connect(t, srv.ClientURL()), "two")
	var by [2]atomic.Int64
	for i, m := range []*Member{one, two} {
		works(t, m, func(ctx context.Context, plan []byte, part int) ([]byte, error) {
			by[i].Add(1)
			time.Sleep(5 * time.Millisecond)
			return squares(ctx, plan, part)
		})
	}
	eventually(t, "one of them leads", func() bool { return one.Leader() != two.Leader() })
	leader, other := one, two
	if two.Leader() {
		leader, other = two, one
	}
	if _, err := other.Distribute(t.Context(), "night", nil, 1); !errors.Is(err, ErrNotLeader) {
		t.Errorf("who does not lead began a run: %v", err)
	}
	for _, run := range []string{"night-1", "night-2"} {
		results, err := leader.Distribute(t.Context(), run, []byte(run), 30)
		if err != nil {
			t.Fatal(err)
		}
		for n, got := range results {
			if want := fmt.Sprintf("%s %d", run, n*n); string(got) != want {
				t.Errorf("part %d is %q, want %q", n, got, want)
			}
		}
	}
	if by[0].Load() == 0 || by[1].Load() == 0 {
		t.Errorf("done by one host alone: %d and %d", by[0].Load(), by[1].Load())
	}
	clean(t, js)
}

// clean checks that nothing of any run is left.
func clean(t *testing.T, js jetstream.JetStream) {
	t.Helper()
	for name := range js.ObjectStoreNames(t.Context()).Name() {
		t.Errorf("store %s is left", name)
	}
	s, err := js.Stream(t.Context(), workStream)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the queue is empty", func() bool {
		info, err := s.Info(t.Context())
		return err == nil && info.State.Msgs == 0
	})
}

func TestAPartOfADeadWorkerIsDoneByAnother(t *testing.T) {
	srv := serve(t, t.TempDir(), 0)
	b := newBoard()
	js := connect(t, srv.ClientURL())
	queue(t, js)
	one, _ := b.member(t, js, "one")
	eventually(t, "one leads", one.Leader)
	dying := connect(t, srv.ClientURL())
	two, _ := b.member(t, dying, "two")
	begun := make(chan struct{})
	stop := works(t, two, func(ctx context.Context, _ []byte, _ int) ([]byte, error) {
		close(begun)
		<-ctx.Done()
		return nil, ctx.Err()
	})
	go func() {
		<-begun
		dying.Conn().Close() // nothing is given back
		stop()
		works(t, one, squares)
	}()
	results, err := one.Distribute(t.Context(), "night", []byte("p"), 3)
	if err != nil || len(results) != 3 || string(results[2]) != "p 4" {
		t.Errorf("%q, %v", results, err)
	}
}

func TestAPoisonedPartFailsItsRun(t *testing.T) {
	srv := serve(t, t.TempDir(), 0)
	b := newBoard()
	js := connect(t, srv.ClientURL())
	queue(t, js)
	one, _ := b.member(t, js, "one")
	eventually(t, "one leads", one.Leader)
	var attempts atomic.Int64
	works(t, one, func(ctx context.Context, plan []byte, part int) ([]byte, error) {
		if part == 1 {
			attempts.Add(1)
			return nil, errors.New("area T-7 has no transformer")
		}
		return squares(ctx, plan, part)
	})
	_, err := one.Distribute(t.Context(), "night", nil, 3)
	if !errors.Is(err, ErrPart) || !strings.Contains(err.Error(), "part 1 of run night") || !strings.Contains(err.Error(), "T-7") {
		t.Errorf("the run ended with %v", err)
	}
	if attempts.Load() != partAttempts {
		t.Errorf("%d attempts, want %d", attempts.Load(), partAttempts)
	}
	clean(t, js)
	if results, err := one.Distribute(t.Context(), "next", []byte("p"), 1); err != nil || string(results[0]) != "p 0" {
		t.Errorf("the next run: %q, %v", results, err)
	}
}

func TestTheNextLeaderStartsAnew(t *testing.T) {
	srv := serve(t, t.TempDir(), 0)
	b := newBoard()
	js := connect(t, srv.ClientURL())
	queue(t, js)
	one, leave := b.member(t, js, "one")
	eventually(t, "one leads", one.Leader)
	two, _ := b.member(t, connect(t, srv.ClientURL()), "two")
	failed := make(chan error, 1)
	go func() {
		_, err := one.Distribute(context.WithoutCancel(t.Context()), "first", nil, 2) // nobody works
		failed <- err
	}()
	eventually(t, "the first run waits", func() bool {
		s, err := js.ObjectStore(t.Context(), runBucket+"first")
		return err == nil && s != nil
	})
	if err := leave(); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; !errors.Is(err, ErrNotLeader) {
		t.Errorf("the first run ended with %v", err)
	}
	eventually(t, "two leads", two.Leader)
	works(t, two, squares)
	if results, err := two.Distribute(t.Context(), "second", []byte("p"), 2); err != nil || string(results[1]) != "p 1" {
		t.Errorf("%q, %v", results, err)
	}
	clean(t, js)
}
