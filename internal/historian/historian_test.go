package historian

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func write(t testing.TB, h *Historian, readings []meter.Reading) {
	t.Helper()
	if err := h.Write(t.Context(), readings); err != nil {
		t.Fatal(err)
	}
}

func TestReadBackAcrossARestart(t *testing.T) {
	dir := t.TempDir()
	in := sample(5000)
	c := child(t, ChildConfig{Dir: dir})
	h := historian(t, Config{URL: c.URL(), BatchBytes: 50_000})
	write(t, h, in)
	mustMatch(t, h, in)

	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if state, err := h.State(); state != Failing || err == nil {
		t.Errorf("with the engine stopped: %s, %v", state, err)
	}
	child(t, ChildConfig{Dir: dir, Addr: strings.TrimPrefix(c.URL(), "http://")})
	if state, err := h.State(); state != Works || err != nil {
		t.Errorf("with the engine back: %s, %v", state, err)
	}
	mustMatch(t, h, in)

	write(t, h, in[2000:]) // what a redelivery does
	mustMatch(t, h, in)
}

func TestQualityIsStored(t *testing.T) {
	c, db := shared(t)
	h := historian(t, Config{URL: c.URL(), Bucket: db})
	write(t, h, sample(10))
	got := ask(t, c, "/query?db="+db, "q="+`select * from meter`)
	for _, want := range []string{
		`"active_energy_import"`, `"reactive_energy_export.quality"`, `"reactive_energy_export.flags"`,
		`timeout after 1s; check the \"gateway\" and its \\ cable`, `"gw-0/unit 0"`, `"M,0000"`, `"0501"`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}

func TestSeries(t *testing.T) {
	c, db := shared(t)
	h := historian(t, Config{URL: c.URL(), Bucket: db})
	var in []meter.Reading
	for i := range 10 {
		at := base().Add(time.Duration(i) * time.Minute)
		device := []string{"old gateway", "new gateway"}[i/5]
		for _, q := range []meter.Quantity{meter.ActivePower, meter.ActiveEnergyImport} {
			in = append(in, meter.Reading{DeviceID: device, MeterID: "M 1", Quantity: q, Value: float64(i), EventTime: at, Quality: meter.Good})
		}
	}
	write(t, h, in)
	for name, tc := range map[string]struct {
		meter    string
		quantity meter.Quantity
		window   time.Duration
		want     []float64
	}{
		"as read":                     {"M 1", meter.ActivePower, 0, []float64{2, 3, 4, 5, 6, 7}},
		"mean of a window":            {"M 1", meter.ActivePower, 2 * time.Minute, []float64{2.5, 4.5, 6.5}},
		"last of a register's window": {"M 1", meter.ActiveEnergyImport, 2 * time.Minute, []float64{3, 5, 7}},
		"no such meter":               {"M 2", meter.ActivePower, 0, nil},
		"a quote is no way out":       {`M" or true or r.meter_id=="`, meter.ActivePower, 0, nil},
		"nor is an interpolation":     {`${now()}`, meter.ActivePower, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			points, err := h.Series(t.Context(), tc.meter, tc.quantity, base().Add(2*time.Minute), base().Add(8*time.Minute), tc.window)
			if err != nil {
				t.Fatal(err)
			}
			if len(points) != len(tc.want) {
				t.Fatalf("%v, want %v", points, tc.want)
			}
			step := max(tc.window, time.Minute)
			for i, p := range points {
				if at := base().Add(2*time.Minute + time.Duration(i)*step); p.Value != tc.want[i] || !p.Time.Equal(at) {
					t.Errorf("point %d: %v, want %v at %v", i, p, tc.want[i], at)
				}
			}
		})
	}
	if _, err := h.Series(t.Context(), `a\`, meter.ActivePower, base(), base(), 0); err == nil {
		t.Error("a backslash went into a query")
	}
}

// TestSpoiltField lets another program store an integer where a float belongs.
// The engine then refuses our values of that field; all others must arrive.
func TestSpoiltField(t *testing.T) {
	c, db := shared(t)
	var set []meter.Reading
	var reason error
	reg := prometheus.NewRegistry()
	h := historian(t, Config{URL: c.URL(), Bucket: db, Metrics: reg, Rejected: func(_ context.Context, rs []meter.Reading, why error) error {
		set, reason = append(set, rs...), why
		return nil
	}})
	in := sample(500)
	spoilt := in[200]
	ask(t, c, "/write?db="+db, `meter,meter_id=x `+string(spoilt.Quantity)+`=1i `+"1774738800000000000")
	var spoilers, others []meter.Reading
	for _, r := range in {
		if r.Quantity == spoilt.Quantity {
			spoilers = append(spoilers, r)
		} else {
			others = append(others, r)
		}
	}
	write(t, h, append(append([]meter.Reading{}, others...), spoilers...))
	if len(set) != len(spoilers) || set[0].Quantity != spoilt.Quantity || reason == nil || !strings.Contains(reason.Error(), "type conflict") {
		t.Errorf("%d of %d readings set aside because of %v", len(set), len(spoilers), reason)
	}
	if got := testutil.ToFloat64(h.points.WithLabelValues("rejected")); got != float64(len(spoilers)) {
		t.Errorf("gridwarden_historian_points_total{result=rejected} is %v", got)
	}
	if got := testutil.ToFloat64(h.points.WithLabelValues("written")); got != float64(len(others)) {
		t.Errorf("gridwarden_historian_points_total{result=written} is %v", got)
	}
	for _, r := range others {
		if r.Quality == meter.Bad {
			continue
		}
		points, err := h.Series(t.Context(), r.MeterID, r.Quantity, r.EventTime, r.EventTime.Add(1), 0)
		if err != nil || len(points) != 1 || points[0].Value != r.Value {
			t.Fatalf("%+v: stored %v, %v", r, points, err)
		}
		if r.EventTime.After(base().Add(10 * time.Second)) {
			break // a hundred will do
		}
	}
}

func TestRejectedReadingsNobodyTakes(t *testing.T) {
	c, db := shared(t)
	down := errors.New("dead letters not to be reached")
	h := historian(t, Config{URL: c.URL(), Bucket: db, Rejected: func(context.Context, []meter.Reading, error) error { return down }})
	bad := sample(1)
	bad[0].MeterID = "a\nb"
	if err := h.Write(t.Context(), bad); !errors.Is(err, down) {
		t.Errorf("error %v: the reading would be lost", err)
	}
}

func TestBadURL(t *testing.T) {
	for _, u := range []string{"", "localhost:8086", "ftp://x", "http://", "http://a b"} {
		if _, err := Open(Config{URL: u}); err == nil || !strings.Contains(err.Error(), "set historian.url") {
			t.Errorf("%q: %v", u, err)
		}
	}
}

func TestMissing(t *testing.T) {
	var h *Historian
	if state, err := h.State(); state != Missing || err != nil {
		t.Errorf("%s, %v", state, err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkWrite(b *testing.B) {
	c, db := shared(b)
	h := historian(b, Config{URL: c.URL(), Bucket: db})
	in := sample(20_000)
	for b.Loop() {
		write(b, h, in)
	}
	b.ReportMetric(float64(len(in))*float64(b.N)/b.Elapsed().Seconds(), "readings/s")
}

// BenchmarkCount counts a minute of a thousand devices.
func BenchmarkCount(b *testing.B) {
	c, db := shared(b)
	h := historian(b, Config{URL: c.URL(), Bucket: db})
	in := sample(600_000)
	for i := range in {
		// All devices in the same minute.
		at := base().Add(time.Duration(i/10_000)*time.Second + time.Duration(i%10_000/10))
		in[i].EventTime, in[i].ReceiveTime = at, at
		in[i].MeterID, in[i].DeviceID = fmt.Sprint("m", i%10_000/10), fmt.Sprint("d", i%10_000/10)
	}
	write(b, h, in)
	for b.Loop() {
		if n, err := h.Count(b.Context(), base(), base().Add(time.Minute)); err != nil || n != int64(len(in)) {
			b.Fatal(n, err)
		}
	}
}
