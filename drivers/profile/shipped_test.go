package profile

import (
	"errors"
	"os"
	"testing"
)

// shipped is where the profiles of real devices lie. They are part of the
// program but not of this package; their vectors prove the decoder as much as
// the profiles.
const shipped = "../../configs/profiles"

// TestShippedProfiles holds every shipped profile to its vectors. A profile
// with fewer than five has not been worked through.
func TestShippedProfiles(t *testing.T) {
	all, err := LoadFS(os.DirFS(shipped))
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 4 {
		t.Errorf("%d profiles", len(all))
	}
	if err := errors.Join(CheckVectors(os.DirFS(shipped)), CheckVectors(os.DirFS("testdata"))); err != nil {
		t.Error(err)
	}
	for name, p := range all {
		if p.Status == Simulated {
			t.Errorf("%s is simulated; those live with the simulator", name)
		}
		if p.Modbus != nil {
			checkPlan(t, p.Modbus)
			t.Logf("%s: %d points in %d requests", name, len(p.Modbus.Points), len(p.Modbus.Blocks(0)))
		}
	}
}

// TestVectorsAreChecked makes sure that wrong vectors do not pass.
func TestVectorsAreChecked(t *testing.T) {
	all, err := LoadFS(os.DirFS("testdata"))
	if err != nil {
		t.Fatal(err)
	}
	p := all["example-modbus"]
	for name, text := range map[string]string{
		"wrong value":       "{quantity: voltage_a, words: [0x4366, 0x8000], value: 231, origin: o}",
		"wrong quality":     "{quantity: voltage_a, words: [0x4366, 0x8000], value: 230.5, quality: bad, origin: o}",
		"wrong flags":       "{quantity: voltage_a, words: [0x4366, 0x8000], value: 230.5, flags: test, origin: o}",
		"no origin":         "{quantity: voltage_a, words: [0x4366, 0x8000], value: 230.5}",
		"too few words":     "{quantity: voltage_a, words: [0x4366], value: 230.5, origin: o}",
		"not in profile":    "{quantity: frequency, words: [0x4366, 0x8000], value: 230.5, origin: o}",
		"unknown key":       "{quantity: voltage_a, words: [0x4366, 0x8000], value: 230.5, source: o}",
		"word out of range": "{quantity: voltage_a, words: [0x14366, 0x8000], value: 230.5, origin: o}",
	} {
		v, err := ParseVectors("v.yaml", []byte("profile: example-modbus\nvectors:\n  - "+text+"\n"), p)
		if err == nil {
			err = v.Vectors[0].Check(p)
		}
		if err == nil {
			t.Errorf("%s: passed", name)
		}
	}
}
