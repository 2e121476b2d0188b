package profile

import (
	"errors"
	"os"
	"strings"
	"testing"
	"testing/fstest"
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
		"blank origin":      "{quantity: voltage_a, words: [0x4366, 0x8000], value: 230.5, origin: ' '}",
		"no exponent":       "{quantity: power_factor, words: [980], value: 980, origin: o}",
		"wrong exponent":    "{quantity: power_factor, words: [980, 0xFFFE], value: 0.98, origin: o}",
		"words for a bit":   "{quantity: fan_running, words: [1], value: 0, origin: o}",
		"wrong bit":         "{quantity: fan_running, bits: [1], value: 1, origin: o}",
		"no bit":            "{quantity: fan_running, bits: [2], value: 1, origin: o}",
		"clock at no time":  "{quantity: clock_offset, words: [2024, 0x0506, 0x0908, 15], value: 6, origin: o}",
		"wrong text":        "{identity: manufacturer, words: [0x4578, 0x616D, 0x706C, 0x6500], text: example, origin: o}",
		"not recognised":    "{identity: model_code, words: [0x0304], text: '772', origin: o}",
		"unknown identity":  "{identity: marker, words: [0x0304], text: '772', origin: o}",
		"two forms":         "{identity: model_code, quantity: voltage_a, words: [0x0304], origin: o}",
		"no form":           "{words: [0x0304], value: 1, origin: o}",
		"dump of nothing":   "{registers: {0x12: [0xFB2E, 0xFFFF]}, origin: o}",
		"dump too short":    "{registers: {0x12: [0xFB2E]}, readings: {active_power: -1.234}, origin: o}",
		"dump elsewhere":    "{registers: {0x12: [0xFB2E, 0xFFFF]}, table: input, readings: {active_power: -1.234}, origin: o}",
		"dump of others":    "{registers: {0x12: [0xFB2E, 0xFFFF]}, readings: {active_power: -1.235}, origin: o}",
		"dump not bad":      "{registers: {0x12: [0xFB2E, 0xFFFF]}, readings: {active_power: .nan}, origin: o}",
		"dump not good":     "{registers: {0x24: [980, 0x8000]}, readings: {power_factor: 980}, origin: o}",
		"dump at a name":    "{registers: {first: [980, 0x8000]}, readings: {power_factor: .nan}, origin: o}",
		"dump of no bits":   "{registers: {9: [2]}, table: discrete, readings: {fan_running: 0}, origin: o}",
		"dump's text":       "{registers: {0x54: [0x0304]}, identity_texts: {model_code: '772'}, origin: o}",
		"dump's clock":      "{registers: {0x40: [2024, 0x0506, 0x0908, 15]}, readings: {clock_offset: 6}, origin: o}",
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

// TestVectorsAreDemanded makes sure that a profile without enough of them, and
// vectors without a profile, do not pass.
func TestVectorsAreDemanded(t *testing.T) {
	file := func(name string) *fstest.MapFile {
		data, err := os.ReadFile("testdata/" + name)
		if err != nil {
			t.Fatal(err)
		}
		return &fstest.MapFile{Data: data}
	}
	few := &fstest.MapFile{Data: []byte("profile: example-modbus\nvectors:\n  - {quantity: fan_running, bits: [0], value: 1, origin: o}\n")}
	for want, files := range map[string]fstest.MapFS{
		"profile example-modbus has no vectors; write at least 5": {"example-modbus.yaml": file("example-modbus.yaml")},
		"1 vectors; at least 5 are asked for":                     {"example-modbus.yaml": file("example-modbus.yaml"), "example-modbus.vectors.yaml": few},
		"there is no profile example":                             {"example.vectors.yaml": few},
		"":                                                        {"example-modbus.yaml": file("example-modbus.yaml"), "example-modbus.vectors.yaml": file("example-modbus.vectors.yaml")},
	} {
		err := CheckVectors(files)
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}
