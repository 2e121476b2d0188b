package historian

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentDir); dir != "" {
		if err := startAndWait(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		os.Exit(1)
	}
	engine := &sharedChild{}
	engineOfAll = engine
	code := m.Run()
	engine.close()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// sharedChild is the engine of the tests that leave it alone: a start costs
// seconds. Each test has a database of its own.
type sharedChild struct {
	once sync.Once
	dir  string
	c    *Child
	err  error
	n    atomic.Int64
}

var engineOfAll *sharedChild // set by TestMain

func (s *sharedChild) close() {
	if s.c != nil {
		_ = s.c.Close()
	}
	_ = os.RemoveAll(s.dir)
}

// shared returns the engine of all and the name of a fresh database in it.
func shared(t testing.TB) (c *Child, database string) {
	t.Helper()
	s := engineOfAll
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "historian-test-"); s.err == nil {
			s.c, s.err = StartChild(context.Background(), ChildConfig{Binary: influxd(t), Dir: s.dir, Logger: quiet()})
		}
	})
	if s.c == nil {
		t.Fatalf("the shared engine did not start: %v", s.err)
	}
	database = fmt.Sprintf("test%d", s.n.Add(1))
	if got := ask(t, s.c, "/query", "q=CREATE DATABASE "+database); strings.Contains(got, "error") {
		t.Fatal(got)
	}
	return s.c, database
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

// influxd is the engine's binary; without it the test fails.
func influxd(t testing.TB) string {
	t.Helper()
	path := os.Getenv("GRIDWARDEN_INFLUXD")
	if path == "" {
		path = filepath.Join("..", "..", "bin", "influxd")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(abs); err != nil {
		t.Fatalf("no InfluxDB to test with: %v; run make bin/influxd, or set GRIDWARDEN_INFLUXD", err)
	}
	return abs
}

func child(t testing.TB, cfg ChildConfig) *Child {
	t.Helper()
	cfg.Binary = influxd(t)
	cfg.Logger = quiet()
	if cfg.Dir == "" {
		cfg.Dir = t.TempDir()
	}
	c, err := StartChild(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func historian(t testing.TB, cfg Config) *Historian {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quiet()
	}
	h, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

// base is the moment at which the tests' readings begin.
func base() time.Time { return time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC) }

// sample is n readings: a device a second, ten quantities each, one of them
// bad and one uncertain.
func sample(n int) []meter.Reading {
	quantities := meter.Quantities()[:10]
	out := make([]meter.Reading, n)
	for i := range out {
		k := i / len(quantities)
		at := base().Add(time.Duration(k)*time.Second + 123_456_789)
		out[i] = meter.Reading{
			DeviceID: fmt.Sprintf("gw-%d/unit %d", k%7, k%31), MeterID: fmt.Sprintf("M,%04d", k%31),
			Quantity: quantities[i%len(quantities)], Value: float64(i) / 7 * math.Pi,
			EventTime: at, ReceiveTime: at.Add(5 * time.Millisecond), Quality: meter.Good, Raw: []byte{byte(i), 1},
		}
		switch i % len(quantities) {
		case 3:
			out[i].Quality, out[i].Flags, out[i].Value = meter.Bad, meter.CommFailure, math.NaN()
			out[i].Detail = "timeout after 1s; check the \"gateway\"\nand its \\ cable"
		case 5:
			out[i].Quality, out[i].Flags = meter.Uncertain, meter.Stale|meter.Spike
		}
	}
	return out
}

type key struct {
	device, meter string
	quantity      meter.Quantity
	at            int64
}

// stored reads every value back.
func stored(t testing.TB, h *Historian) map[key]float64 {
	t.Helper()
	out := make(map[key]float64)
	err := h.Values(t.Context(), base().Add(-time.Hour), base().Add(240*time.Hour), func(v Value) error {
		k := key{v.DeviceID, v.MeterID, v.Quantity, v.Time.UnixNano()}
		if _, ok := out[k]; ok {
			return fmt.Errorf("%v twice", k)
		}
		out[k] = v.Value
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// mustMatch compares what is stored with readings, value by value.
func mustMatch(t testing.TB, h *Historian, readings []meter.Reading) {
	t.Helper()
	got := stored(t, h)
	want := 0
	for _, r := range readings {
		k := key{r.DeviceID, r.MeterID, r.Quantity, r.EventTime.UnixNano()}
		v, ok := got[k]
		switch {
		case r.Quality == meter.Bad && ok:
			t.Fatalf("%v is bad and has the value %v", k, v)
		case r.Quality == meter.Bad:
		case !ok:
			t.Fatalf("%v is missing", k)
		case math.Float64bits(v) != math.Float64bits(r.Value):
			t.Fatalf("%v: stored %v, read %v", k, v, r.Value)
		default:
			want++
		}
	}
	if len(got) != want {
		t.Fatalf("%d values stored, %d read", len(got), want)
	}
	n, err := h.Count(t.Context(), base().Add(-time.Hour), base().Add(240*time.Hour))
	if err != nil || n != int64(len(readings)) {
		t.Fatalf("count %d of %d readings: %v", n, len(readings), err)
	}
}

// ask sends InfluxQL to the engine, for what the historian does not offer.
func ask(t testing.TB, c *Child, path, body string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, c.URL()+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if strings.HasPrefix(path, "/query") {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return string(answer)
}

func waitFor(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(4 * time.Minute); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 4 minutes: %s", what)
		}
	}
}

// startAndWait is what the test binary does when it is the parent to be
// killed: it starts the engine and says which process that is.
func startAndWait(dir string) error {
	c, err := StartChild(context.Background(), ChildConfig{Binary: os.Getenv("GRIDWARDEN_INFLUXD"), Dir: dir, Logger: quiet()})
	if err != nil {
		return err
	}
	fmt.Println(c.PID())
	select {}
}
