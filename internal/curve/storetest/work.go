package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/gridwarden/gridwarden/internal/curve"
)

func commit(t *testing.T, s curve.WorkStore, c curve.Commit) {
	t.Helper()
	c.Features = compute(c.Days)
	if err := s.Commit(t.Context(), &c); err != nil {
		t.Fatal(err)
	}
}

func wantPosition(t *testing.T, s curve.WorkStore, reader string, want uint64) {
	t.Helper()
	if got, err := s.Position(t.Context(), reader); err != nil || got != want {
		t.Errorf("reader %s is at %d, %v; want %d", reader, got, err, want)
	}
}

func wantStates(t *testing.T, s curve.WorkStore, reader string, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	err := s.States(t.Context(), reader, func(meterID string, data []byte) error {
		got[meterID] = string(data)
		return nil
	})
	if err != nil || !maps.Equal(got, want) {
		t.Errorf("reader %s has the states %v, %v; want %v", reader, got, err, want)
	}
}

func wantState(t *testing.T, s curve.WorkStore, meterID string, date curve.Date, want string) {
	t.Helper()
	got, err := s.DayState(t.Context(), meterID, date)
	if err != nil || string(got) != want || want == "" && got != nil {
		t.Errorf("the state of %s on %d is %q, %v; want %q", meterID, date, got, err, want)
	}
	if date != 0 {
		return
	}
	if own, err := s.State(t.Context(), meterID); err != nil || string(own) != want {
		t.Errorf("the own state of %s is %q, %v; want %q", meterID, own, err, want)
	}
}

func state(meterID, data string) curve.State {
	return curve.State{MeterID: meterID, Data: []byte(data)}
}

func testCommit(t *testing.T, s curve.WorkStore) {
	wantPosition(t, s, "curves.1", 0)
	wantStates(t, s, "curves.1", map[string]string{})
	wantState(t, s, "A", 0, "")

	commit(t, s, curve.Commit{
		Reader: "curves.1", Token: 3, Position: 10, Days: []curve.Day{Day("A", 20000, 1)},
		States: []curve.State{state("A", "a1"), state("B", "b1"), {MeterID: "A", Date: 20000, Data: []byte("day")}, state("C", "old"), state("C", "new")},
	})
	commit(t, s, curve.Commit{Reader: "curves.2", Token: 1, Position: 5, States: []curve.State{state("D", "d1")}})
	wantPosition(t, s, "curves.1", 10)
	wantPosition(t, s, "curves.2", 5)
	wantStates(t, s, "curves.1", map[string]string{"A": "a1", "B": "b1", "C": "new"})
	wantState(t, s, "A", 0, "a1")
	wantState(t, s, "A", 20000, "day")
	wantState(t, s, "A", 20001, "")
	wantDays(t, days(t, s, "A", 0, 30000), Day("A", 20000, 1))

	// The meter moves to the other reader; empty data forget.
	commit(t, s, curve.Commit{
		Reader: "curves.2", Token: 1, Position: 6,
		States: []curve.State{state("A", "a2"), state("D", ""), {MeterID: "A", Date: 20000}, state("never", "")},
	})
	wantStates(t, s, "curves.1", map[string]string{"B": "b1", "C": "new"})
	wantStates(t, s, "curves.2", map[string]string{"A": "a2"})
	wantState(t, s, "A", 0, "a2")
	wantState(t, s, "A", 20000, "")
	wantState(t, s, "D", 0, "")

	stop, calls := errors.New("enough"), 0
	err := s.States(t.Context(), "curves.1", func(string, []byte) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Errorf("after the first error: %v, %d calls", err, calls)
	}
}

func testFencing(t *testing.T, s curve.WorkStore) {
	commit(t, s, curve.Commit{Reader: "curves.1", Token: 7, Position: 10})
	stale := curve.Commit{
		Reader: "curves.1", Token: 6, Position: 99, Days: []curve.Day{Day("A", 20000, 1)}, Features: make([]curve.Features, 1),
		States: []curve.State{state("A", "stale")},
	}
	if err := s.Commit(t.Context(), &stale); !errors.Is(err, curve.ErrFenced) {
		t.Fatalf("a commit under an earlier token gave %v", err)
	}
	wantPosition(t, s, "curves.1", 10)
	wantState(t, s, "A", 0, "")
	wantDays(t, days(t, s, "A", 0, 30000))
	stale.Reader = "curves.2" // another reader's token is its own
	if err := s.Commit(t.Context(), &stale); err != nil {
		t.Fatal(err)
	}
	commit(t, s, curve.Commit{Reader: "curves.1", Token: 7, Position: 11})
	commit(t, s, curve.Commit{Reader: "curves.1", Token: 8, Position: 12})
	wantPosition(t, s, "curves.1", 12)
}

// Of a commit that cannot be stored nothing is.
func testCommitAllOrNone(t *testing.T, s curve.WorkStore) {
	broken := Day("B", 20000, 1)
	broken.Quality = broken.Quality[:5]
	c := curve.Commit{
		Reader: "curves.1", Token: 1, Position: 10, States: []curve.State{state("A", "a")},
		Days: []curve.Day{Day("A", 20000, 1), broken}, Features: make([]curve.Features, 2),
	}
	if err := s.Commit(t.Context(), &c); err == nil {
		t.Fatal("a day with too few qualities was stored")
	}
	wantPosition(t, s, "curves.1", 0)
	wantState(t, s, "A", 0, "")
	wantDays(t, days(t, s, "A", 0, 30000))
}

// Readers that commit at once, each its own meters and all of them one that
// they share, lose nothing.
func testConcurrentCommits(t *testing.T, s curve.WorkStore) {
	const readers, commits = 4, 6
	var wg sync.WaitGroup
	for r := range readers {
		wg.Go(func() {
			name := fmt.Sprint("curves.", r)
			for n := 1; n <= commits; n++ {
				running := Day(fmt.Sprint("R", r), 20100, n)
				running.Open = true
				c := curve.Commit{
					Reader: name, Token: 1, Position: uint64(n), States: []curve.State{state(fmt.Sprint("R", r), fmt.Sprint(n))},
					Days: []curve.Day{Day(fmt.Sprint("R", r), curve.Date(20000+n), r), running, Day(fmt.Sprint("S", r, n), 20000, n)},
				}
				c.Features = compute(c.Days)
				if err := s.Commit(t.Context(), &c); err != nil {
					t.Errorf("reader %d: %v", r, err)
				}
			}
		})
	}
	wg.Wait()
	for r := range readers {
		wantPosition(t, s, fmt.Sprint("curves.", r), commits)
		wantStates(t, s, fmt.Sprint("curves.", r), map[string]string{fmt.Sprint("R", r): fmt.Sprint(commits)})
		if got := days(t, s, fmt.Sprint("R", r), 0, 30000); len(got) != commits+1 {
			t.Errorf("reader %d has %d days, want %d", r, len(got), commits+1)
		}
		for n := 1; n <= commits; n++ {
			wantDays(t, days(t, s, fmt.Sprint("S", r, n), 20000, 20000), Day(fmt.Sprint("S", r, n), 20000, n))
		}
	}
}

// Many states in one commit are all there.
func testManyStates(t *testing.T, s curve.WorkStore) {
	want := map[string]string{}
	var states []curve.State
	for m := range 3000 {
		id := fmt.Sprint("M", m)
		want[id] = fmt.Sprint("state of ", m)
		states = append(states, state(id, want[id]))
	}
	for position := range uint64(2) {
		commit(t, s, curve.Commit{Reader: "curves.1", Position: position, States: states})
	}
	wantStates(t, s, "curves.1", want)
}

func testEncoded(t *testing.T, s curve.WorkStore) {
	transactional, ok := s.(curve.Transactional)
	if !ok {
		t.Fatal("the store has no Atomically")
	}
	put(t, s, Day("M", 20000, 1))
	origin := curve.Origin{Rule: curve.OriginImported, Reason: "export.csv"}
	err := transactional.Atomically(t.Context(), func(ctx context.Context, tx curve.Store) error {
		encoded, ok := tx.(curve.EncodedStore)
		if !ok {
			return nil // a store need not take them
		}
		var buf []byte
		for _, d := range []curve.Day{Day("M", 20000, 2), Day("new", 20000, 3), Day("M", 20001, 4)} {
			buf = curve.Encode(buf[:0], &d) // which the store must not keep
			e := []curve.Encoded{{MeterID: d.MeterID, Date: d.Date, Features: curve.Compute(&d), Curve: buf}}
			if err := encoded.PutEncoded(ctx, origin, e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := days(t, s, "M", 0, 30000); len(got) == 1 {
		return // it did not
	}
	of := func(d curve.Day) curve.Day {
		d.Origin = origin
		return d
	}
	wantDays(t, days(t, s, "M", 0, 30000), of(Day("M", 20000, 2)), of(Day("M", 20001, 4)))
	wantDays(t, days(t, s, "new", 0, 30000), of(Day("new", 20000, 3)))
	wantVersions(t, s, "M", 20000, Day("M", 20000, 1), of(Day("M", 20000, 2)))
}
