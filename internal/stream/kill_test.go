package stream

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// killsVariable says how often TestKillLosesNothing kills; 5 times otherwise.
const killsVariable = "GRIDWARDEN_STREAM_KILLS"

// killAckWait is how long what a killed consumer had taken stays away.
const killAckWait = time.Second

func TestMain(m *testing.M) {
	if code, played := playRole(); played {
		os.Exit(code)
	}
	// The server's own waits for a leaf's answer; they end within half a
	// minute, whatever became of the server.
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"),
		goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*stream).tryDeleteSourcingConsumer.func1"))
}

// workUntilKilled publishes readings numbered from args[1] on in the folder
// args[0] and prints "acked N" when all up to N are acknowledged. Meanwhile
// one positioned reader and one durable consumer keep what they get.
func workUntilKilled(args []string) error {
	dir := args[0]
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return fmt.Errorf("first number: %w", err)
	}
	s, err := openChild(Config{Dir: dir, MessageBytes: 1000, AckWait: killAckWait})
	if err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(context.Background())
	g.Go(func() error {
		for {
			if err := s.PublishReadings(ctx, counted(n, 100)); err != nil {
				return err
			}
			n += 100
			fmt.Printf("acked %d\n", n-1)
		}
	})
	g.Go(func() error { return readAndKeep(ctx, s, dir, nil) })
	g.Go(func() error { return consumeAndKeep(ctx, s, dir, nil) })
	return g.Wait()
}

// readAndKeep reads on by position; it keeps what it read and the position
// together.
func readAndKeep(ctx context.Context, s *Stream, dir string, enough func(*ledger) bool) error {
	l, err := openLedger(filepath.Join(dir, "read"))
	if err != nil {
		return err
	}
	defer l.close()
	r := Reader{Name: "curves", Partition: AllPartitions, After: l.last}
	return s.ReadReadings(ctx, r, func(_ context.Context, rs []meter.Reading, last uint64) error {
		return keep(l, rs, last, enough)
	})
}

// consumeAndKeep consumes with acknowledgements.
func consumeAndKeep(ctx context.Context, s *Stream, dir string, enough func(*ledger) bool) error {
	l, err := openLedger(filepath.Join(dir, "consumed"))
	if err != nil {
		return err
	}
	defer l.close()
	return s.ConsumeReadings(ctx, "historian", func(_ context.Context, rs []meter.Reading) error {
		return keep(l, rs, 0, enough)
	})
}

var errEnough = errors.New("enough")

func keep(l *ledger, rs []meter.Reading, last uint64, enough func(*ledger) bool) error {
	time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond) // be killed before it is kept, too
	if err := l.append(rs, last); err != nil {
		return err
	}
	time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond) // and after
	if enough != nil && enough(l) {
		return Final(errEnough)
	}
	return nil
}

// killAfter starts the working process at number from, kills it with SIGKILL
// once it has been acknowledging for a while, and returns the last number
// that it knew to be acknowledged.
func killAfter(t *testing.T, dir string, from int, work time.Duration) (acked int) {
	t.Helper()
	cmd := child(t, nil, "work", dir, strconv.Itoa(from))
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
		t.Fatalf("the working process was not killed: %v", err)
	}
	if acked < from {
		t.Fatal("the working process acknowledged nothing before it was killed")
	}
	return acked
}

// TestKillLosesNothing kills a process that publishes, reads by position and
// consumes, again and again at random moments. What it knew to be
// acknowledged has been read by position exactly once, and was consumed.
func TestKillLosesNothing(t *testing.T) {
	kills := 5
	if text := os.Getenv(killsVariable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			t.Fatalf("%s=%q: give a whole number from 1 on", killsVariable, text)
		}
		kills = n
	}
	dir := t.TempDir()
	acknowledged := make(map[int]bool)
	from := 0
	for range kills {
		last := killAfter(t, dir, from, time.Duration(rand.IntN(400))*time.Millisecond)
		for n := from; n <= last; n++ {
			acknowledged[n] = true
		}
		from = last + 100_001 // unacknowledged ones may be stored too
	}

	s := open(t, Config{Dir: dir, AckWait: killAckWait})
	info, err := s.info(t.Context(), Readings)
	if err != nil {
		t.Fatal(err)
	}
	all := func(l *ledger) bool { return l.holds(acknowledged) }
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for name, finish := range map[string]func(context.Context, *Stream, string, func(*ledger) bool) error{"read": readAndKeep, "consumed": consumeAndKeep} {
		l, err := openLedger(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		before := len(l.seen)
		l.close()
		if !l.holds(acknowledged) || name == "read" && l.last < info.State.LastSeq {
			enough := all
			if name == "read" { // the last acknowledged batch is not the last of the stream
				enough = func(l *ledger) bool { return l.last >= info.State.LastSeq }
			}
			if err := finish(ctx, s, dir, enough); err != nil && !errors.Is(err, errEnough) {
				t.Fatal(err)
			}
		}
		if l, err = openLedger(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		l.close()
		lost, twice := 0, 0
		for n := range acknowledged {
			if l.seen[n] == 0 {
				lost++
			}
		}
		for _, times := range l.seen {
			if times > 1 {
				twice++
			}
		}
		if lost > 0 || twice > 0 && name == "read" {
			t.Errorf("%s: %d of %d acknowledged readings lost, %d twice", name, lost, len(acknowledged), twice)
		}
		t.Logf("%s: %d readings acknowledged before %d kills, %d of them kept by then; %d lost, %d twice", name, len(acknowledged), kills, before, lost, twice)
	}
}
