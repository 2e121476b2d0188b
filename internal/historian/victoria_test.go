package historian

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// victoriaMetrics runs Debian's VictoriaMetrics for a test and returns its
// address; stop ends it.
func victoriaMetrics(t testing.TB, dir, addr string, args ...string) (address string, stop func()) {
	t.Helper()
	binary, err := exec.LookPath("victoria-metrics")
	if err != nil {
		t.Fatalf("no VictoriaMetrics to test with: %v; run make peers, or: sudo apt-get install victoria-metrics", err)
	}
	if addr == "" {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		addr = l.Addr().String()
		_ = l.Close()
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(binary, append([]string{
		"-storageDataPath=" + filepath.Join(dir, "data"), "-httpListenAddr=" + addr, "-retentionPeriod=2y", "-memory.allowedBytes=64MB",
	}, args...)...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := false
	stop = func() {
		if !ended {
			ended = true
			_ = cmd.Process.Signal(syscall.SIGINT)
			_ = cmd.Wait()
			_ = log.Close()
		}
	}
	t.Cleanup(stop)
	address = "http://" + addr
	waitFor(t, "VictoriaMetrics answers", func() bool {
		resp, err := http.Get(address + "/health")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return address, stop
}

// flush makes what was written visible to queries.
func flush(t testing.TB, address string) {
	t.Helper()
	if got := fetch(t, address+"/internal/force_flush"); strings.Contains(got, "error") {
		t.Fatal(got)
	}
}

func fetch(t testing.TB, address string) string {
	t.Helper()
	resp, err := http.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// twelveDigits compares to the digits that VictoriaMetrics keeps at least.
func twelveDigits(a, b float64) bool {
	return math.Abs(a-b) <= 1e-11*math.Max(math.Abs(a), math.Abs(b))
}

func TestVictoriaMetrics(t *testing.T) {
	dir := t.TempDir()
	address, stop := victoriaMetrics(t, dir, "")
	var log bytes.Buffer
	h := historian(t, Config{URL: address, GZip: true, Logger: slog.New(slog.NewTextHandler(&log, nil)), Rejected: func(_ context.Context, _ []meter.Reading, why error) error {
		t.Errorf("refused: %v", why)
		return nil
	}})
	in := sample(3000)
	for i := range in { // within its retention, a year of this clock's
		in[i].EventTime = time.Now().Add(-48 * time.Hour).Truncate(time.Minute).Add(time.Duration(i/10)*time.Second + 123_456_789).UTC()
	}
	from, to := in[0].EventTime.Add(-time.Hour), in[len(in)-1].EventTime.Add(time.Hour)
	write(t, h, in[:2000])
	write(t, h, in[1000:]) // a redelivery
	flush(t, address)
	if engine, _, err := h.Engine(t.Context()); engine != VictoriaMetrics || err != nil {
		t.Fatalf("engine %s, %v", engine, err)
	}
	if state, err := h.State(); state != Works {
		t.Errorf("%s, %v", state, err)
	}
	if !strings.Contains(log.String(), "historian is VictoriaMetrics: no Flux") {
		t.Errorf("it does not say what it is: %s", log.String())
	}

	check := func() {
		t.Helper()
		if n, err := h.Count(t.Context(), from, to); n != int64(len(in)) || err != nil {
			t.Errorf("count %d of %d, %v", n, len(in), err)
		}
		got := make(map[key]float64)
		err := h.Values(t.Context(), from, to, func(v Value) error {
			k := key{v.DeviceID, v.MeterID, v.Quantity, v.Time.UnixMilli()}
			if _, twice := got[k]; twice {
				return fmt.Errorf("%v twice", k)
			}
			got[k] = v.Value
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		want := 0
		for _, r := range in {
			v, ok := got[key{r.DeviceID, r.MeterID, r.Quantity, r.EventTime.UnixMilli()}]
			if ok != (r.Quality != meter.Bad) || ok && !twelveDigits(v, r.Value) {
				t.Fatalf("%+v: stored %v, %v", r, v, ok)
			}
			if ok {
				want++
			}
		}
		if len(got) != want {
			t.Errorf("%d values, want %d", len(got), want)
		}
	}
	check()

	// Its own API says the same, and holds nothing made of strings.
	own := fetch(t, address+"/api/v1/series?"+url.Values{"match[]": {`{__name__=~"meter_.*"}`}, "start": {fmt.Sprint(from.Unix())}, "end": {fmt.Sprint(to.Unix())}}.Encode())
	if !strings.Contains(own, `"__name__":"meter_active_energy_import","device_id":"gw-0/unit 0","meter_id":"M,0000"`) ||
		!strings.Contains(own, "meter_reactive_energy_export.quality") || strings.Contains(own, ".raw") || strings.Contains(own, ".detail") {
		t.Errorf("series %s", own)
	}

	// Across a restart.
	stop()
	if state, err := h.State(); state != Failing || err == nil {
		t.Errorf("stopped: %s, %v", state, err)
	}
	victoriaMetrics(t, dir, strings.TrimPrefix(address, "http://"))
	check()
	victoriaSeries(t, h, address)
	victoriaByHand(t, h, address)
}

func victoriaSeries(t *testing.T, h *Historian, address string) {
	t.Helper()
	start := time.Now().Add(-24 * time.Hour).Truncate(time.Hour).UTC()
	var in []meter.Reading
	for i := range 5000 { // more than one row of an export
		for _, q := range []meter.Quantity{meter.ActivePower, meter.ActiveEnergyImport} {
			at := start.Add(time.Duration(i) * time.Second)
			in = append(in, meter.Reading{DeviceID: []string{"old", "new"}[i/2500], MeterID: `M "1"`, Quantity: q, Value: float64(i), EventTime: at, ReceiveTime: at, Quality: meter.Good})
		}
	}
	write(t, h, in)
	flush(t, address)
	for name, tc := range map[string]struct {
		meter    string
		quantity meter.Quantity
		window   time.Duration
		n        int
		last     float64
	}{
		"as read":       {`M "1"`, meter.ActivePower, 0, 4998, 4998},
		"means":         {`M "1"`, meter.ActivePower, time.Minute, 84, (4980 + 4998) / 2.0},
		"last values":   {`M "1"`, meter.ActiveEnergyImport, time.Minute, 84, 4998},
		"no such meter": {`M"} or {x="`, meter.ActivePower, 0, 0, 0},
	} {
		points, err := h.Series(t.Context(), tc.meter, tc.quantity, start.Add(time.Second), start.Add(4999*time.Second), tc.window)
		if err != nil || len(points) != tc.n || tc.n > 0 && points[tc.n-1].Value != tc.last {
			t.Errorf("%s: %d points, %v, %v", name, len(points), points[max(0, len(points)-1):], err)
		}
		for i := 1; i < len(points); i++ {
			if !points[i].Time.After(points[i-1].Time) {
				t.Fatalf("%s: out of order at %s", name, points[i].Time)
			}
		}
	}
	latest, err := h.Latest(t.Context(), `M "1"`, start, start.Add(2*time.Hour))
	if err != nil || len(latest) != 4 || latest[0].DeviceID != "new" || latest[0].Value != 4999 || latest[3].Value != 2499 {
		t.Errorf("latest %+v, %v", latest, err)
	}
}

// victoriaByHand looks whether the rules that it says to set up are ones that
// the engine can work out.
func victoriaByHand(t *testing.T, h *Historian, address string) {
	t.Helper()
	p := provision(t, h, Plan{})
	if p.Engine != VictoriaMetrics || len(p.Settings) > 0 || len(p.ByHand) != 3 || !strings.Contains(p.ByHand[0].Commands[0], "-retentionPeriod=400d -dedup.minScrapeInterval=1ms") {
		t.Fatalf("%+v", p)
	}
	at := time.Now().Add(-24 * time.Hour).Truncate(time.Hour).Add(15 * time.Minute)
	found := 0
	for text := range strings.Lines(p.ByHand[1].Commands[0]) {
		if expr, ok := strings.CutPrefix(strings.TrimSpace(text), "expr: "); ok {
			found++
			got := fetch(t, address+"/api/v1/query?"+url.Values{"query": {expr}, "time": {fmt.Sprint(at.Unix())}, "nocache": {"1"}}.Encode())
			want := `"quantity":"meter_active_power"`
			if strings.Contains(expr, "last_over_time") {
				want = `"quantity":"meter_active_energy_import"`
			}
			if !strings.Contains(got, `"status":"success"`) || !strings.Contains(got, want) {
				t.Errorf("%s: %s", expr, got)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d rules", found)
	}
}

// TestVictoriaMetricsWithPassword takes user:password as a token.
func TestVictoriaMetricsWithPassword(t *testing.T) {
	address, _ := victoriaMetrics(t, t.TempDir(), "", "-httpAuth.username=grid", "-httpAuth.password=s3cret")
	in := sample(10)
	for i := range in {
		in[i].EventTime = time.Now().Add(-time.Hour)
	}
	h := historian(t, Config{URL: address, Token: "grid:s3cret"})
	write(t, h, in)
	_, err := h.Count(t.Context(), in[0].EventTime.Add(-time.Hour), time.Now())
	if err != nil {
		t.Error(err)
	}
	wrong := historian(t, Config{URL: address, Token: "grid:wr0ng"})
	if err := wrong.Write(t.Context(), in); err == nil || strings.Contains(err.Error(), "wr0ng") {
		t.Errorf("with a wrong password: %v", err)
	}
}
