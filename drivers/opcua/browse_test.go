package opcua

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// parsed reads a proposal's files back and returns its devices, ready to be read.
func parsed(t testing.TB, p *Proposal, dev drivers.Device, s *Space, known map[string]*profile.Profile) []drivers.Device {
	t.Helper()
	profiles := make(map[string]*profile.Profile)
	for name, pr := range known {
		profiles[name] = pr
	}
	for _, pr := range p.Profiles {
		var b bytes.Buffer
		if err := pr.Write(&b, dev.URL.String(), time.Now()); err != nil {
			t.Fatal(err)
		}
		parsed, err := profile.Parse(pr.Name+".yaml", b.Bytes())
		if err != nil {
			t.Fatalf("%v\n%s", err, b.String())
		}
		profiles[pr.Name] = parsed
	}
	var b bytes.Buffer
	if err := p.WriteDevices(&b, dev, s, "profiles"); err != nil {
		t.Fatal(err)
	}
	var file struct {
		Profiles string
		Devices  []struct {
			ID, URL, Profile string
			Options          map[string]string
		}
	}
	if err := yaml.Unmarshal(b.Bytes(), &file); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	var out []drivers.Device
	for _, d := range file.Devices {
		if d.URL != dev.URL.String() || profiles[d.Profile] == nil {
			t.Fatalf("%+v", d)
		}
		out = append(out, drivers.Device{ID: d.ID, URL: dev.URL, Profile: profiles[d.Profile], Interval: time.Second, Options: d.Options})
	}
	return out
}

// TestBrowse browses node-opcua and reads what was proposed.
func TestBrowse(t *testing.T) {
	t.Parallel()
	peer := dataServer(t, dataSettings{})
	d := driver(t, Options{})
	dev := testDevice(t, "b", peer.hostPort(), nil, map[string]string{optSecurity: "none"})
	space, err := d.Browse(t.Context(), dev, BrowseLimits{})
	if err != nil || space.Cut != "" {
		t.Fatalf("%+v, %v", space, err)
	}
	p := space.Propose(nil, "data server")
	devices := parsed(t, p, dev, space, nil)
	if len(p.Profiles) != 2 || p.Profiles[0].Name != "data-server-1" {
		t.Errorf("the profiles are %+v", p.Profiles)
	}
	want := map[string]map[meter.Quantity]float64{
		"M2": {
			meter.ActivePower: 20.25, meter.ReactivePower: 5, meter.Frequency: 50.02, meter.PowerFactor: 0.97, meter.VoltageA: 230.5, meter.CurrentA: 43.5,
			meter.ActiveEnergyImport: 2,
		},
		"TR1": {meter.TopOilTemperature: 60},
	}
	for id, values := range want {
		at := slices.IndexFunc(devices, func(d drivers.Device) bool { return d.ID == id })
		if at < 0 {
			t.Fatalf("no device %s in %+v", id, p.Devices)
		}
		if devices[at].Options[optNode] != id && id == "M2" {
			t.Errorf("%s has node %q", id, devices[at].Options[optNode])
		}
		if err := d.Check(devices[at]); err != nil {
			t.Error(err)
		}
		readings, err := open(t, d, devices[at]).Read(t.Context(), 0)
		if err != nil {
			t.Error(err)
		}
		got := byQuantity(readings)
		if len(got) != len(values) {
			t.Errorf("%s: %+v", id, got)
		}
		for q, v := range values {
			if r := got[q]; r.Quality != meter.Good || r.Value < v-1e-9 || r.Value > v+1e-9 {
				t.Errorf("%s %s: %+v, want %v", id, q, r, v)
			}
		}
	}
	var left []string
	for _, u := range p.Unmatched {
		left = append(left, u.Path+": "+u.Why)
	}
	text := strings.Join(left, "\n")
	for _, name := range []string{"Substation/M1/Flux capacity", "Substation/M1/Door", "Substation/TR1/Load", "Substation/Step"} {
		if !strings.Contains(text, name) {
			t.Errorf("%s is not said to be left out:\n%s", name, text)
		}
	}
	// With the profiles that were made, nothing is made again.
	again := make(map[string]*profile.Profile)
	for _, dv := range devices {
		again[dv.Profile.Name] = dv.Profile
	}
	if p := space.Propose(again, "x"); len(p.Profiles) != 0 || len(p.Devices) != len(devices) {
		t.Errorf("%+v", p)
	}
	// A profile in another unit than the server's does not fit.
	wrong, err := profile.Parse("wrong.yaml", []byte(`
name: wrong
manufacturer: Test
model: T
source: this test
status: simulated
protocol: opcua
opcua:
  points:
    - {quantity: active_power, node: "nsu=urn:gridwarden:data;s={node}.P", scale: 0.001}
`))
	if err != nil {
		t.Fatal(err)
	}
	for _, dv := range space.Propose(map[string]*profile.Profile{"wrong": wrong}, "x").Devices {
		if dv.Profile == "wrong" {
			t.Errorf("a profile in W was taken for a node in kW: %+v", dv)
		}
	}
	t.Run("limits", func(t *testing.T) {
		for _, c := range []struct {
			limits BrowseLimits
			want   string
		}{
			{BrowseLimits{Nodes: 10}, "more than 10 nodes"},
			{BrowseLimits{Depth: 1}, "nested more than 1 deep"},
			{BrowseLimits{Root: "nsu=urn:gridwarden:data;s=M1"}, ""},
		} {
			s, err := d.Browse(t.Context(), dev, c.limits)
			if err != nil || !strings.Contains(s.Cut, c.want) || (c.want == "") != (s.Cut == "") {
				t.Errorf("%+v: %+v, %v", c.limits, s, err)
			}
		}
		if _, err := d.Browse(t.Context(), dev, BrowseLimits{Root: "nsu=urn:nobody;s=x"}); err == nil {
			t.Error("a namespace that is not there was browsed")
		}
	})
}

// TestProposeFlat divides a folder in which devices lie side by side.
func TestProposeFlat(t *testing.T) {
	o := Object{Path: []string{"All"}}
	for n := range 3 {
		for _, name := range []string{"P_total", "U1", "Serial"} {
			id := fmt.Sprintf("F%d.%s", n, name)
			o.Variables = append(o.Variables, Variable{Name: id, Node: NodeName{Text: "nsu=urn:x;s=" + id, ID: id}, Unit: map[string]string{"P_total": "W", "U1": "V"}[name]})
		}
	}
	o.Variables = append(o.Variables, Variable{Name: "F0.P", Node: NodeName{Text: "nsu=urn:x;i=5"}})
	p := (&Space{Objects: []Object{o}}).Propose(nil, "flat")
	if len(p.Devices) != 3 || len(p.Profiles) != 1 || p.Devices[1].Node != "F1" || p.Devices[1].ID != "F1" || p.Profiles[0].Points[0].Node != "nsu=urn:x;s={node}.P_total" ||
		p.Profiles[0].Points[0].Scale != 0.001 || len(p.Unmatched) != 4 {
		t.Errorf("%+v", p)
	}
	p.KnownOnly()
	if len(p.Devices) != 0 || len(p.Profiles) != 0 || len(p.Unmatched) != 7 {
		t.Errorf("%+v", p)
	}
}

// FuzzPropose makes files of any names that a server may use: they parse.
func FuzzPropose(f *testing.F) {
	f.Add("Substation", "M1", "ActivePower", "urn:x", "M1.P", "kW", int32(0))
	f.Add("a\nb", "x: y", "P_total", "urn:\"q\"", "{node}", "W", int32(5))
	f.Add("\u2028", "\xff", "U1", "", "", "", int32(-1))
	f.Add("#", "- ", "Voltage L1-N", ";s=", "A.B.C", "°F", int32(1))
	f.Fuzz(func(t *testing.T, folder, object, name, uri, id, unit string, unitID int32) {
		vars := []Variable{
			{Name: name, Node: NodeName{Text: "nsu=" + uri + ";s=" + id, ID: id}, Unit: unit, UnitID: unitID},
			{Name: "ActivePower", Node: NodeName{Text: "nsu=" + uri + ";s=" + id + ".P", ID: id + ".P"}, Unit: "kW"},
		}
		s := &Space{Objects: []Object{{Path: []string{folder, object}, Node: NodeName{ID: object}, Variables: vars}, {Path: []string{folder}, Variables: vars[:1]}}, Cut: name}
		dev := testDevice(t, "b", "127.0.0.1:4840", nil, map[string]string{optSecurity: "none"})
		p := s.Propose(nil, object)
		seen := make(map[string]bool)
		for _, d := range parsed(t, p, dev, s, nil) {
			if err := New(Options{}).Check(d); err != nil {
				t.Fatalf("%+v: %v", d, err)
			}
			if seen[d.ID] {
				t.Fatalf("two devices %q", d.ID)
			}
			seen[d.ID] = true
			for i := range d.Profile.OPCUA.Points {
				if text := strings.ReplaceAll(d.Profile.OPCUA.Points[i].Node, placeholder, d.Options[optNode]); text != vars[0].Node.Text && text != vars[1].Node.Text {
					t.Fatalf("%q is none of the nodes", text)
				}
			}
		}
	})
}
