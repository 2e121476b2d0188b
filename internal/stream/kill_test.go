package stream

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// The environment that turns the test binary into the publisher to be killed.
const (
	childDir  = "GRIDWARDEN_STREAM_TEST_DIR"
	childFrom = "GRIDWARDEN_STREAM_TEST_FROM"
)

func TestMain(m *testing.M) {
	if code, played := playRole(); played {
		os.Exit(code)
	}
	if dir := os.Getenv(childDir); dir != "" {
		if err := publishForever(dir, os.Getenv(childFrom)); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	// The server's own waits for a leaf's answer; they end within half a
	// minute, whatever became of the server.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*stream).tryDeleteSourcingConsumer.func1"))
}

// publishForever publishes numbered readings and prints "acked N" when all up
// to N are acknowledged.
func publishForever(dir, from string) error {
	n, err := strconv.Atoi(from)
	if err != nil {
		return fmt.Errorf("first number: %w", err)
	}
	ctx := context.Background()
	s, err := Open(ctx, Config{Dir: dir, MessageBytes: 1000, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	for {
		batch := sample(100)
		for i := range batch {
			batch[i].Value = float64(n + i)
		}
		if err := s.PublishReadings(ctx, batch); err != nil {
			return err
		}
		n += len(batch)
		fmt.Printf("acked %d\n", n-1)
	}
}

// killAfter starts the publisher at number from, kills it with SIGKILL once
// it has been acknowledging for a while, and returns the last number that it
// knew to be acknowledged.
func killAfter(t *testing.T, dir string, from int, work time.Duration) (acked int) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), childDir+"="+dir, childFrom+"="+strconv.Itoa(from))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	acked = -1
	var timer *time.Timer
	for lines := bufio.NewScanner(out); lines.Scan(); {
		number, ok := strings.CutPrefix(lines.Text(), "acked ")
		if !ok {
			continue // the line that the kill cut short
		}
		if acked, err = strconv.Atoi(number); err != nil {
			t.Fatal(err)
		}
		if timer == nil {
			timer = time.AfterFunc(work, func() { _ = cmd.Process.Kill() })
			defer timer.Stop()
		}
	}
	err = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the publisher was not killed: %v", err)
	}
	if acked < from {
		t.Fatal("the publisher acknowledged nothing before it was killed")
	}
	return acked
}

// TestKillLosesNothing kills a publishing process several times and checks
// that every reading which it knew to be acknowledged is delivered, once.
func TestKillLosesNothing(t *testing.T) {
	dir := t.TempDir()
	acknowledged := make(map[float64]bool)
	from := 0
	for kill := range 5 {
		last := killAfter(t, dir, from, time.Duration(50+70*kill)*time.Millisecond)
		for n := from; n <= last; n++ {
			acknowledged[float64(n)] = true
		}
		from = last + 1_000_001 // unacknowledged ones may be stored too
	}

	s := open(t, Config{Dir: dir})
	waiting := backlog(t, s, "historian")
	seen := make(map[float64]int)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	missing := len(acknowledged)
	if err := s.ConsumeReadings(ctx, "historian", func(_ context.Context, rs []meter.Reading) error {
		for _, r := range rs {
			if seen[r.Value]++; seen[r.Value] == 1 && acknowledged[r.Value] {
				missing--
			}
		}
		if missing == 0 {
			cancel()
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if missing > 0 {
		t.Errorf("%d of %d acknowledged readings lost", missing, len(acknowledged))
	}
	for n, times := range seen {
		if times > 1 {
			t.Errorf("reading %.0f delivered %d times", n, times)
		}
	}
	t.Logf("%d readings acknowledged before 5 kills, %d messages found", len(acknowledged), waiting)
}
