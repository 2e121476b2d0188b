package probe

import (
	"hash/maphash"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// TestOrders finds meters whose words or bytes are exchanged.
func TestOrders(t *testing.T) {
	all := everything(t)
	driver := driver(t)
	for _, name := range []string{"eastron-sdm630", "schneider-iem3x55", "carlo-gavazzi-em24", "sim-3p-float", "abb-b23-b24", "janitza-umg96rm", "sim-3p-int"} {
		for _, o := range profile.Orders() {
			t.Run(name+" "+string(o), func(t *testing.T) {
				t.Parallel()
				p := all[name].Reordered(o)
				d := newDevice(t)
				d.lay(t, p, load())
				r, err := d.probe(t, driver, Options{Profiles: all})
				if err != nil {
					t.Fatal(err)
				}
				want := name
				if o != all[name].Modbus.Order {
					want += " with order " + string(o)
				}
				if !meant(r, want) {
					t.Errorf("%s is not proposed: %s", want, dump(r))
				}
				if r.Proposal != nil && r.Proposal.Name() == want && (o == all[name].Modbus.Order) != (len(r.Proposal.Options) == 0) {
					t.Errorf("%v", r.Proposal.Options)
				}
			})
		}
	}
}

// TestNothingFits gives no confidence to devices that none of the profiles
// describes.
func TestNothingFits(t *testing.T) {
	all := everything(t)
	driver := driver(t)
	var seeds [6]maphash.Seed
	for i := range seeds {
		seeds[i] = maphash.MakeSeed()
	}
	random := func(i int) func(place) uint16 {
		return func(at place) uint16 { return uint16(maphash.Comparable(seeds[i], at)) }
	}
	for name, any := range map[string]func(place) uint16{
		"random": random(0), "other random": random(1), "third random": random(2),
		"random and small":    func(at place) uint16 { return random(3)(at) % 300 },
		"random around 2300":  func(at place) uint16 { return 2200 + random(4)(at)%200 },
		"random bits of text": func(at place) uint16 { return 0x2020 | random(5)(at) },
		"zeros":               func(place) uint16 { return 0 },
		"ones":                func(place) uint16 { return 1 },
		"all bits":            func(place) uint16 { return 0xFFFF },
		"addresses":           func(at place) uint16 { return at.address },
		"2300":                func(place) uint16 { return 2300 },
		"230.0 as floats":     func(at place) uint16 { return [2]uint16{0x4366, 0}[at.address%2] },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := newDevice(t)
			d.any = any
			r, err := d.probe(t, driver, Options{Profiles: all})
			if err != nil {
				t.Fatal(err)
			}
			if r.Proposal != nil || !strings.Contains(r.Conclusion, "fits") && !strings.Contains(r.Conclusion, "ambiguous") {
				t.Errorf("proposed: %s", dump(r))
			}
			if r.Candidates[0].Verdict != None && r.Candidates[0].Verdict != Weak {
				t.Errorf("confident: %s", dump(r))
			}
			t.Logf("%s, %d requests", r.Conclusion, r.Requests)
		})
	}
}

// TestWrongMap tells of a device that refuses everything.
func TestWrongMap(t *testing.T) {
	d := newDevice(t)
	d.set(3, 7777, 1)
	r, err := d.probe(t, driver(t), Options{Profiles: everything(t)})
	if err != nil {
		t.Fatal(err)
	}
	if r.Proposal != nil || r.Refused != r.Requests || !strings.HasPrefix(r.Conclusion, "None of the profiles fits") {
		t.Error(dump(r))
	}
	if c := r.Candidates[0].Checks[0]; c.Passed || !strings.Contains(c.Detail, "the device refuses") || !strings.Contains(c.Detail, "illegal data address") {
		t.Errorf("%+v", c)
	}
}

// TestSilence gives up a device that never answers, and goes on with one that
// is silent where it should refuse.
func TestSilence(t *testing.T) {
	all := everything(t)
	mute := newDevice(t)
	mute.silent = func(place) bool { return true }
	began := time.Now()
	if _, err := mute.probe(t, driver(t), Options{Profiles: all}); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	few := map[string]*profile.Profile{"eastron-sdm630": all["eastron-sdm630"], "abb-b23-b24": all["abb-b23-b24"], "sim-3p-int": all["sim-3p-int"]}
	shy := newDevice(t)
	shy.lay(t, all["eastron-sdm630"], load())
	shy.silent = func(at place) bool { return at.function == 3 }
	r, err := shy.probe(t, driver(t), Options{Profiles: few})
	if err != nil {
		t.Fatal(err)
	}
	if !meant(r, "eastron-sdm630") || r.Unanswered == 0 {
		t.Error(dump(r))
	}
}

// TestRequestsAreBounded stops where it was told to.
func TestRequestsAreBounded(t *testing.T) {
	d := newDevice(t)
	d.lay(t, everything(t)["eastron-sdm630"], load())
	r, err := d.probe(t, driver(t), Options{Profiles: everything(t), Requests: 5})
	if err != nil {
		t.Fatal(err)
	}
	if r.Requests != 5 || d.requests != 5 || !strings.Contains(r.Stopped, "5 were made") {
		t.Error(dump(r))
	}
}

// TestSunSpec finds a meter behind an inverter, where no file says it is.
func TestSunSpec(t *testing.T) {
	all := everything(t)
	p, err := all["sunspec-203"].Rebased(40188)
	if err != nil {
		t.Fatal(err)
	}
	d := newDevice(t)
	d.lay(t, p, load())
	d.set(3, 40000, 0x5375, 0x6E53, 1, 65)
	for i := range uint16(65) {
		d.set(3, 40004+i, 0)
	}
	d.set(3, 40004, 0x4163, 0x6D65) // Acme
	d.set(3, 40069, 103, 117)       // an inverter of 117 registers, which nobody reads
	d.set(3, 40188, 203, 105)
	d.set(3, 40188+107, 0xFFFF, 0)
	r, err := d.probe(t, driver(t), Options{Profiles: all})
	if err != nil {
		t.Fatal(err)
	}
	if r.Proposal == nil || r.Proposal.Name() != "sunspec-203 at base 40188" || r.Proposal.Verdict != Identified || r.Proposal.Options[profile.OptionBase] != "40188" {
		t.Fatal(dump(r))
	}
	if id := r.Proposal.Identity; len(id) < 2 || id[1].Text != "Acme" {
		t.Errorf("%+v", id)
	}
	if r.Requests > 40 {
		t.Errorf("%d requests", r.Requests)
	}
}

// TestIdentityIsNotBelievedAlone looks for others where a code fits and the
// values do not.
func TestIdentityIsNotBelievedAlone(t *testing.T) {
	all := everything(t)
	d := newDevice(t)
	d.lay(t, all["eastron-sdm630"], load())
	p := all["carlo-gavazzi-em24"]
	d.identify(p)
	for group := range p.Groups() {
		for _, b := range p.Modbus.Blocks(group) {
			for i := range b.Count {
				d.set(b.Table.Function(), b.Address+i, 0x4B1D+31*i)
			}
		}
	}
	d.lay(t, all["eastron-sdm630"], load())
	r, err := d.probe(t, driver(t), Options{Profiles: all})
	if err != nil {
		t.Fatal(err)
	}
	if r.Proposal != nil && r.Proposal.Profile == "carlo-gavazzi-em24" {
		t.Error(dump(r))
	}
}

// TestFallingEnergy turns down a device whose energy falls between two reads.
func TestFallingEnergy(t *testing.T) {
	all := everything(t)
	p := all["sim-3p-float"]
	values := load()
	check := func(change float64) (*Report, Check) {
		t.Helper()
		d := newDevice(t)
		d.lay(t, p, values)
		reads := 0
		d.silent = func(at place) bool { // called for each request, with the lock held
			if at.function != p.Modbus.Points[0].Table.Function() {
				return false
			}
			if reads++; reads == 2 {
				later := load()
				later[meter.ActiveEnergyImport] += change
				for i := range p.Modbus.Points {
					d.put(t, &p.Modbus.Points[i], later)
				}
			}
			return false
		}
		r, err := d.probe(t, driver(t), Options{Profiles: map[string]*profile.Profile{p.Name: p}})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range r.Candidates[0].Checks {
			if c.Name == "energy rises" {
				return r, c
			}
		}
		t.Fatalf("energy was not looked at again: %s", dump(r))
		return nil, Check{}
	}
	if r, c := check(-5); c.Passed || !strings.Contains(c.Detail, "fell from") || r.Proposal != nil {
		t.Error(dump(r))
	}
	if r, c := check(50); c.Passed || !strings.Contains(c.Detail, "more than the power allows") {
		t.Error(dump(r))
	}
	if r, c := check(0.02); !c.Passed || c.Points != 10 || r.Proposal == nil {
		t.Error(dump(r))
	}
}
