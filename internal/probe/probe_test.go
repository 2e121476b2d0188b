package probe

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/configs"
	"github.com/gridwarden/gridwarden/drivers/modbus"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/internal/sim"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// everything is what the program knows of devices.
func everything(t *testing.T) map[string]*profile.Profile {
	t.Helper()
	shipped, err := fs.Sub(configs.FS, "profiles")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]*profile.Profile)
	for _, dir := range []fs.FS{shipped, sim.Profiles()} {
		list, err := profile.LoadFS(dir)
		if err != nil {
			t.Fatal(err)
		}
		maps.Copy(all, list)
	}
	return all
}

func driver(t *testing.T) *modbus.Driver {
	t.Helper()
	d := modbus.New(modbus.Options{})
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// meant reports whether a report proposes the profile and order, or something
// that reads the same values.
func meant(r *Report, name string) bool {
	return r.Proposal != nil && (r.Proposal.Name() == name || slices.Contains(r.Equivalent, name))
}

func dump(r *Report) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n%d requests, %d refused, %d unanswered, %s\n", r.Conclusion, r.Requests, r.Refused, r.Unanswered, r.Stopped)
	for _, c := range r.Candidates[:min(len(r.Candidates), 4)] {
		fmt.Fprintf(&b, "%s: %s, %v points, %d strong, %d strange\n", c.Name(), c.Verdict, c.Score, c.strong, c.strange)
		for _, check := range c.Checks {
			fmt.Fprintf(&b, "    %+v %s: %s\n", check.Points, check.Name, check.Detail)
		}
	}
	return b.String()
}

// TestEveryProfile lays a plausible state into the registers of every profile
// there is, and finds the profile again.
func TestEveryProfile(t *testing.T) {
	all := everything(t)
	driver := driver(t)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p := all[name]
		if p.Modbus == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t)
			electrical := slices.Contains(p.Quantities(), meter.Frequency)
			values := load()
			if !slices.Contains(p.Quantities(), meter.VoltageB) && !slices.Contains(p.Quantities(), meter.VoltageBC) {
				values = onePhase()
			}
			d.lay(t, p, values)
			d.identify(p)
			r, err := d.probe(t, driver, Options{Profiles: all})
			if err != nil {
				t.Fatal(err)
			}
			t.Log(dump(r))
			switch {
			case electrical && !meant(r, name):
				t.Errorf("not proposed")
			case !electrical && !meant(r, name) && (r.Candidates[0].Verdict != Weak || !first(r, name)):
				t.Errorf("not the nearest")
			case r.Requests > 120:
				t.Errorf("%d requests", r.Requests)
			}
		})
	}
}

// first reports whether a profile is among those that are as near as the
// nearest.
func first(r *Report, name string) bool {
	best := r.Candidates[0]
	return slices.ContainsFunc(r.Candidates, func(c *Candidate) bool {
		return c.Profile == name && (c == best || best.close(c))
	})
}
