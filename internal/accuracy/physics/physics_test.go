package physics

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/curve"
)

const testDay curve.Date = 20513 // a Sunday

func plain(category string, minutes, days int, kw float64) accuracy.Load {
	l := accuracy.Load{ID: "x", StepMinutes: minutes, First: testDay, Days: days, KW: make([]float64, days*1440/minutes), Category: category, DeclaredUse: "dwelling"}
	for i := range l.KW {
		l.KW[i] = kw
	}
	return l
}

func mined(seed uint64, category string, minutes, days int, kw float64) (before, after accuracy.Load) {
	rng := rand.New(rand.NewPCG(seed, 11))
	before = plain(category, minutes, days, kw)
	after = before.Segment(0, days)
	Mine(rng, &after, accuracy.Weather(rng, testDay, days))
	return before, after
}

func TestMinesAddWhatTheirTruthSays(t *testing.T) {
	for seed := range uint64(60) {
		category, kw := "residential", .4
		if seed%3 == 0 {
			category, kw = "commercial", 20
		}
		before, after := mined(seed, category, []int{15, 30, 60}[seed%3], 60, kw)
		truth := after.Truth
		if !truth.Mine || truth.KW < .2 || truth.KW > 120 || truth.FromDay < 0 || truth.FromDay >= 60 || truth.Make == "" || truth.Habit == "" {
			t.Fatalf("seed %d: truth %+v", seed, truth)
		}
		if math.Abs(truth.Ratio-truth.KW/kw) > 1e-9 {
			t.Errorf("seed %d: ratio %v of %v kW on %v", seed, truth.Ratio, truth.KW, kw)
		}
		peak := 0.0
		for i := range after.KW {
			d := after.KW[i] - before.KW[i]
			if d < 0 {
				t.Fatalf("seed %d: interval %d loses %v kW", seed, i, -d)
			}
			if d > 0 && i/after.PerDay() < truth.FromDay {
				t.Fatalf("seed %d: something runs on day %d, before day %d", seed, i/after.PerDay(), truth.FromDay)
			}
			peak = max(peak, d)
		}
		if added := after.KWh() - before.KWh(); !(added > 0) || added > 1.5*truth.KW*24*60 {
			t.Errorf("seed %d: %.0f kWh added by %.2f kW", seed, added, truth.KW)
		}
		if peak > 2.2*truth.KW {
			t.Errorf("seed %d: peak of %.2f kW over a size of %.2f", seed, peak, truth.KW)
		}
	}
}

// TestEvadersAreStillInTheEvening looks at the hour from 19 to 20 h, which lies
// in every evader's pause.
func TestEvadersAreStillInTheEvening(t *testing.T) {
	seen := 0
	for seed := range uint64(120) {
		before, after := mined(seed, "residential", 60, 40, .4)
		if after.Truth.Habit != string(evadesPeak) {
			continue
		}
		seen++
		for day := range 40 {
			weekend := (int(testDay)+3+day)%7 >= 5
			d := after.KW[day*24+19] - before.KW[day*24+19]
			if !weekend && d > .35*after.Truth.KW {
				t.Errorf("seed %d, day %d: %.2f of %.2f kW run in the evening", seed, day, d, after.Truth.KW)
			}
		}
	}
	if seen < 12 {
		t.Errorf("%d of 120 mines evade the peak", seen)
	}
}

func TestKindsOfMinesAllCome(t *testing.T) {
	n := map[string]int{}
	for seed := range uint64(300) {
		_, after := mined(seed, []string{"residential", "commercial"}[seed%2], 60, 40, []float64{.4, 15}[seed%2])
		x := after.Truth
		n[x.Make]++
		n[x.Habit]++
		if x.FromDay == 0 {
			n["day one"]++
		}
		if x.Ramps {
			n["lots"]++
		}
		if after.DeclaredUse == "data_centre" {
			n["cover"]++
			if after.RegisteredDC {
				t.Error("a mine under cover is registered")
			}
		}
	}
	for _, kind := range []string{"asic", "gpu", "both", "day one", "lots", "cover", string(always), string(nightOnly), string(plays), string(heatStop)} {
		if n[kind] == 0 {
			t.Errorf("no mine with %q among 300: %v", kind, n)
		}
	}
}

// TestMachinesFollowTheirPhysics holds a machine at two temperatures and clocks.
func TestMachinesFollowTheirPhysics(t *testing.T) {
	mean := func(m model, inlet, clock float64, idle bool) float64 {
		rng := rand.New(rand.NewPCG(1, 1))
		x := m.build(rng, 0)
		x.boardFaults, x.restarts, x.setAt, x.trip = 0, 0, clock, 38
		sum := 0.0
		for step := range 100 {
			sum += x.power(rng, step, inlet, idle)
		}
		return sum / 100
	}
	for _, m := range append(asics(), rig(rand.New(rand.NewPCG(4, 4)))) {
		usual := mean(m, 22, 1, false)
		sheet := (float64(m.boards)*m.boardKW + m.fixedKW) / m.supply
		if usual < .93*sheet || usual > 1.15*sheet {
			t.Errorf("%+v takes %.2f kW, its sheet says %.2f", m, usual, sheet)
		}
		if hot := mean(m, 34, 1, false); hot <= usual {
			t.Errorf("%+v takes %.3f kW at 34 °C, %.3f at 22: neither leakage nor fans", m, hot, usual)
		}
		if tripped := mean(m, 48, 1, false); tripped > .9*usual {
			t.Errorf("%+v does not slow down at 48 °C: %.2f kW of %.2f", m, tripped, usual)
		}
		if slow := mean(m, 22, .8, false); slow > .75*usual || slow < .4*usual {
			t.Errorf("%+v at four fifths of the clock takes %.2f kW of %.2f", m, slow, usual)
		}
		if idle := mean(m, 22, 1, true); idle > .35*usual {
			t.Errorf("%+v idles at %.2f kW of %.2f", m, idle, usual)
		}
	}
}

func TestABoardThatDropsOutTakesItsShare(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 2))
	m := asics()[4].build(rng, 0)
	m.boardFaults, m.restarts = 0, 0
	whole := m.power(rng, 0, 20, false)
	m.backAt[1] = 10
	if part := m.power(rng, 1, 20, false); part < .6*whole || part > .76*whole {
		t.Errorf("two of three boards take %.2f kW of %.2f", part, whole)
	}
	if back := m.power(rng, 10, 20, false); math.Abs(back-whole) > .02*whole {
		t.Errorf("with the board back it takes %.2f kW of %.2f", back, whole)
	}
}

func TestFlatLoads(t *testing.T) {
	in := Injector()
	if len(in.Flats) != 9 {
		t.Fatalf("%d kinds", len(in.Flats))
	}
	for _, f := range in.Flats {
		declared, later := 0, 0
		const tries = 40
		for seed := range uint64(tries) {
			rng := rand.New(rand.NewPCG(seed, 12))
			category, kw := "residential", .4
			if seed%2 == 0 {
				category, kw = "commercial", 20
			}
			l := plain(category, 30, 40, kw)
			f.Add(rng, &l, accuracy.Weather(rng, testDay, 40))
			x := l.Truth
			if x.Mine || x.Flat != f.Kind || !(x.KW > 0) || x.KW > 120 {
				t.Fatalf("%s, seed %d: truth %+v", f.Kind, seed, x)
			}
			for i, v := range l.KW {
				if !(v >= 0) {
					t.Fatalf("%s, seed %d: interval %d is %v", f.Kind, seed, i, v)
				}
				if i/48 < x.FromDay && v != kw {
					t.Fatalf("%s, seed %d: something runs before day %d", f.Kind, seed, x.FromDay)
				}
			}
			if x.FromDay > 0 {
				later++
			}
			if l.DeclaredUse != "dwelling" {
				declared++
				if (l.DeclaredUse == "data_centre") != l.RegisteredDC {
					t.Errorf("%s: declared %q, registered %v", f.Kind, l.DeclaredUse, l.RegisteredDC)
				}
			}
		}
		if later < tries/5 || later > tries*4/5 {
			t.Errorf("%s: %d of %d begin within the window, want about half", f.Kind, later, tries)
		}
		if declarable := f.Kind != "heat_pump" && f.Kind != "ev_charger" && f.Kind != "growing_business"; declarable && declared < tries*6/10 || !declarable && declared > 0 {
			t.Errorf("%s: %d of %d are declared", f.Kind, declared, tries)
		}
	}
}

// TestFlatLoadsFollowWhatTheyAreMadeOf compares a cold with a warm spell.
func TestFlatLoadsFollowWhatTheyAreMadeOf(t *testing.T) {
	at := func(build site, celsius float64) float64 {
		s := &setup{temp: make([]float64, 20*24), steps: 20 * perDay, size: 3, host: make([]float64, 20*perDay)}
		for i := range s.temp {
			s.temp[i] = celsius
		}
		sum := 0.0
		kw := build(rand.New(rand.NewPCG(3, 3)), s)
		for _, v := range kw {
			sum += v
		}
		return sum / float64(len(kw))
	}
	for name, f := range map[string]site{"cold store": coldStore, "mast": telecomMast, "shop": shopAllDay, "data room": dataRoom} {
		if cold, warm := at(f, 2), at(f, 27); warm <= 1.02*cold {
			t.Errorf("%s takes %.2f kW at 2 °C and %.2f at 27", name, cold, warm)
		}
	}
	if cold, warm := at(heatPump, -2), at(heatPump, 20); cold < 3*warm {
		t.Errorf("a heat pump takes %.2f kW at −2 °C and %.2f at 20", cold, warm)
	}
}
