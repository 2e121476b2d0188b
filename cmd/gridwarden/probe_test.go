package main

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/probe"
	"github.com/gridwarden/gridwarden/internal/sim"
)

// TestProbeFindsTheProfile probes the meters that the program simulates, by
// day, without saying what they are.
func TestProbeFindsTheProfile(t *testing.T) {
	until, err := curve.ParseDate("2026-03-10")
	if err != nil {
		t.Fatal(err)
	}
	district, err := sim.New(sim.Config{Seed: 7, Until: until, Days: 20})
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 3, 11, 19, 30, 0, 0, time.UTC)
	began := time.Now()
	server, err := district.Serve(context.Background(), sim.ServeOptions{WithoutOPCUA: true, Now: func() time.Time { return noon.Add(time.Since(began)) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	}()
	found := make(map[string]bool)
	for _, d := range server.Devices() {
		if found[d.Profile] {
			continue
		}
		found[d.Profile] = true
		code, stdout, stderr := gridwarden(t, "probe", d.URL, "--json", "--pause", "1ms", "--between", "500ms")
		var r struct {
			Conclusion string
			Proposal   *struct {
				Profile string
				Checks  []probe.Check
			}
			Equivalent []string
		}
		if err := json.Unmarshal([]byte(stdout), &r); err != nil {
			t.Fatalf("%s: %v\n%s", d.Profile, err, stdout)
		}
		if code != 0 || r.Proposal == nil || r.Proposal.Profile != d.Profile && !strings.Contains(strings.Join(r.Equivalent, " "), d.Profile) {
			t.Errorf("%s at %s: exit %d: %s\n%s", d.Profile, d.URL, code, r.Conclusion, stderr)
			continue
		}
		if len(r.Proposal.Checks) < 5 {
			t.Errorf("%s: %d checks", d.Profile, len(r.Proposal.Checks))
		}
	}
	if len(found) < 4 {
		t.Errorf("the district has only %v", found)
	}
	for _, d := range server.Devices() {
		if d.Profile != "sim-3p-float" {
			continue
		}
		code, stdout, stderr := gridwarden(t, "probe", d.URL, "--pause", "1ms", "--between", "500ms")
		for _, want := range []string{"sim-3p-float", "plausible", "passed", "voltage", "QUANTITY", "requests in", "further candidates; --all shows them"} {
			if code != 0 || !strings.Contains(stdout, want) {
				t.Errorf("exit %d, no %q in\n%s", code, want, stdout)
			}
		}
		if !strings.Contains(stderr, "waiting to see energies rise") {
			t.Errorf("what is done is not said: %s", stderr)
		}
		code, stdout, _ = gridwarden(t, "probe", d.URL, "--pause", "1ms", "--requests", "4")
		if code != exitFailed || !strings.Contains(stdout, "4 were made") {
			t.Errorf("exit %d, after four requests\n%s", code, stdout)
		}
		break
	}
}
