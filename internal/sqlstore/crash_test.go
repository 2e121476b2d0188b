package sqlstore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/curve/storetest"
)

// crashEnv makes the test binary the process that is killed.
const crashEnv = "GRIDWARDEN_TEST_CRASH_DB"

// TestMain runs the victim of TestKillInTheMiddleLeavesTheOldState where the
// environment asks for it.
func TestMain(m *testing.M) {
	if path := os.Getenv(crashEnv); path != "" {
		if err := putUntilKilled(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	code := m.Run()
	if err := errors.Join(postgres.close(), goleak.Find()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// putUntilKilled replaces the days of 2,000 meters in transactions that never
// end, and says when it is in the middle of one.
func putUntilKilled(path string) error {
	ctx := context.Background()
	db, err := Open(ctx, path)
	if err != nil {
		return err
	}
	return db.Curves().Atomically(ctx, func(ctx context.Context, tx curve.Store) error {
		for seed := 2; ; seed++ {
			for m := range 2000 {
				days := []curve.Day{storetest.Day(fmt.Sprint("M", m), 20000, seed), storetest.Day(fmt.Sprint("M", m), curve.Date(20000+seed), seed)}
				if err := tx.PutDays(ctx, days, make([]curve.Features, 2)); err != nil {
					return err
				}
			}
			if _, err := fmt.Println("in the middle"); err != nil {
				return err
			}
		}
	})
}

func TestKillInTheMiddleLeavesTheOldState(t *testing.T) {
	path := filepath.Join(t.TempDir(), "grid.db")
	db, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	old := storetest.Day("M7", 20000, 1)
	if err := db.Curves().PutDays(t.Context(), []curve.Day{old}, make([]curve.Features, 1)); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		victim := exec.CommandContext(ctx, os.Args[0]) // killed with SIGKILL
		victim.Env = append(os.Environ(), crashEnv+"="+path)
		victim.Stderr = os.Stderr
		out, err := victim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(out)
		for range round + 1 {
			if !lines.Scan() {
				t.Fatal("the victim said nothing")
			}
		}
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = victim.Wait() // it was killed: that is its error
		cancel()

		db, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		days, err := db.Curves().Days(t.Context(), "M7", 0, 1<<20)
		if err != nil || len(days) != 1 || fmt.Sprint(days[0]) != fmt.Sprint(old) {
			t.Errorf("round %d: after the kill the store has %v, %v", round, days, err)
		}
		first, last, _, err := db.Curves().Span(t.Context())
		if first != 20000 || last != 20000 || err != nil {
			t.Errorf("round %d: after the kill the span is %v to %v, %v", round, first, last, err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
