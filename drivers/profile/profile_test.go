package profile

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func TestExamples(t *testing.T) {
	all, err := LoadFS(os.DirFS("testdata"))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 {
		t.Fatalf("%d examples", len(all))
	}
	p := all["example-modbus"]
	want := []meter.Quantity{
		meter.VoltageA, meter.VoltageB, meter.VoltageC, meter.ActivePower, meter.ActiveEnergyImport, meter.PowerFactor, meter.CurrentA,
		meter.Alarm, meter.Trip, meter.OilLevel, meter.FanRunning, meter.ClockOffset,
	}
	got := p.Quantities()
	for i, q := range want {
		if len(got) != len(want) || got[i] != q {
			t.Fatalf("quantities are %v, want %v", got, want)
		}
	}
	if n := len(p.Modbus.Blocks(0)); n != 3 {
		t.Errorf("%d blocks: %v", n, p.Modbus.Blocks(0))
	}
	if pt := p.Modbus.Points[0]; pt.Scale != 1 || pt.Order != ABCD || pt.Side != Primary {
		t.Errorf("defaults are %+v", pt)
	}
	if groups := p.Groups(); len(groups) != 2 || groups[1].Interval != time.Hour || len(p.Modbus.Blocks(1)) != 1 {
		t.Errorf("groups are %+v", groups)
	}
	if at := p.Rollover(meter.ActiveEnergyImport); at != 21474836.48 || p.SideOf(meter.ActiveEnergyImport) != Secondary {
		t.Errorf("rolls over at %v, on the %s side", at, p.SideOf(meter.ActiveEnergyImport))
	}
	if p.Rollover(meter.ActivePower) != 0 || p.SideOf(meter.ActivePower) != Primary || all["example-opcua"].Rollover(meter.ActivePower) != 0 {
		t.Error("a power rolls over")
	}
	if a, b := p.Digest(), all["example-opcua"].Digest(); len(a) != 64 || len(b) != 64 || a == b {
		t.Errorf("digests %q and %q", a, b)
	}
	if pt := p.Modbus.Points[3]; pt.Order != CDAB || pt.Absent[0] != 0x80000000 {
		t.Errorf("%+v", pt)
	}
	if q := all["example-opcua"].Quantities(); len(q) != 3 || q[2] != meter.TopOilTemperature {
		t.Errorf("%v", q)
	}
}

// TestBadFiles holds every file in testdata/bad to its errors, word for word.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(err, len(files))
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		p, err := Parse(filepath.Base(file), data)
		if err == nil {
			t.Errorf("%s was taken: %+v", file, p)
			continue
		}
		expected := strings.TrimSuffix(file, ".yaml") + ".err"
		got := err.Error() + "\n"
		if os.Getenv("UPDATE_ERRORS") != "" {
			if err := os.WriteFile(expected, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(expected)
		if err != nil {
			t.Errorf("%s: %v; write it with UPDATE_ERRORS=1 and read it", file, err)
			continue
		}
		if got != string(want) {
			t.Errorf("%s\n got: %s\nwant: %s", file, got, want)
		}
	}
}

func TestTooLong(t *testing.T) {
	_, err := Parse("long.yaml", []byte(strings.Repeat("# nothing\n", 30_000)))
	if err == nil || !strings.Contains(err.Error(), "too long for a profile") {
		t.Errorf("%v", err)
	}
}

func TestLoadFSRefusesAll(t *testing.T) {
	good, err := os.ReadFile("testdata/example-modbus.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = LoadFS(fstest.MapFS{
		"other-name.yaml":             {Data: good},
		"broken.yaml":                 {Data: []byte("name: [")},
		"example-modbus.yaml":         {Data: good},
		"example-modbus.vectors.yaml": {Data: []byte("not a profile")},
		"README.md":                   {Data: []byte("not a profile")},
	})
	if err == nil || !strings.Contains(err.Error(), `other-name.yaml:1:1: the profile is named "example-modbus"; name it "other-name"`) ||
		!strings.Contains(err.Error(), "broken.yaml:") {
		t.Errorf("%v", err)
	}
	var one *Error
	if !errors.As(err, &one) || one.Line == 0 {
		t.Errorf("no place in %v", err)
	}
}
