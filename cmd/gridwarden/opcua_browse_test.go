package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/sim"
)

// TestOPCUABrowse browses the simulated substation: the devices file that
// comes out passes `check` as it is.
func TestOPCUABrowse(t *testing.T) {
	dir := t.TempDir()
	server := simulated(t)
	profiles := filepath.Join(dir, "profiles")
	for _, args := range [][]string{
		{},                          // with the profiles of the simulator
		{"--profile-out", profiles}, // nothing needs to be made
		{"--subscribe", "--interval", "2s"},
	} {
		code, out, errs := gridwarden(t, append([]string{"opcua", "browse", server, "--option", "security=none"}, args...)...)
		if code != 0 {
			t.Fatalf("%v: exit %d: %s", args, code, errs)
		}
		if !strings.Contains(out, "profile: \"sim-transformer-monitor\"") || !strings.Contains(out, "profile: \"sim-substation\"") || strings.Contains(out, "nothing was made of") {
			t.Errorf("%v:\n%s", args, out)
		}
		file := filepath.Join(dir, "devices.yaml")
		if err := os.WriteFile(file, []byte(out), 0o600); err != nil {
			t.Fatal(err)
		}
		if code, _, errs := gridwarden(t, "check", "-c", file); code != 0 {
			t.Errorf("%v: check exits with %d: %s\n%s", args, code, errs, out)
		}
	}
	for _, args := range [][]string{
		{"opcua", "browse", "http://127.0.0.1"},
		{"opcua", "browse"},
		{"opcua", "browse", server, "--profiles", "a", "--profile-out", "b"},
		{"opcua", "browse", server, "--profiles", filepath.Join(dir, "none")},
	} {
		if code, _, errs := gridwarden(t, args...); code != exitUsage {
			t.Errorf("%v: exit %d: %s", args, code, errs)
		}
	}
}

// simulated starts a simulated substation and returns its OPC UA address.
func simulated(t *testing.T) string {
	t.Helper()
	d, err := sim.New(sim.Config{Seed: 1, Until: curve.DateOf(time.Now().UTC()) - 1, Days: 2})
	if err != nil {
		t.Fatal(err)
	}
	server, err := d.Serve(t.Context(), sim.ServeOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	for _, dev := range server.Devices() {
		if dev.Driver == "opcua" {
			return dev.URL
		}
	}
	t.Fatal("the simulator serves no OPC UA")
	return ""
}
