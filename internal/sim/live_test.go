package sim

import (
	"context"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func liveOf(t *testing.T, d *District, now time.Time) *live {
	t.Helper()
	l, err := newLive(context.Background(), d, now)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// TestRippleKeepsEnergy: over a whole interval the ripple adds nothing, energy
// is the integral of power, and it never runs backwards.
func TestRippleKeepsEnergy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64().Draw(t, "seed")
		amplitude := rapid.Float64Range(0, .3).Draw(t, "amplitude")
		start := rapid.Int64Range(0, 4e9).Draw(t, "interval") / 900 * 900
		var last, integral float64
		for s := int64(0); s < 900; s++ {
			power, energy := ripple(amplitude, seed, momentOf(time.Unix(start+s, 0)))
			if energy < last || power <= 0 {
				t.Fatalf("second %d: power %v, energy %v after %v", s, power, energy, last)
			}
			if math.Abs(energy-integral) > .002 {
				t.Fatalf("second %d: energy %v, integral of power %v", s, energy, integral)
			}
			integral += power / 900
			last = energy
		}
		if math.Abs(integral-1) > .002 {
			t.Fatalf("an interval's ripple comes to %v", integral)
		}
	})
}

// TestRegistersFollowTheCurves: what a register gains in a quarter of an hour,
// also over midnight, is what the history's curve says of it.
func TestRegistersFollowTheCurves(t *testing.T) {
	d := district(t, 6, "2026-04-30", 10)
	l := liveOf(t, d, time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC))
	for _, at := range []time.Time{
		time.Date(2026, 5, 1, 10, 15, 0, 0, time.UTC), time.Date(2026, 5, 1, 23, 45, 0, 0, time.UTC),
		time.Date(2026, 5, 2, 0, 0, 0, 0, time.UTC), time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC),
	} {
		m := momentOf(at)
		e := d.env(m.date)
		for i, a := range d.areas[:8] {
			day := a.dayOf(d.seed, e)
			for k := range a.points {
				gain := l.atPoint(i, k, at.Add(15*time.Minute)).kwh - l.atPoint(i, k, at).kwh
				if want := day.points[k].Metered[m.i] / 4; math.Abs(gain-want) > 1e-6*(1+want) {
					t.Fatalf("%s at %s: register gains %v kWh, curve says %v", a.points[k].id, at, gain, want)
				}
			}
			gain := l.atTransformer(i, at.Add(15*time.Minute)).kwh - l.atTransformer(i, at).kwh
			if want := day.Metered[m.i] / 4; math.Abs(gain-want) > 1e-6*(1+want) {
				t.Fatalf("%s at %s: register gains %v kWh, curve says %v", a.id, at, gain, want)
			}
		}
	}
}

// TestRegisterHoldsTheHistory: at the end of the history the register stands
// at its initial reading and all that was registered since.
func TestRegisterHoldsTheHistory(t *testing.T) {
	d := district(t, 6, "2026-04-30", 10)
	l := liveOf(t, d, time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC))
	for k, p := range d.areas[0].points {
		want := p.initial
		for date := d.first; date <= d.last; date++ {
			want += p.dayOf(d.env(date)).Metered.sum()
		}
		if got := l.atPoint(0, k, time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)).kwh; math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s stands at %v kWh, want %v", p.id, got, want)
		}
	}
}

// TestRegistersAfterAnExport are those that are summed up without one.
func TestRegistersAfterAnExport(t *testing.T) {
	now := time.Date(2026, 5, 3, 8, 1, 2, 0, time.UTC)
	before := liveOf(t, district(t, 6, "2026-04-30", 10), now)
	d := district(t, 6, "2026-04-30", 10)
	export(t, d)
	for range 2 {
		after := liveOf(t, d, now)
		for i := range d.areas {
			if a, b := before.atTransformer(i, now).kwh, after.atTransformer(i, now).kwh; a != b {
				t.Fatalf("%s stands at %v kWh, after an export at %v kWh", d.areas[i].id, a, b)
			}
		}
	}
}

// TestLiveFarFromTheHistory: a district whose history ended long ago, or has
// not ended yet, is served too, and registers only rise.
func TestLiveFarFromTheHistory(t *testing.T) {
	d := district(t, 6, "2026-04-30", 10)
	var last float64
	for _, now := range []time.Time{
		time.Date(2026, 4, 25, 9, 0, 0, 0, time.UTC), time.Date(2026, 5, 20, 9, 0, 0, 0, time.UTC),
		time.Date(2027, 5, 20, 9, 0, 0, 0, time.UTC),
	} {
		v := liveOf(t, d, now).atTransformer(2, now)
		if v.kwh <= last || math.IsNaN(v.kw) || v.kw <= 0 {
			t.Errorf("%s: %v kWh after %v, %v kW", now, v.kwh, last, v.kw)
		}
		last = v.kwh
	}
}

// TestSecondsAddUp: at any second the transformer carries its points, lamps
// and losses, phase by phase, and values are plausible.
func TestSecondsAddUp(t *testing.T) {
	d := district(t, 9, "2026-07-31", 5)
	l := liveOf(t, d, time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC))
	for _, at := range []time.Time{time.Date(2026, 8, 1, 3, 3, 7, 0, time.UTC), time.Date(2026, 8, 1, 19, 40, 59, 0, time.UTC)} {
		m := momentOf(at)
		for i, a := range d.areas {
			v := l.atTransformer(i, at)
			day := l.today(i, m.date)
			sum := day.street[m.i] + day.line[m.i] + day.loss[m.i]
			for k, p := range a.points {
				power, _ := ripple(p.ripple, p.seed, m)
				sum += day.points[k].True[m.i] * power
				u := l.atPoint(i, k, at)
				for _, volt := range u.volt {
					if volt != 0 && (volt < 195 || volt > 250) {
						t.Errorf("%s has %v V", p.id, volt)
					}
				}
				if s := u.volt[0]*u.ampere[0] + u.volt[1]*u.ampere[1] + u.volt[2]*u.ampere[2]; math.Abs(s/1000-hypot(u.kw, u.kvar)) > 1e-6+1e-6*s {
					t.Errorf("%s: %v VA in its phases, %v kVA in all", p.id, s, hypot(u.kw, u.kvar))
				}
			}
			if a.tap != nil {
				power, _ := ripple(.01, hashString(a.id), m)
				sum += day.tap[m.i] * power
			}
			if math.Abs(v.kw-sum*a.gain) > 1e-6*sum {
				t.Errorf("%s carries %v kW, its parts %v kW", a.id, v.kw, sum*a.gain)
			}
			if p := v.phaseKW[0] + v.phaseKW[1] + v.phaseKW[2]; math.Abs(p-v.kw) > 1e-6*v.kw {
				t.Errorf("%s: phases %v kW, all %v kW", a.id, p, v.kw)
			}
			if v.oilC < v.airC-8 || v.oilC > 115 || v.hertz < 49.9 || v.hertz > 50.1 {
				t.Errorf("%s: oil %v °C, air %v °C, %v Hz", a.id, v.oilC, v.airC, v.hertz)
			}
		}
		if s := l.atSubstation(at); s.kw < 200 || s.kw > 3000 || s.volt[0] < 5700 || s.volt[0] > 6350 {
			t.Errorf("substation %+v", s)
		}
	}
}
