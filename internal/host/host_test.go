package host

import (
	"errors"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/plugins/builtin"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// The test binary serves the built-in detectors when the host starts it so.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "serve-detectors" {
		sdk.Serve(builtin.Detectors()...)
		return
	}
	goleak.VerifyTestMain(m)
}

func testConfig(t *testing.T) *config.Config {
	t.Helper()
	cfg := config.Default()
	cfg.DataDir = filepath.Join(t.TempDir(), "data")
	cfg.Console.Listen = "127.0.0.1:0"
	return &cfg
}

func options(t *testing.T) Options {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Options{
		Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Drivers: drivers.NewRegistry(),
		BuiltIn: []string{self, "serve-detectors"},
	}
}

func open(t *testing.T, cfg *config.Config) *Host {
	t.Helper()
	h, err := New(t.Context(), cfg, options(t))
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

// registryOf writes a small registry: a transformer and two households.
func registryOf(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"transformers.csv": "transformer_id,feeder_id,substation_id,rated_kva,meter_id\nT-1,F-1,S-1,100,MT\n",
		"customers.csv": "customer_id,category,class,declared_use,contracted_kva,tariff_id\n" +
			"C-1,residential,residential,dwelling,8,res_tiered\nC-2,residential,residential,dwelling,8,res_tiered\n",
		"usage_points.csv": "usage_point_id,meter_id,customer_id,transformer_id\nU-1,M-1,C-1,T-1\nU-2,M-2,C-2,T-1\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// export writes a wide export of days hourly days up to yesterday, dated so
// that it is old enough to be taken as complete.
func export(t *testing.T, file string, days int) {
	t.Helper()
	var b strings.Builder
	b.WriteString("meter_id,date")
	for i := 1; i <= 24; i++ {
		b.WriteString(",p")
		b.WriteString(strconv.Itoa(i))
	}
	b.WriteString("\n")
	for back := days; back > 0; back-- {
		for _, id := range []string{"M-1", "M-2"} {
			b.WriteString(id + "," + time.Now().UTC().AddDate(0, 0, -back).Format(time.DateOnly))
			for hour := range 24 {
				b.WriteString(",0." + strconv.Itoa(1+hour%7))
			}
			b.WriteString("\n")
		}
	}
	write(t, file, b.String())
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Minute)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
}

func TestImportsAreTakenOnceAndBadOnesAgainWhenChanged(t *testing.T) {
	cfg := testConfig(t)
	cfg.Registry = registryOf(t)
	folder := t.TempDir()
	cfg.Readings = []string{filepath.Join(folder, "*.csv")}
	export(t, filepath.Join(folder, "a.csv"), 20)
	bad := filepath.Join(folder, "b.csv")
	write(t, bad, "meter_id,date,p1\nM-1,yesterday,1\n")
	h := open(t, cfg)

	days, err := h.importNew(t.Context())
	if days != 40 || err == nil || !strings.Contains(err.Error(), "b.csv:") {
		t.Fatalf("%d days, %v; want the good file's 40 and the bad one's place", days, err)
	}
	if days, err = h.importNew(t.Context()); days != 0 || err != nil {
		t.Fatalf("looked again: %d days, %v", days, err)
	}
	export(t, bad, 3)
	if days, err = h.importNew(t.Context()); days != 6 || err != nil {
		t.Fatalf("mended: %d days, %v", days, err)
	}

	result, err := h.Detect(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(result.UsagePoints) != 2 || len(result.Failed) != 0 {
		t.Errorf("%d usage points judged, failed %v", len(result.UsagePoints), result.Failed)
	}
	stored, err := h.db.Results().LatestResult(t.Context())
	if err != nil || stored == nil || stored.RunID != result.RunID {
		t.Errorf("the result is not stored: %v, %v", stored, err)
	}
	list, err := h.Cases().List(t.Context(), cases.Filter{})
	if err != nil || len(list) != 0 {
		t.Errorf("quiet households got cases: %v, %v", list, err)
	}
}

func TestDetectWithoutDaysSaysSo(t *testing.T) {
	h := open(t, testConfig(t))
	if _, err := h.Detect(t.Context(), nil); !errors.Is(err, ErrNoDays) {
		t.Fatalf("got %v", err)
	}
	if state, err := h.HistorianState(); state != "missing" || err != nil {
		t.Errorf("historian %q, %v; want missing", state, err)
	}
}

// What cannot be opened is said, and nothing stays open behind it.
func TestNewFailsCleanly(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	for name, tc := range map[string]struct {
		change func(*config.Config)
		want   string
	}{
		"address in use": {func(c *config.Config) { c.Console.Listen = taken.Addr().String() }, "choose another one with console.listen"},
		"no data folder": {func(c *config.Config) { c.DataDir = filepath.Join(file, "data") }, "name a folder that can be written"},
		"bad registry":   {func(c *config.Config) { c.Registry = filepath.Dir(file) }, "transformers.csv"},
		"unknown policy": {func(c *config.Config) { c.Cases.Policy = "anarchy" }, `no policy pack "anarchy"`},
		"no token":       {func(c *config.Config) { c.Historian.TokenEnv = "GRIDWARDEN_TEST_NO_TOKEN" }, "GRIDWARDEN_TEST_NO_TOKEN is empty"},
		"unknown profile": {func(c *config.Config) {
			c.Devices = []config.Device{{ID: "A", URL: "modbus://h:1/1", Profile: "p", Interval: time.Second}}
		}, `device A: no profile "p"`},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := testConfig(t)
			tc.change(cfg)
			h, err := New(t.Context(), cfg, options(t))
			if err == nil {
				t.Fatal(errors.Join(errors.New("opened"), h.Close()))
			}
			if !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v\nwant in it %q", err, tc.want)
			}
		})
	}
}

// A damaged secret is never replaced silently: pseudonyms would change.
func TestPseudonymKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	first, err := pseudonymKey(path)
	if err != nil || len(first) != secretBytes {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	again, err := pseudonymKey(path)
	if err != nil || string(again) != string(first) {
		t.Fatalf("another key at the second start, %v", err)
	}
	if err := os.WriteFile(path, first[:7], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pseudonymKey(path); err == nil || !strings.Contains(err.Error(), "restore it from a backup") {
		t.Fatalf("got %v", err)
	}
}

func TestLatestKeepsTheNewest(t *testing.T) {
	l := newLatest()
	at := time.Unix(1000, 0)
	l.accept([]meter.Reading{
		{MeterID: "M", Quantity: meter.ActivePower, Value: 5, EventTime: at, Quality: meter.Good},
		{MeterID: "M", Quantity: meter.ActivePower, Value: 4, EventTime: at.Add(-time.Second), Quality: meter.Good},
	})
	if v, _ := l.get("M", meter.ActivePower); v != 5 {
		t.Errorf("an older reading replaced a newer one: %v", v)
	}
	l.accept([]meter.Reading{{MeterID: "M", Quantity: meter.ActivePower, Value: 9, EventTime: at.Add(time.Second), Quality: meter.Bad}})
	if v, _ := l.get("M", meter.ActivePower); !math.IsNaN(v) {
		t.Errorf("a bad reading shows as %v", v)
	}
	if v, _ := l.get("none", meter.ActivePower); !math.IsNaN(v) {
		t.Errorf("an unknown meter shows %v", v)
	}
}

func TestUntilNight(t *testing.T) {
	cfg := testConfig(t)
	cfg.Detection.At = "03:30"
	for now, want := range map[string]time.Duration{
		"2026-11-24T01:00:00Z": 150 * time.Minute,
		"2026-11-24T03:30:00Z": 24 * time.Hour,
		"2026-11-24T23:30:00Z": 4 * time.Hour,
	} {
		at, err := time.Parse(time.RFC3339, now)
		if err != nil {
			t.Fatal(err)
		}
		h := Host{cfg: cfg, opts: Options{Now: func() time.Time { return at }}}
		if got := h.untilNight(); got != want {
			t.Errorf("at %s: %v until the nightly run, want %v", now, got, want)
		}
	}
}
