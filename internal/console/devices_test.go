package console

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestJudge is what the desk makes of the poller's word and of the time since
// the last whole read.
func TestJudge(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		d        Device
		want     pollState
		abnormal bool
	}{
		"starting":                  {Device{State: "waiting", Since: now.Add(-2 * time.Second)}, waitingState, false},
		"waiting for too long":      {Device{State: "waiting", Since: now.Add(-time.Minute)}, neverState, true},
		"waiting for its slow turn": {Device{State: "waiting", Since: now.Add(-time.Minute), Interval: time.Hour}, waitingState, false},
		"answering":                 {Device{State: "ok", LastGood: now.Add(-time.Second)}, answeringState, false},
		"answering, turns missed":   {Device{State: "ok", LastGood: now.Add(-time.Minute)}, silentState, true},
		"just failed":               {Device{State: "failing", LastGood: now.Add(-time.Second), LastError: "x"}, failingState, false},
		"in part for long":          {Device{State: "failing", LastGood: now.Add(-time.Hour), LastError: "x"}, failingState, true},
		"in part from the start":    {Device{State: "failing", LastError: "x"}, failingState, true},
		"left alone":                {Device{State: "silent", LastGood: now.Add(-2 * time.Second), LastError: "x"}, silentState, true},
		"left alone from the start": {Device{State: "silent", LastError: "x"}, neverState, true},
		"no word, recent":           {Device{LastGood: now}, answeringState, false},
		"no word, failed":           {Device{LastGood: now, LastError: "x"}, failingState, false},
		"no word, old":              {Device{LastGood: now.Add(-time.Minute)}, silentState, true},
	} {
		if got := judge(c.d, now); got.state != c.want || got.abnormal() != c.abnormal {
			t.Errorf("%s: %s, abnormal %v", name, got.state, got.abnormal())
		}
	}
}

// TestFailures takes messages apart into what and mend.
func TestFailures(t *testing.T) {
	for message, want := range map[string][]failure{
		"": nil,
		"device A: unit 3: no answer (1s); check unit number, wiring; and power": {{"Unit 3: no answer (1s); check unit number, wiring", "And power"}},
		"device A: one; mend it\ndevice A: two\n\n":                              {{"One", "Mend it"}, {"Two", ""}},
		"device B: of another; x":                                                {{"Device B: of another", "X"}},
	} {
		if got := failures("A", message); !slices.Equal(got, want) {
			t.Errorf("%q: %q, want %q", message, got, want)
		}
	}
}

// order lists the devices of a page from top to bottom.
func order(body string) []string {
	var out []string
	for _, m := range regexp.MustCompile(`<th scope="row"><a class="id" href="/devices/([^"]*)"`).FindAllStringSubmatch(body, -1) {
		out = append(out, m[1])
	}
	return out
}

// TestDevicesAreSortedAndFiltered follows the links of the column heads.
func TestDevicesAreSortedAndFiltered(t *testing.T) {
	d := newDistrict(t)
	for i := range d.devices {
		d.devices[i].P50, d.devices[i].P99 = time.Duration(i)*time.Millisecond, time.Duration(100-i)*time.Millisecond
	}
	k := d.desk().logIn()
	body := k.get("/devices", 200)
	if first := order(body)[0]; first != "gw-T-1044" {
		t.Errorf("%s comes first, want the silent one", first)
	}
	last := len(d.devices) - 1
	for path, first := range map[string]string{
		"/devices?sort=device":                      "gw-T-1011",
		"/devices?sort=device&dir=desc":             "ua-substation",
		"/devices?sort=p50&dir=desc":                d.devices[last].ID,
		"/devices?sort=p99&dir=desc":                d.devices[0].ID,
		"/devices?sort=good":                        "gw-T-1044",
		"/devices?sort=share&dir=desc":              "ua-substation",
		"/devices?sort=nonsense":                    "gw-T-1044",
		"/devices?driver=opcua":                     "ua-substation",
		"/devices?state=silent":                     "gw-T-1044",
		"/devices?q=SUBSTATION&sort=profile":        "ua-substation",
		"/devices?sort=every&dir=desc&driver=opcua": "ua-substation",
	} {
		list := order(k.get(path, 200))
		if len(list) == 0 || list[0] != first {
			t.Errorf("%s: %v, want %s first", path, list[:min(3, len(list))], first)
		}
	}
	if n := len(order(k.get("/devices?driver=opcua", 200))); n != 1 {
		t.Errorf("%d devices of one driver", n)
	}
	body = k.get("/devices?driver=opcua&state=silent&q=x&sort=p99&dir=desc", 200)
	for _, want := range []string{"No device matches", "hidden by: silent, driver opcua, “x”", `value="p99"`} {
		if !strings.Contains(body, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if body = k.get("/devices?sort=p99&dir=desc", 200); !strings.Contains(body, `aria-sort="descending"`) || strings.Count(body, "aria-sort") != 1 {
		t.Error("the sorted column is not marked")
	}
}

// TestReloadsAreTold shows what became of a reload, also one that was refused.
func TestReloadsAreTold(t *testing.T) {
	d := newDistrict(t)
	var last *Reload
	k := d.desk(func(c *Config) { c.Reloaded = func() *Reload { return last } }).logIn()
	if body := k.get("/devices", 200); strings.Contains(body, "Configuration") {
		t.Error("a reload is told of before there was one")
	}
	last = &Reload{At: d.now, By: "SIGHUP", Added: 2, Kept: 40, Restart: []string{"site"}, Warnings: []string{"1 device reads a meter unknown"}}
	for _, path := range []string{"/devices", "/devices/ua-substation"} {
		if body := k.get(path, 200); !strings.Contains(body, "by SIGHUP: 2 added, 0 removed, 0 changed, 40 kept") || !strings.Contains(body, "to apply") {
			t.Errorf("%s does not tell of the reload", path)
		}
	}
	last = &Reload{At: d.now, By: "command"}
	for i := range 20 {
		last.Problems = append(last.Problems, fmt.Sprintf("g.yaml:%d:5: %s; mend", i, hostile))
	}
	for _, path := range []string{"/devices", "/devices/ua-substation"} {
		body := k.get(path, 200)
		for _, want := range []string{"refused at 13:48", "g.yaml:11:5:", "and 8 more", "gridwarden devices reload"} {
			if !strings.Contains(body, want) {
				t.Errorf("%s does not say %q", path, want)
			}
		}
		if strings.Contains(body, "<script>alert") {
			t.Errorf("%s: a problem comes back unescaped", path)
		}
		balanced(t, path, body)
	}
}

// TestReadsRefreshTheDevicePages: values change though no state does.
func TestReadsRefreshTheDevicePages(t *testing.T) {
	d := newDistrict(t)
	k := d.desk(func(c *Config) {
		c.LiveInterval = 20 * time.Millisecond
		c.Devices = func() []Device {
			d.mu.Lock()
			defer d.mu.Unlock()
			return slices.Clone(d.devices)
		}
	}).logIn()
	for path, wanted := range map[string]bool{"/devices": true, "/devices/ua-substation": true, "/plugins": false} {
		on := regexp.MustCompile(`data-live-on="([^"]*)"`).FindStringSubmatch(k.get(path, 200))
		if on == nil || slices.Contains(strings.Fields(on[1]), "reads") != wanted {
			t.Errorf("%s refreshes on %q", path, on)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	kinds, body := k.stream(ctx)
	want(t, kinds, "hello")
	d.mu.Lock()
	d.devices[0].Due++
	d.devices[0].OK++
	d.mu.Unlock()
	want(t, kinds, "reads")
	cancel()
	_ = body.Close()
	for range kinds {
		continue
	}
}
