package historian

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/influxdb-client-go/v2/api"
)

func days(n int) *time.Duration {
	d := time.Duration(n) * 24 * time.Hour
	return &d
}

func provision(t *testing.T, h *Historian, plan Plan) *Provisioned {
	t.Helper()
	p, err := h.Provision(t.Context(), plan)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func outcomes(p *Provisioned) string {
	var out []string
	for _, s := range p.Settings {
		out = append(out, s.Kind+" "+s.Name+" "+s.Outcome)
	}
	return strings.Join(out, "\n")
}

func all(outcome string) string {
	return fmt.Sprintf(`bucket gridwarden %[1]s
bucket gridwarden_15m %[1]s
task gridwarden gridwarden 15m %[1]s
task gridwarden gridwarden 15m nightly %[1]s`, outcome)
}

func TestProvision(t *testing.T) {
	f := newFake(t)
	f.page = 7
	for i := range 50 { // several pages
		f.buckets = append(f.buckets, map[string]any{"id": fmt.Sprintf("b%03d", i), "name": fmt.Sprint("other", i), "orgID": "0123456789abcdef", "retentionRules": []any{}})
		f.tasks = append(f.tasks, map[string]any{"id": fmt.Sprintf("t%03d", i), "name": fmt.Sprint("other", i), "orgID": "0123456789abcdef", "flux": "x", "status": "active"})
	}
	h := f.on(t, nil)
	if p := provision(t, h, Plan{}); outcomes(p) != all(Created) || p.Engine != InfluxDB2 || p.Version != "2.7.6" || !p.Changed() {
		t.Errorf("first: %+v", p)
	}
	if p := provision(t, h, Plan{}); outcomes(p) != all(Unchanged) || p.Changed() {
		t.Errorf("again: %s", outcomes(p))
	}
	if got := f.buckets[50]["retentionRules"]; fmt.Sprint(got) != "[map[everySeconds:3.456e+07]]" {
		t.Errorf("retention %v", got)
	}

	// The engine may lay a program out anew.
	for _, task := range f.tasks[50:] {
		task["flux"] = strings.ReplaceAll(task["flux"].(string), "\n", "\n\t")
	}
	if p := provision(t, h, Plan{Retention: days(400)}); outcomes(p) != all(Unchanged) {
		t.Errorf("laid out anew: %s", outcomes(p))
	}

	p := provision(t, h, Plan{Retention: days(500)})
	if want := strings.Replace(all(Unchanged), "gridwarden unchanged", "gridwarden updated", 1); outcomes(p) != want || p.Settings[0].Detail != "kept for 500d, was kept for 400d" {
		t.Errorf("longer: %s: %s", outcomes(p), p.Settings[0].Detail)
	}
	if _, err := h.Provision(t.Context(), Plan{Retention: days(30)}); err == nil || !strings.Contains(err.Error(), "deletes what is older: allow it with --shorten") {
		t.Errorf("shorter: %v", err)
	}
	if p := provision(t, h, Plan{Retention: days(30), Shorten: true}); p.Settings[0].Outcome != Updated {
		t.Errorf("shorter, allowed: %s", outcomes(p))
	}
	if p := provision(t, h, Plan{Retention: days(0)}); p.Settings[0].Detail != "kept for ever, was kept for 30d" {
		t.Errorf("for ever: %+v", p.Settings[0])
	}

	f.tasks[51]["status"] = "inactive"
	f.tasks[50]["flux"] = strings.Replace(f.tasks[50]["flux"].(string), "mean", "max", 1)
	if p, want := provision(t, h, Plan{}), strings.ReplaceAll(strings.ReplaceAll(all(Unchanged), "15m unchanged", "15m updated"), "_15m updated", "_15m unchanged"); outcomes(p) != strings.Replace(want, "nightly unchanged", "nightly updated", 1) {
		t.Errorf("tasks changed by hand: %s", outcomes(p))
	}
	if p := provision(t, h, Plan{}); p.Changed() {
		t.Errorf("at last: %s", outcomes(p))
	}
}

func TestProvisionFails(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Config)
		serve  func(*fake)
		want   string
	}{
		"token":        {func(c *Config) { c.Token = "wr0ng" }, nil, "the token must be able to read the organisation"},
		"organisation": {func(c *Config) { c.Org = "elsewhere" }, nil, "create it (influx org create), or correct historian.org"},
		"rights": {nil, func(f *fake) {
			f.intruder = func(w http.ResponseWriter) { f.fail(w, 403, "forbidden", "insufficient permissions") }
		}, "an all-access token"},
		"broken": {nil, func(f *fake) { f.intruder = func(w http.ResponseWriter) { w.WriteHeader(500) } }, "500 Internal Server Error"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			h := f.on(t, tc.change)
			if tc.serve != nil {
				tc.serve(f)
			}
			_, err := h.Provision(t.Context(), Plan{})
			if err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "wr0ng") || strings.Contains(err.Error(), fakeToken) {
				t.Errorf("error %v, want %q", err, tc.want)
			}
		})
	}
	for _, plan := range []Plan{{Window: 7 * time.Minute}, {Window: time.Second}, {Retention: days(-1)}} {
		if err := plan.Check(); err == nil {
			t.Errorf("%+v passes", plan)
		}
	}
}

// TestTasksFluxOnARealEngine runs what the tasks run, but for the write, on
// InfluxDB 1.8, whose Flux is older than that of any InfluxDB 2.
func TestTasksFluxOnARealEngine(t *testing.T) {
	c, db := shared(t)
	h := historian(t, Config{URL: c.URL(), Bucket: db})
	start := time.Now().UTC().Truncate(15 * time.Minute).Add(-time.Hour)
	in := sample(10_000)
	want := make(map[string]float64)
	for i := range in {
		in[i].EventTime = start.Add(time.Duration(i/10) * 5 * time.Second) // past the last whole window
		in[i].MeterID, in[i].DeviceID = "M", "D"
	}
	write(t, h, in)
	for i := range in {
		if in[i].Quality != 0 && !in[i].EventTime.Before(start) && in[i].EventTime.Before(start.Add(15*time.Minute)) && in[i].Quantity.Cumulative() {
			want[string(in[i].Quantity)] = in[i].Value
		}
	}
	plan := Plan{}
	head := plan.steps(db)[0].flux(plan, db, "org")
	head = head[:strings.Index(head, "\nfrom(bucket")]
	head = head[:strings.Index(head, "option task")] + head[strings.Index(head, "begin ="):]
	for _, fn := range []string{"mean", "last"} {
		got := 0
		err := flux{h}.each(t.Context(), head+windowsFlux(plan, db, fn, ""), func(r *api.QueryTableResult) error {
			v, err := value(r)
			if err != nil {
				return err
			}
			got++
			if v.Time.Truncate(15*time.Minute) != v.Time {
				t.Errorf("a window begins at %s", v.Time)
			}
			if w, ok := want[string(v.Quantity)]; v.Time.Equal(start) && v.Quantity.Cumulative() && (!ok || w != v.Value) {
				t.Errorf("%s: last value %v, want %v", v.Quantity, v.Value, w)
			}
			if v.Quantity.Cumulative() != (fn == "last") {
				t.Errorf("%s of %s", fn, v.Quantity)
			}
			return nil
		})
		if err != nil || got == 0 || len(want) == 0 {
			t.Errorf("%s: %d windows, %d expected: %v", fn, got, len(want), err)
		}
	}
}

// TestByHandOnInfluxDB1 does what it says is to be done, twice but for the
// continuous queries, on a real engine.
func TestByHandOnInfluxDB1(t *testing.T) {
	c, _ := shared(t)
	h := historian(t, Config{URL: c.URL(), Bucket: "by hand"})
	p := provision(t, h, Plan{})
	if p.Engine != InfluxDB1 || p.Version != "1.8.10" || len(p.Settings) > 0 || len(p.ByHand) != 2 {
		t.Fatalf("%+v", p)
	}
	for _, group := range append(p.ByHand, p.ByHand[0]) {
		for _, command := range group.Commands {
			if got := ask(t, c, "/query", "q="+url.QueryEscape(command)); strings.Contains(got, "error") && !strings.Contains(command, "DEFAULT") {
				t.Errorf("%s: %s", command, got)
			}
		}
	}
	got := ask(t, c, "/query", "q="+url.QueryEscape(`SHOW RETENTION POLICIES ON "by hand"`)) + ask(t, c, "/query", "q=SHOW CONTINUOUS QUERIES")
	for _, want := range []string{`["autogen","9600h0m0s"`, `["long","87600h0m0s"`, "gridwarden_mean_15m", "gridwarden_last_15m"} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}
