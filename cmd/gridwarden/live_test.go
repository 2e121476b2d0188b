package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/historian"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/sim"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// influxBinary is the InfluxDB that `make bin/influxd` builds.
func influxBinary(t *testing.T) string {
	t.Helper()
	path := os.Getenv("GRIDWARDEN_INFLUXD")
	if path == "" {
		path = filepath.Join("..", "..", "bin", "influxd")
	}
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("no InfluxDB at %s: run `make bin/influxd`", path)
	}
	return path
}

func testLogger(t *testing.T) *slog.Logger {
	t.Helper()
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn}))
}

func smallDistrict(t *testing.T) *sim.District {
	t.Helper()
	d, err := sim.New(sim.Config{Seed: 1, Until: curve.DateOf(time.Now().UTC()) - 1, Days: 2})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// hostOn opens the program on a served district, with everything below dir.
func hostOn(t *testing.T, dir string, server *sim.Server, change func(*config.Config)) *host.Host {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir = filepath.Join(dir, "data")
	cfg.Console.Listen = "127.0.0.1:0"
	if server != nil {
		cfg.Devices = polledDevices(server)
	}
	if change != nil {
		change(&cfg)
	}
	h, err := host.New(t.Context(), &cfg, host.Options{
		Logger: testLogger(t), Drivers: linkDrivers(&cfg, testLogger(t)), Profiles: []fs.FS{sim.Profiles()}, InfluxDB: influxBinary(t),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// sample is one value of one quantity that a device gave.
type sample struct {
	device   string
	quantity meter.Quantity
}

// answer is what was served, with the second for which it holds.
type answer struct {
	at    time.Time
	value float64
}

// What InfluxDB holds in the end is what the simulator's registers and
// variants said, value by value and in order, over Modbus and OPC UA.
func TestStoredValuesAreTheServedOnes(t *testing.T) {
	var mu sync.Mutex
	served := make(map[sample][]answer)
	district := smallDistrict(t)
	server, err := district.Serve(t.Context(), sim.ServeOptions{OnServe: func(s sim.Served) {
		mu.Lock()
		defer mu.Unlock()
		for q, v := range s.Values {
			key := sample{s.DeviceID, q}
			served[key] = append(served[key], answer{s.At, v})
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	h := hostOn(t, t.TempDir(), server, nil)

	from := time.Now().Add(-time.Minute)
	const window = 8 * time.Second
	if err := pollFor(t.Context(), h, window); err != nil {
		t.Fatal(err)
	}
	stored := make(map[sample][]historian.Value)
	err = h.StoredValues(t.Context(), from, time.Now(), func(v historian.Value) error {
		key := sample{v.DeviceID, v.Quantity}
		stored[key] = append(stored[key], v)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if have := devicesIn(stored); have != len(server.Devices()) {
		t.Errorf("values of %d devices are stored, %d were polled", have, len(server.Devices()))
	}
	// The substation's server publishes on; it waits while its answers are read.
	mu.Lock()
	defer mu.Unlock()
	compareSeries(t, server.Devices(), served, stored)
}

// pollFor polls for a while, then lets the stream drain into the historian.
func pollFor(ctx context.Context, h *host.Host, window time.Duration) error {
	done := errors.New("polled long enough")
	err := h.Start(ctx, func(ctx context.Context) error {
		select {
		case <-time.After(window):
			return done
		case <-ctx.Done():
			return nil
		}
	})
	if !errors.Is(err, done) {
		return err
	}
	return h.Drain(ctx)
}

func devicesIn(stored map[sample][]historian.Value) int {
	have := make(map[string]bool)
	for key := range stored {
		have[key.device] = true
	}
	return len(have)
}

// mostUnkept is how many answers of a polled device may not be stored: one that
// came after the poller had given the turn up (on a busy machine), and one that
// the end of the window cut off.
const mostUnkept = 2

// compareSeries holds what is stored against what was served.
//
// A Modbus device answers once a poll, and its registers carry no time: what is
// stored are its answers in their order. OPC UA values carry the second of their
// source, at which the simulator says what it published.
func compareSeries(t *testing.T, devices []sim.Device, served map[sample][]answer, stored map[sample][]historian.Value) {
	t.Helper()
	timed := make(map[string]bool)
	for _, d := range devices {
		timed[d.ID] = d.Driver == "opcua"
	}
	compared, wrong := 0, 0
	for key, values := range stored {
		slices.SortFunc(values, func(a, b historian.Value) int { return a.Time.Compare(b.Time) })
		compared += len(values)
		bad := outOfOrder
		if timed[key.device] {
			bad = notOfItsSecond
		}
		if v, answers := bad(values, served[key]); v != nil {
			if wrong++; wrong <= 5 {
				t.Errorf("%s %s at %v: stored %v, served %v", key.device, key.quantity, v.Time, v.Value, answers)
			}
		}
		if unkept := len(served[key]) - len(values); !timed[key.device] && unkept > mostUnkept {
			t.Errorf("%s %s: %d of %d answers are not stored", key.device, key.quantity, unkept, len(served[key]))
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d series differ", wrong, len(stored))
	}
	if compared < 20_000 {
		t.Errorf("only %d values were compared", compared)
	}
	t.Logf("%d values in %d series compared, %d series differ", compared, len(stored), wrong)
}

// outOfOrder returns the first value that is not among the answers after those
// of the values before it, nil where every one is.
func outOfOrder(values []historian.Value, said []answer) (*historian.Value, []answer) {
	rest := said
	for i := range values {
		at := slices.IndexFunc(rest, func(a answer) bool { return a.value == values[i].Value })
		if at < 0 {
			return &values[i], rest
		}
		rest = rest[at+1:]
	}
	return nil, nil
}

// notOfItsSecond returns the first value that was not served for its own
// second, nil where every one was.
func notOfItsSecond(values []historian.Value, said []answer) (*historian.Value, []answer) {
	for i := range values {
		second := slices.DeleteFunc(slices.Clone(said), func(a answer) bool { return a.at.Unix() != values[i].Time.Unix() })
		if !slices.ContainsFunc(second, func(a answer) bool { return a.value == values[i].Value }) {
			return &values[i], second
		}
	}
	return nil, nil
}
