package console

import (
	"context"
	"errors"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// everyPage is every page with what it must say of the district.
func everyPage() map[string][]string {
	return map[string][]string{
		"/": {"Network now", `href="/transformers/T-1023" aria-label="T-1023, 50` + nbsp + `kVA, load 132` + nbsp + `%, hot-spot 124` + nbsp + `°C, Overloaded, Too small for its load"`, "T-1023 hot-spot 124",
			"Head of the queue", "4" + nbsp + "usage points ranked, 2 above", "Computer sales and service", "gw-T-1044 silent", "40 of 41 answering", "12" + nbsp + "min old", "Detector acme_heat is quarantined", "C-2026-0001", "99.7" + nbsp + "% of intervals good"},
		"/queue": {"Flat day and night", "Use not the declared one", "Explained: a business that grew", "Protected: life support", "0.97", "33,640", "Some new code",
			`aria-sort="ascending"`, "Load behind no meter", "Data name nobody", `href="/usage-points/UP-10312"`, "data 99.7" + nbsp + "%"},
		"/usage-points/" + minerPoint: {"Base load stepped up, flat day and night", "Base load stepped from", "48.2" + nbsp + "kW day and night; peers stay below", "The pattern changed on", "Load factor 0.9", "1 open",
			"Undeclared", "Ruled out", "98 % of hours lie within 3 %", "rank 1 of 4", "blocked, 2" + nbsp + "conditions unmet", "factor 80", "sole usage point", "24 commercial customers", "18 missing or bad", "median before", `class="missing"`},
		"/usage-points/UP-10110":   {"No detector found anything abnormal", "Highest around 19:00", "24 customers of the same declared use", "below the case threshold", "Household C-10110"},
		"/transformers":            {"T-1023", "Too small for its load", "To look at <b>4</b>", "no data, 12" + nbsp + "min"},
		"/transformers/" + hotArea: {"Overloaded and too small for its load", "Above its rating on every day", "rating 50" + nbsp + "kVA", "takes 5", "of the energy has no meter behind it", "active power only", "Hot-spot, highest", "66.0" + nbsp + "kVA of 50"},
		"/transformers/T-1033":     {"Load behind no meter.", "4.1 kW day and night that no meter has"},
		"/transformers/T-1044":     {"silent for 12" + nbsp + "min"},
		"/cases":                   {"2" + nbsp + "open cases", "Load behind no meter, nobody named", "26" + nbsp + "h ago"},
		"/cases/C-2026-0001":       {"blocked, 2" + nbsp + "conditions unmet", "contract_breach.suspend: requires authority_order", "Case opened by finding", "By Lin Wei.", "generic 2026-10", "a notice may not be sent over an open one"},
		"/cases/C-2026-0002":       {"nobody is named", "Balance and evidence"},
		"/devices":                 {"silent for 12" + nbsp + "min", "connection refused", "not in the registry", "ua-substation", "144,000", "Silent <b>1</b>"},
		"/devices/gw-T-1044": {"Silent for 12" + nbsp + "min; left alone, next probe in 20" + nbsp + "s.", "connection refused.", "Is the gateway on and its port open?", "13:48:", "none", "The device was not reached", "Hot-spot temperature",
			"Holding registers 100 to 109 (10)", "every 15" + nbsp + "min", "T-1044", "40" + nbsp + "s", "behind ours: synchronise it", html.EscapeString(hostile), "Told by the driver", "as learned; 2" + nbsp + "connections"},
		"/devices/ua-substation": {"Answering since", "every point was read", "OPC UA, subscribed", "ns=2;s=Power", "1,353.42", "0bcea3dc", "received 3" + nbsp + "s later", "Over: it has been read whole since", "The source&#39;s clock is behind", "right"},
		"/devices/no-such":       {"No device no-such"},
		"/plugins": {"quarantined, 3" + nbsp + "failures in a row", "third party", "7c1e5a90b04a", "out until the next start", "1,240" + nbsp + "windows", "310" + nbsp + "MiB of 16.0" + nbsp + "GiB",
			"3.2" + nbsp + "s on at most 0.50, held up for 90" + nbsp + "s", "on trial: its findings weigh nothing", "panic: &lt;nothing&gt;"},
		"/tasks":                     {"Field tasks are not set up", "Start with the queue", "Cases go as far as desk review"},
		"/approvals":                 {"Approvals are not set up"},
		"/audit":                     {"The audit log is not set up"},
		"/queue?q=nobody-like-this":  {"No customer matches", "4 are hidden by: “nobody-like-this”", "Clear filters"},
		"/no-such-page":              {"No page /no-such-page"},
		"/usage-points/UP-none":      {"No usage point UP-none"},
		"/transformers/T-none":       {"No transformer T-none"},
		"/cases/C-none":              {"No case C-none"},
		"/usage-points/UP-10233":     {html.EscapeString("<script>"), "Protected: life support"},
		"/devices?state=failing":     {"No device fails"},
		"/transformers?view=records": {"T-1042"},
	}
}

func TestPagesSayWhatTheDistrictHolds(t *testing.T) {
	d := newDistrict(t)
	d.result.UsagePoints[0].Findings[0].Innocent[0].Text = "Undeclared hosting cannot be told apart"
	k := d.desk().logIn()
	for path, fragments := range everyPage() {
		resp, body := k.do("GET", path, nil)
		if resp.StatusCode != 200 && resp.StatusCode != 404 {
			t.Errorf("GET %s: %d", path, resp.StatusCode)
		}
		for _, f := range fragments {
			if !strings.Contains(body, f) {
				t.Errorf("%s does not say %q", path, f)
			}
		}
	}
}

// TestPagesKeepTheRules looks at every page for what none may hold.
func TestPagesKeepTheRules(t *testing.T) {
	d := newDistrict(t)
	k := d.desk().logIn()
	inline := regexp.MustCompile(`(?i)\sstyle=|\son[a-z]+=|javascript:|<style|<script(?: [^>]*)?>[^<]`)
	for path := range everyPage() {
		_, body := k.do("GET", path, nil)
		if m := inline.FindString(body); m != "" {
			t.Errorf("%s holds inline style or script: %q", path, m)
		}
		if n := strings.Count(body, "<h1"); n != 1 {
			t.Errorf("%s has %d h1", path, n)
		}
		for _, must := range []string{`<a class="skip" href="#main">`, `<main id="main"`, `<nav class="nav" aria-label="Main">`, "<title>"} {
			if !strings.Contains(body, must) {
				t.Errorf("%s lacks %s", path, must)
			}
		}
		for _, never := range []string{"<script>alert", "%!", "ZgotmplZ", "<no value>", "NaN", "+Inf", "map[", "0001-01-01"} {
			if strings.Contains(body, never) {
				t.Errorf("%s holds %q: …%s…", path, never, around(body, never))
			}
		}
		for _, th := range regexp.MustCompile(`<th[ >][^>]*`).FindAllString(body, -1) {
			if !strings.Contains(th, "scope=") {
				t.Errorf("%s: header cell without scope: %s", path, th)
			}
		}
		seen := map[string]bool{}
		for _, id := range regexp.MustCompile(` id="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			if seen[id[1]] {
				t.Errorf("%s: id %q twice", path, id[1])
			}
			seen[id[1]] = true
		}
		for _, ref := range regexp.MustCompile(` aria-labelledby="([^"]*)"`).FindAllStringSubmatch(body, -1) {
			if !seen[ref[1]] {
				t.Errorf("%s: labelled by %q, which is not there", path, ref[1])
			}
		}
		balanced(t, path, body)
	}
}

func around(s, sub string) string {
	i := strings.Index(s, sub)
	return s[max(0, i-60):min(len(s), i+60)]
}

// balanced checks that elements which must be closed are closed in order.
func balanced(t *testing.T, path, body string) {
	t.Helper()
	var open []string
	for _, m := range regexp.MustCompile(`<(/?)(section|div|table|thead|tbody|tr|ol|ul|li|dl|nav|form|figure|svg|a|g|details|main|header|select|button|span)\b[^>]*?(/?)>`).FindAllStringSubmatch(body, -1) {
		switch {
		case m[3] == "/":
		case m[1] == "":
			open = append(open, m[2])
		case len(open) == 0 || open[len(open)-1] != m[2]:
			t.Errorf("%s: </%s> where %v is open", path, m[2], open)
			return
		default:
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%s: never closed: %v", path, open)
	}
}

func TestHostileIDs(t *testing.T) {
	k := newDistrict(t).desk().logIn()
	for _, id := range []string{hostile, "../../etc/passwd", "a/b", "%00", "'; DROP TABLE", strings.Repeat("x", 5000), "\xff\xfe", "🐙", "a\nb", "."} {
		for _, kind := range []string{"usage-points", "transformers", "cases", "devices"} {
			resp, body := k.do("GET", "/"+kind+"/"+url.PathEscape(id), nil)
			if resp.StatusCode != 404 && resp.StatusCode/100 != 3 && id != "." {
				t.Errorf("%s %q: %d", kind, clip(id, 20), resp.StatusCode)
			}
			if strings.Contains(body, "<script>alert") {
				t.Errorf("%s %q comes back unescaped", kind, clip(id, 20))
			}
		}
	}
	body := k.get("/queue?view="+url.QueryEscape(hostile)+"&sort="+url.QueryEscape(hostile)+"&feeder="+url.QueryEscape(hostile)+"&reason="+url.QueryEscape(hostile)+"&min=NaN&page=-7&q="+url.QueryEscape(hostile), 200)
	if strings.Contains(body, "<script>alert") {
		t.Error("a query comes back unescaped")
	}
}

// TestIDsWithStrangeLettersStayReachable follows the links that pages give.
func TestIDsWithStrangeLettersStayReachable(t *testing.T) {
	d := newDistrict(t)
	const odd = `UP/1 "é" ?&<b>`
	d.network = grid.NewNetwork(grid.Records{
		Transformers: []grid.PowerTransformer{{ID: "T/1&2", FeederID: "F 1", SubstationID: "S", RatedKVA: 100, MeterID: "TM"}},
		Customers:    []grid.Customer{{ID: "C<1>", Category: grid.Commercial, DeclaredUseText: hostile}},
		UsagePoints:  []grid.UsagePoint{{ID: odd, MeterID: "M", CustomerID: "C<1>", TransformerID: "T/1&2"}},
	})
	d.result = &detect.Result{RunID: "odd", At: d.now, FirstDay: d.last() - 9, LastDay: d.last(), Prior: 0.01, UsagePoints: []detect.Assessment{{UsagePointID: odd, MeterID: "M", CustomerID: "C<1>", TransformerID: "T/1&2", Risk: 0.7, Rank: 1, MeanKW: detect.Unknown(), GoodShare: detect.Unknown(), Reasons: []string{"flat_load"}}}}
	k := d.desk().logIn()
	for _, start := range []string{"/", "/queue", "/transformers"} {
		for _, m := range regexp.MustCompile(`href="(/(?:usage-points|transformers)/[^"]*)"`).FindAllStringSubmatch(k.get(start, 200), -1) {
			k.get(html.UnescapeString(m[1]), 200)
		}
	}
}

func TestStatesAreSaid(t *testing.T) {
	d := newDistrict(t)
	broken := errors.New("disk is full")
	cases := []struct {
		name   string
		change func(*Config)
		path   string
		status int
		want   []string
	}{
		{"no result", func(c *Config) { c.Results = noResult{} }, "/", 200, []string{"No detection run yet", "Verdicts come with the first run"}},
		{"no result", func(c *Config) { c.Results = noResult{} }, "/queue", 200, []string{"No detection run yet", "gridwarden import readings"}},
		{"no result", func(c *Config) { c.Results = noResult{} }, "/usage-points/" + minerPoint, 200, []string{"No detection run yet", "not scored"}},
		{"no result", func(c *Config) { c.Results = noResult{} }, "/transformers/" + hotArea, 200, []string{"Not judged yet", "not judged"}},
		{"no network", func(c *Config) { c.Network = func() *grid.Network { return nil } }, "/", 200, []string{"No network on record", "gridwarden import registry DIR"}},
		{"no network", func(c *Config) { c.Network = func() *grid.Network { return nil } }, "/queue", 200, []string{`Customer <span class="nowrap">C-0417<`}},
		{"no network", func(c *Config) { c.Network = func() *grid.Network { return nil } }, "/transformers", 200, []string{"No network on record"}},
		{"no network", func(c *Config) { c.Network = func() *grid.Network { return nil } }, "/devices", 200, []string{"not in the registry"}},
		{"nothing wired", func(c *Config) {
			c.Loading, c.Devices, c.Plugins, c.Historian, c.Backlog, c.Cases, c.Hub = nil, nil, nil, nil, nil, nil, nil
		}, "/", 200, []string{"none polled", "none configured", "Telemetry waits in the stream", "Cases are not set up", "nothing can be said of the present", "95th percentile of the last run", "no live data"}},
		{"nothing wired", func(c *Config) { c.Devices, c.Plugins, c.Cases = nil, nil, nil }, "/devices", 200, []string{"No device is polled", "gridwarden probe URL"}},
		{"nothing wired", func(c *Config) { c.Devices, c.Plugins, c.Cases = nil, nil, nil }, "/plugins", 200, []string{"No plugin host here"}},
		{"nothing wired", func(c *Config) { c.Devices, c.Plugins, c.Cases = nil, nil, nil }, "/cases", 200, []string{"Cases are not set up"}},
		{"historian down", func(c *Config) {
			c.Historian = fakeHistorian{"waiting", errors.New("dial tcp: connection refused; start influxd")}
		}, "/", 200, []string{"Historian does not take telemetry", "start influxd", "Readings wait in the stream"}},
		{"stream waits", func(c *Config) { c.Backlog = func(context.Context) (int64, error) { return 12345, nil } }, "/", 200, []string{"12,345 readings waiting"}},
		{"stream broken", func(c *Config) { c.Backlog = func(context.Context) (int64, error) { return 0, broken } }, "/", 200, []string{"not readable", "disk is full"}},
		{"live broken", func(c *Config) { c.Loading = func(context.Context) (map[string]Loading, error) { return nil, broken } }, "/", 200, []string{"Live values could not be read", "disk is full"}},
		{"result broken", func(c *Config) { c.Results = noResult{broken} }, "/queue", 500, []string{"The queue could not be read", "disk is full", "Try again", "request "}},
		{"stale", func(c *Config) { c.Clock = func() time.Time { return d.now.AddDate(0, 0, 9) } }, "/", 200, []string{"Stale: 9 days are missing since", "no live data", "devices silent"}},
		{"stale", func(c *Config) { c.Clock = func() time.Time { return d.now.AddDate(0, 0, 9) } }, "/transformers/" + hotArea, 200, []string{"silent for 9" + nbsp + "days"}},
	}
	for _, c := range cases {
		t.Run(fmt.Sprint(c.name, " ", c.path), func(t *testing.T) {
			body := d.desk(c.change).logIn().get(c.path, c.status)
			for _, want := range c.want {
				if !strings.Contains(body, want) && !strings.Contains(body, strings.ReplaceAll(want, "no live data", "old")) {
					t.Errorf("does not say %q", want)
				}
			}
			balanced(t, c.path, body)
			if strings.Contains(body, "NaN") {
				t.Errorf("says NaN: …%s…", around(body, "NaN"))
			}
		})
	}
}

type noResult struct{ err error }

func (n noResult) LatestResult(context.Context) (*detect.Result, error) { return nil, n.err }

func TestFailedDetectorsAreNamed(t *testing.T) {
	d := newDistrict(t)
	d.result.Failed = []detect.DetectorFailure{{Detector: "energybalance", Error: "no answer within 30s"}}
	k := d.desk().logIn()
	for _, path := range []string{"/", "/queue", "/plugins"} {
		if body := k.get(path, 200); !strings.Contains(body, "no answer within 30s") {
			t.Errorf("%s hides that a detector is missing", path)
		}
	}
}

func TestManySilentDevicesAreOneAlarm(t *testing.T) {
	d := newDistrict(t)
	for i := range d.devices[:20] {
		d.devices[i].LastGood = time.Time{}
	}
	body := d.desk().logIn().get("/", 200)
	if n := strings.Count(body, `class="pr2"`); n != 1 || !strings.Contains(body, "devices silent") {
		t.Errorf("%d alarms for silent devices", n)
	}
}

// TestALargeNetworkIsNotDrawnWhole keeps the diagram readable and says what it leaves out.
func TestALargeNetworkIsNotDrawnWhole(t *testing.T) {
	d := newDistrict(t)
	var rec grid.Records
	for f := range 30 {
		for k := range 40 {
			rec.Transformers = append(rec.Transformers, grid.PowerTransformer{ID: fmt.Sprintf("T-%d-%d", f, k), FeederID: fmt.Sprintf("F%02d", f), SubstationID: fmt.Sprintf("S%d", f/10), RatedKVA: 100})
		}
	}
	d.network = grid.NewNetwork(rec)
	d.result.UsagePoints, d.result.Transformers, d.cases = nil, nil, nil
	d.loading = map[string]Loading{"T-17-33": {At: d.now, KVA: 140, KW: 130, HotSpotC: 131}}
	body := d.desk().logIn().get("/", 200)
	if n := strings.Count(body, `class="cell`); n > sldFeeders*sldCells {
		t.Errorf("%d cells drawn", n)
	}
	for _, want := range []string{"T-17-33, 100", "and 31 more", "transformers are not drawn", `href="/transformers?feeder=F17"`} {
		if !strings.Contains(body, want) {
			t.Errorf("does not say %q", want)
		}
	}
}
