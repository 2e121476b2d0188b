package main

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/poll/bench/fleet"
)

var update = flag.Bool("update", false, "write the expected configurations anew")

func TestChoose(t *testing.T) {
	for names, want := range map[string]string{
		"":                                  strings.Join(labels(cases()), " "),
		"gw-1000, ports-100":                "gw-1000 ports-100",
		"largest path":                      " largest path",
		"ports-1000 list":                   "ports-1000 list",
		"ports-100  ports-100 gw-1000-flap": "ports-100 ports-100 gw-1000-flap",
	} {
		p, err := choose(names)
		got := strings.Join(labels(p.cases), " ")
		for name, chosen := range map[string]bool{" largest": p.largest, " path": p.path, " list": p.list} {
			if chosen && name != " path" {
				got += name
			}
		}
		if p.path {
			got += " path"
		}
		if err != nil || got != want {
			t.Errorf("%q: %q, %v, want %q", names, got, err, want)
		}
	}
	if _, err := choose("ports-100 ports-99"); err == nil || !strings.Contains(err.Error(), `no case "ports-99"; there are ports-100, `) {
		t.Errorf("error %v", err)
	}
}

// TestCases: labels are unique and the baseline's cases are all here.
func TestCases(t *testing.T) {
	seen := make(map[string]bool)
	for _, c := range cases() {
		if seen[c.Label] {
			t.Errorf("%s is listed twice", c.Label)
		}
		seen[c.Label] = true
		if c.N < 1 || c.Interval <= 0 || c.PerGateway < 1 {
			t.Errorf("%+v", c)
		}
	}
	base, err := baseline()
	if err != nil {
		t.Fatal(err)
	}
	for label := range base {
		if !seen[label] && label != "ports-1000-register" { // a style of the other collector
			t.Errorf("the baseline's case %s is missing", label)
		}
	}
}

// TestDevices: the devices that collectors are told of are those that the
// simulators serve.
func TestDevices(t *testing.T) {
	for _, c := range []Case{onPorts("p", 100), onPorts("q", 2*perSimulator+1), behind("g", 500, 167), behind("h", 1000, 200).bus()} {
		list := c.devices(ports{20000, 26100})
		sims := c.simulators(ports{20000, 26100})
		seen := make(map[string]bool)
		for i, d := range list {
			at := d.Host + ":" + string(rune(d.Port)) + "/" + string(rune(d.Unit))
			if seen[at] || seen[d.Name] || d.Unit < 1 || d.Unit > 247 {
				t.Fatalf("%s: device %d is a double or no device: %+v", c.Label, i, d)
			}
			seen[at], seen[d.Name] = true, true
		}
		last := list[len(list)-1]
		args := strings.Join(sims[len(sims)-1], " ")
		for _, want := range map[string][]string{
			"p": {"-ports 100", "-first 0", "-base 20000"}, "q": {"-ports 1 ", "-first 16000", "-host 127.0.0.3"},
			"g": {"-gateways 3", "-units 167"}, "h": {"-gateways 5", "-units 200", "-bus"},
		}[c.Label] {
			if !strings.Contains(args+" ", want) {
				t.Errorf("%s: %s is not in %s", c.Label, want, args)
			}
		}
		switch c.Label {
		case "q":
			if last.Host != "127.0.0.3" || last.Port != 20000 || last.number != 16000 {
				t.Errorf("%+v", last)
			}
		case "g":
			if last.Port != 26102 || last.Unit != 166 || last.number != 2*167+166 {
				t.Errorf("%+v", last)
			}
		}
	}
}

func TestAlive(t *testing.T) {
	from := time.Unix(1_790_000_000, 0)
	for want, f := range map[float64]fleet.Faults{60_000: {}, 58_800: {Stall: 0.02}, 57_000: {Flap: 0.1}, 52_200: {Stall: 0.1, Exceptions: 0.01, Flap: 0.04}} {
		c := behind("g", 1000, 200)
		c.Faults = f
		if got := c.alive(c.devices(ports{1, 1}), from, from.Add(time.Minute)); got < want-1 || got > want+1 {
			t.Errorf("%+v: %v polls of devices that answer, want %v", f, got, want)
		}
	}
}

// TestConfigurations holds the generated files to those in testdata; -update
// writes them anew.
func TestConfigurations(t *testing.T) {
	const sink = "127.0.0.1:26300"
	for name, c := range map[string]struct {
		r    runner
		c    Case
		file string
	}{
		"gridwarden.yaml":         {runner{gen: genGridwarden}, behind("g", 3, 2), "gridwarden.yaml"},
		"gridwarden-devices.csv":  {runner{gen: genGridwarden}, behind("g", 3, 2), "devices.csv"},
		"gridwarden-profile.yaml": {runner{gen: genGridwarden}, behind("g", 3, 2), "profiles/bench.yaml"},
		"devices.json":            {runner{gen: genJSON}, onPorts("p", 2), "devices.json"},
		"telegraf.conf":           {runner{gen: genTelegraf, out: outInflux, jitter: "0s", timeout: "1s"}, behind("g", 3, 2), "collector.conf"},
		"telegraf-register.conf":  {runner{gen: genTelegraf, out: outStdout, jitter: "1s", timeout: "2s", agentExtra: "debug = true;quiet = false"}, onPorts("p", 2), "collector.conf"},
		"command.txt":             {runner{gen: "cmd:cp"}, onPorts("p", 2), "collector.conf"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if strings.Contains(name, "register") {
				c.c.Style = styleRegister
			}
			list := c.c.devices(ports{20000, 26100})
			if _, err := c.r.writeConfig(&c.c, list, dir, sink); err != nil {
				t.Fatal(err)
			}
			got, err := os.ReadFile(filepath.Join(dir, c.file))
			if err != nil {
				t.Fatal(err)
			}
			expected := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(expected, got, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(expected)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("%s differs from %s:\n%s", c.file, expected, got)
			}
		})
	}
	r := runner{gen: "cmd:false"}
	c := onPorts("p", 1)
	if _, err := r.writeConfig(&c, c.devices(ports{1, 1}), t.TempDir(), sink); err == nil || !strings.Contains(err.Error(), "cmd:false") {
		t.Errorf("error %v", err)
	}
}
