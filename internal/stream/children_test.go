package stream

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// childRole is the environment that turns the test binary into a process
// with a role: its name and what it needs, joined by commas.
const childRole = "GRIDWARDEN_STREAM_TEST_ROLE"

// playRole plays the role that the environment names, if any.
func playRole() (code int, played bool) {
	role := strings.Split(os.Getenv(childRole), ",")
	play := map[string]func(args []string) error{
		"disk":    fillDisk,
		"publish": publishSome,
		"hold":    holdFolder,
		"nats":    serveCluster,
		"topics":  writeTopics,
		"work":    workUntilKilled,
	}[role[0]]
	if play == nil {
		return 0, false
	}
	go func(parent int) {
		for os.Getppid() == parent {
			time.Sleep(time.Second)
		}
		os.Exit(1) // the test is gone
	}(os.Getppid())
	if err := play(role[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1, true
	}
	return 0, true
}

// child is a process of the test binary with a role; more are put before it.
func child(t *testing.T, before []string, role ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	args := append(slices.Clone(before), exe)
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), childRole+"="+strings.Join(role, ","))
	return cmd
}

// printed runs a child to its end and returns the lines that it printed.
func printed(t *testing.T, cmd *exec.Cmd) []string {
	t.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s%s", cmd.Args, err, out.String(), errs.String())
	}
	var lines []string
	for s := bufio.NewScanner(&out); s.Scan(); {
		lines = append(lines, s.Text())
	}
	return lines
}

func openChild(cfg Config) (*Stream, error) {
	cfg.FetchWait = 20 * time.Millisecond
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return Open(context.Background(), cfg)
}

// numbered are readings with values from first on.
func numbered(first, n int) []meter.Reading {
	out := sample(n)
	for i := range out {
		out[i].Value = float64(first + i)
		out[i].ReceiveTime = out[i].ReceiveTime.Add(time.Duration(first) * time.Millisecond)
	}
	return out
}

// valuesOf returns how often each value is in the stream.
func valuesOf(s *Stream) (map[int]int, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	str, err := s.js.Stream(ctx, string(Readings))
	if err != nil {
		return nil, err
	}
	last := str.CachedInfo().State.LastSeq
	seen := make(map[int]int)
	if str.CachedInfo().State.Msgs == 0 {
		return seen, nil
	}
	done := errors.New("done")
	err = s.ReadReadings(ctx, Reader{Name: "test", Partition: -1}, func(_ context.Context, rs []meter.Reading, at uint64) error {
		for _, r := range rs {
			seen[int(r.Value)]++
		}
		if at >= last {
			return Final(done)
		}
		return nil
	})
	if !errors.Is(err, done) {
		return nil, fmt.Errorf("read the stream to its end: %w", errors.Join(err, ctx.Err()))
	}
	return seen, nil
}

// kept is a log that can be read while others write.
type kept struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (k *kept) Write(p []byte) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.b.Write(p)
}

func (k *kept) String() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.b.String()
}

func (k *kept) logger() *slog.Logger { return slog.New(slog.NewTextHandler(k, nil)) }
