package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// does runs the program and wants it to go well.
func does(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := gridwarden(t, args...)
	if code != 0 {
		t.Fatalf("gridwarden %v: exit %d\n%s%s", args, code, out, errs)
	}
	return out
}

// street is thirty households on one transformer that feeds 5 kW more than
// they take; the last of them draws 6 kW around the clock.
func street(t *testing.T) detect.Input {
	t.Helper()
	const first, days = curve.Date(20_000), 20
	records := grid.Records{Transformers: []grid.PowerTransformer{{ID: "T-1", RatedKVA: 250, MeterID: "MT"}}}
	store := curve.NewMemory()
	put := func(id string, load sdktest.Load) {
		t.Helper()
		for day := range days {
			d := curve.Day{MeterID: id, Date: first + curve.Date(day), Start: (first + curve.Date(day)).Start(time.UTC), Interval: 15 * time.Minute}
			for q := range 96 {
				d.EnergyKWh, d.Quality = append(d.EnergyKWh, load(day, q)/4), append(d.Quality, meter.Good)
			}
			if err := store.PutDays(t.Context(), []curve.Day{d}, []curve.Features{curve.Compute(&d)}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var members []sdktest.Member
	for i := range 30 {
		load := sdktest.Household(uint64(i))
		if i == 29 {
			load = sdktest.From(0, load, sdktest.Flat(6))
		}
		n := fmt.Sprintf("%02d", i)
		records.Customers = append(records.Customers, grid.Customer{ID: "C-" + n, Category: grid.Residential, Class: grid.ClassResidential, DeclaredUse: "dwelling", ContractedKVA: 8})
		records.UsagePoints = append(records.UsagePoints, grid.UsagePoint{ID: "U-" + n, MeterID: "M-" + n, CustomerID: "C-" + n, TransformerID: "T-1"})
		members = append(members, sdktest.Point("U-"+n, load))
		put("M-"+n, load)
	}
	put("MT", sdktest.From(0, sdktest.Sum(members), sdktest.Flat(5)))
	return detect.Input{Network: grid.NewNetwork(records), Curves: store, First: first, Last: first + days - 1, Location: time.UTC, Prior: 0.01}
}

// From nothing to a plugin that a host runs: the steps of the project's README.
func TestANewPluginRuns(t *testing.T) {
	in, at := street(t), sources(t)
	for _, scope := range []string{"usage_point", "transformer_area", "fleet"} {
		t.Run(scope, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			out := does(t, "plugins", "new", "my_idea", "--scope", scope, "--sdk", at)
			if !strings.Contains(out, "make test") {
				t.Errorf("it does not say how to go on:\n%s", out)
			}
			program := filepath.Join(dir, "my_idea", "dist", "my_idea", "my_idea")
			build := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", program, ".")
			build.Dir = filepath.Join(dir, "my_idea")
			build.Env = append(os.Environ(), "GOFLAGS=-mod=readonly", "GOPROXY=off", "GOWORK=off", "CGO_ENABLED=0")
			if out, err := build.CombinedOutput(); err != nil {
				t.Fatalf("go build: %v\n%s", err, out)
			}
			if out := does(t, "plugins", "conform", program); !strings.Contains(out, "it conforms") {
				t.Error(out)
			}
			does(t, "plugins", "keygen")
			does(t, "plugins", "sign", filepath.Dir(program), "--key", "plugins.key")
			if err := os.MkdirAll("plugins", 0o750); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Dir(program), filepath.Join("plugins", "my_idea")); err != nil {
				t.Fatal(err)
			}
			config := "data_dir: data\nplugins:\n  built_in: []\n  folder: plugins\n  keys: [plugins.pub]\n"
			if err := os.WriteFile("gridwarden.yaml", []byte(config), 0o600); err != nil {
				t.Fatal(err)
			}
			does(t, "plugins", "lock", "-c", "gridwarden.yaml", "my_idea")
			if out := does(t, "plugins", "verify", "-c", "gridwarden.yaml"); !strings.Contains(out, "my_idea 0.1.0") {
				t.Error(out)
			}
			finds(t, in, filepath.Join("plugins", "my_idea", "my_idea"), scope)
		})
	}
}

// finds runs the plugin over the street, in a process of its own.
func finds(t *testing.T, in detect.Input, program, scope string) {
	t.Helper()
	sum := does(t, "plugins", "list", "-c", "gridwarden.yaml", "--json")
	at := strings.Index(sum, `"sha256": "`) + len(`"sha256": "`)
	plugins, err := detect.Launch(t.Context(), detect.LaunchConfig{ThirdParty: []detect.ThirdParty{{Name: "my_idea", Path: program, SHA256: sum[at : at+64]}}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := plugins.Close(); err != nil {
			t.Error(err)
		}
	}()
	in.Evaluators = plugins.Evaluators()
	result, err := detect.Run(t.Context(), in)
	if err != nil || len(result.Failed) != 0 {
		t.Fatalf("%v, failed: %v", err, result.Failed)
	}
	if scope == "transformer_area" {
		if len(result.Transformers[0].Findings) != 1 {
			t.Errorf("5 kW past the meters: %+v", result.Transformers)
		}
		return
	}
	if top := result.UsagePoints[0]; top.UsagePointID != "U-29" || len(top.Findings) != 1 {
		t.Errorf("6 kW around the clock in a household; first is %+v", top)
	}
}

// sources returns the folder of this repository.
func sources(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil || strings.TrimSpace(string(out)) == "" {
		t.Fatalf("go env GOMOD: %q, %v", out, err)
	}
	return filepath.Dir(strings.TrimSpace(string(out)))
}

func TestPluginsNewRefuses(t *testing.T) {
	at := sources(t)
	t.Chdir(t.TempDir())
	if err := os.WriteFile("taken", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"Night"}, "lower-case"},
		{[]string{"hiddenmining"}, "built-in"},
		{[]string{"x", "--dir", "taken", "--sdk", at}, "in the way"},
		{[]string{"x", "--scope", "meter"}, "choose usage_point"},
		{[]string{"x"}, "--sdk PATH"},
		{nil, "accepts 1 arg"},
	} {
		code, _, errs := gridwarden(t, append([]string{"plugins", "new"}, tc.args...)...)
		if code != exitUsage || !strings.Contains(errs, tc.want) {
			t.Errorf("%v: exit %d: %q, want %q", tc.args, code, errs, tc.want)
		}
	}
	if _, err := os.Stat("x"); err == nil {
		t.Error("a folder was made all the same")
	}
}

func TestPluginsConformRefuses(t *testing.T) {
	if code, _, errs := gridwarden(t, "plugins", "conform", filepath.Join(t.TempDir(), "missing")); code != exitUsage || !strings.Contains(errs, "does not start as a plugin") {
		t.Errorf("exit %d: %s", code, errs)
	}
}
