package poll

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// TestMain also serves as the process of the simulated gateways, so that the
// benchmark does not count their CPU time as the poller's.
func TestMain(m *testing.M) {
	if os.Getenv(gatewaysEnv) != "" {
		serveGateways()
		return
	}
	goleak.VerifyTestMain(m)
}

// fakeDriver reads whatever a test says, by device id.
type fakeDriver struct {
	mu       sync.Mutex
	read     map[string]func(ctx context.Context) error
	reads    map[string]int
	busy     map[string]int // readers now, by connection
	most     map[string]int
	sharing  func(d drivers.Device) drivers.Sharing
	sessions int

	asked                [][2]time.Time // gaps, of sessions with a history
	filling, mostFilling int
	failHistory          bool
}

func newFakeDriver() *fakeDriver {
	return &fakeDriver{read: map[string]func(context.Context) error{}, reads: map[string]int{}, busy: map[string]int{}, most: map[string]int{}}
}

func (f *fakeDriver) Name() string               { return "fake" }
func (f *fakeDriver) Schemes() []string          { return []string{"fake"} }
func (f *fakeDriver) Check(drivers.Device) error { return nil }
func (f *fakeDriver) Close() error               { return nil }
func (f *fakeDriver) Share(d drivers.Device) drivers.Sharing {
	if f.sharing == nil {
		return drivers.Sharing{Connection: d.ID, Parallel: 1}
	}
	return f.sharing(d)
}

func (f *fakeDriver) Session(d drivers.Device) (drivers.Session, error) {
	if d.URL.Host == "broken" {
		return nil, fmt.Errorf("device %s: no session", d.ID)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sessions++
	s := &fakeSession{f: f, dev: d, connection: f.Share(d).Connection}
	if d.URL.Host == "subscribed" {
		return &fakeSubscriber{s}, nil
	}
	if d.URL.Host == "history" {
		return &historySession{s}, nil
	}
	return s, nil
}

type fakeSession struct {
	f          *fakeDriver
	dev        drivers.Device
	connection string
}

func (s *fakeSession) Close() error {
	s.f.mu.Lock()
	defer s.f.mu.Unlock()
	s.f.sessions--
	return nil
}

func (s *fakeSession) Read(ctx context.Context, group int) ([]meter.Reading, error) {
	s.f.mu.Lock()
	s.f.reads[s.dev.ID]++
	n := s.f.reads[s.dev.ID]
	s.f.busy[s.connection]++
	s.f.most[s.connection] = max(s.f.most[s.connection], s.f.busy[s.connection])
	read := s.f.read[s.dev.ID]
	s.f.mu.Unlock()
	var err error
	if read != nil {
		err = read(ctx)
	}
	s.f.mu.Lock()
	s.f.busy[s.connection]--
	s.f.mu.Unlock()
	now := time.Now().UTC()
	if errors.Is(err, errNoReadings) {
		return nil, err
	}
	if err != nil {
		return s.dev.Failed(group, now, meter.CommFailure, err.Error()), err
	}
	return []meter.Reading{s.dev.Reading(meter.ActivePower, profile.Primary, profile.Value{Number: float64(n), Quality: meter.Good}, now, now, nil)}, nil
}

var errNoReadings = errors.New("nothing at all")

type fakeSubscriber struct{ *fakeSession }

func (s *fakeSubscriber) Subscribe(ctx context.Context, fn func([]meter.Reading)) error {
	for {
		readings, err := s.Read(ctx, 0)
		if err != nil {
			return err
		}
		fn(readings)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func fakeDevice(id, host string, interval time.Duration) drivers.Device {
	return drivers.Device{
		ID: id, URL: &url.URL{Scheme: "fake", Host: host}, Interval: interval,
		Profile: &profile.Profile{Name: "fake", OPCUA: &profile.OPCUA{Points: []profile.OPCUAPoint{{Quantity: meter.ActivePower}}}},
	}
}

// collector is a sink that keeps everything.
type collector struct {
	mu   sync.Mutex
	list []meter.Reading
	fail func() error
}

func (c *collector) sink(_ context.Context, list []meter.Reading) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fail != nil {
		if err := c.fail(); err != nil {
			return err
		}
	}
	c.list = append(c.list, list...)
	return nil
}

func (c *collector) byDevice() map[string][]meter.Reading {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := map[string][]meter.Reading{}
	for _, r := range c.list {
		out[r.DeviceID] = append(out[r.DeviceID], r)
	}
	return out
}

// checkSequence holds the good values of one device to 1, 2, 3 …: nothing
// lost, doubled or out of order.
func checkSequence(t *testing.T, id string, list []meter.Reading, want int) {
	t.Helper()
	if len(list) != want {
		t.Errorf("%s: %d readings, want %d", id, len(list), want)
	}
	for i, r := range list {
		if r.Value != float64(i+1) || r.Quality != meter.Good {
			t.Errorf("%s: reading %d is %v (%v)", id, i, r.Value, r.Quality)
			return
		}
	}
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

// run runs a poller for d and returns it with how long its end took and Run's error.
func run(t *testing.T, cfg Config, d time.Duration) (*Poller, time.Duration, error) {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quiet()
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	time.Sleep(d)
	cancel()
	ended := time.Now()
	err = <-done
	return p, time.Since(ended), err
}

func nan(v float64) bool { return math.IsNaN(v) }
