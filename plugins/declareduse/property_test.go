package declareduse

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// judged returns the score and finding of a scene's only point, with its curve
// where the detector asks for one. celsius replaces the scene's weather.
func judged(t interface{ Fatal(...any) }, d *Detector, m sdktest.Member, days int, celsius []float32) (float64, *sdk.Finding) {
	s := sdktest.Scene{Members: []sdktest.Member{m}, Days: days, NoReference: true}
	curves := false
	for {
		w := s.Window(d.Describe(), curves)
		w.TemperatureC = celsius
		report, err := sdk.Judge(context.Background(), d, w)
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Requests()) > 0 {
			curves = true
			continue
		}
		for _, f := range report.Findings() {
			return f.Probability, &f
		}
		return report.Scores()[m.Subject.ID], nil
	}
}

func point(use string, low, high, night float64, load sdktest.Load) sdktest.Member {
	m := sdktest.Point("u", load)
	m.Subject.Texts[sdk.AttrDeclaredUse] = use
	n := m.Subject.Numbers
	n[sdk.AttrExpectedLowKWh], n[sdk.AttrExpectedHighKWh], n[sdk.AttrExpectedNight] = low, high, night
	n[sdk.AttrContractedKVA], n[sdk.AttrPeerHighKWh] = 100, high/2
	return m
}

// winter is a temperature curve that falls to frost at its end.
func winter(days int) []float32 {
	r := rand.New(rand.NewPCG(5, 6))
	out := make([]float32, days)
	for d := range out {
		out[d] = float32(14 - 16*float64(d)/float64(days) + 2.5*r.NormFloat64())
	}
	return out
}

// TestHeatingIsNoTrade: a home that heats with electricity takes 90 kWh a day
// in the frost, twice what the catalogue has; the weather says why.
func TestHeatingIsNoTrade(t *testing.T) {
	celsius := winter(120)
	heated := func(d, q int) float64 {
		r := rand.New(rand.NewPCG(7, uint64(d*100+q)))
		return 0.3 + 0.4*r.Float64() + 0.22*math.Max(17-float64(celsius[d]), 0)*(0.9+0.2*r.Float64())
	}
	m := point("dwelling", 1, 45, 2.5, heated)
	d := New()
	blind, _ := judged(t, d, m, 120, nil)
	seeing, found := judged(t, d, m, 120, celsius)
	if seeing >= 0.01 || found != nil || blind < 2*seeing {
		t.Errorf("a heated home has %.4f with the weather and %.4f without; found %v", seeing, blind, found)
	}
	// The same energy that began one day, whatever the weather, is not heating.
	mine := point("dwelling", 1, 45, 2.5, sdktest.From(70, sdktest.Household(3), sdktest.Flat(8)))
	blind, _ = judged(t, d, mine, 120, nil)
	if p, _ := judged(t, d, mine, 120, celsius); p < 0.9*blind || p < 0.03 {
		t.Errorf("a load that was switched on in the cold has %.4f, and %.4f without the weather: taken for heating", p, blind)
	}
}

// TestSameInOtherUnits: powers, energies and contracts ten times as large give
// the same, but for bounds that are powers of real things.
func TestSameInOtherUnits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		by, flat := rapid.Float64Range(1, 20).Draw(t, "by"), rapid.Float64Range(1, 40).Draw(t, "flat")
		at := func(by float64) sdktest.Member {
			m := point("workshop", 10*by, 100*by, 0.35, func(_, q int) float64 {
				kw := 0.5 + flat
				if q >= 32 && q < 68 {
					kw += 9
				}
				return kw * by
			})
			m.Subject.Numbers[sdk.AttrContractedKVA] *= by
			return m
		}
		d := New()
		one, _ := judged(t, d, at(1), 40, nil)
		two, _ := judged(t, d, at(by), 40, nil)
		if math.Abs(one-two) > 1e-3 {
			t.Fatalf("%.4f, and %.4f at %.2f times the size", one, two, by)
		}
	})
}

// TestMoreIsNoLess: a constant load on top of a declared use never makes it
// less suspicious.
func TestMoreIsNoLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, kw := rapid.Uint64Range(0, 50).Draw(t, "seed"), rapid.Float64Range(0.5, 40).Draw(t, "kW")
		base := sdktest.Household(seed)
		d := New()
		less, _ := judged(t, d, point("computer_sales", 5, 120, 0.5, base), 40, nil)
		more, _ := judged(t, d, point("computer_sales", 5, 120, 0.5, sdktest.From(0, base, sdktest.Flat(kw))), 40, nil)
		if more < less-1e-9 {
			t.Fatalf("%.4f falls to %.4f with %.1f kW more", less, more, kw)
		}
	})
}

// TestComputerSeller is the case that the detector is for: 250 kVA contracted
// for the sale of computers, 35,000 kWh a month.
func TestComputerSeller(t *testing.T) {
	m := point("computer_sales", 5, 120, 0.5, sdktest.Flat(35_000.0/720))
	m.Subject.Numbers[sdk.AttrContractedKVA] = 250
	p, f := judged(t, New(), m, 60, nil)
	if f == nil || f.Reason != "use_not_declared" || p < 0.5 {
		t.Fatalf("probability %.3f, %v", p, f)
	}
	if want := "35000 kWh in 30 days, 20 % of what the contracted 250 kVA could give"; !strings.Contains(f.Evidence[0].Text, want) {
		t.Errorf("%q does not say %q", f.Evidence[0].Text, want)
	}
	if math.Abs(f.ExcessKWhMonth-(35_000-120*30)) > 1 {
		t.Errorf("excess %.0f kWh a month", f.ExcessKWhMonth)
	}
}

// TestHoursAboveTheContract are counted in the curve, and the tolerance is the
// utility's.
func TestHoursAboveTheContract(t *testing.T) {
	m := point("workshop", 5, 2000, 0.35, func(d, q int) float64 {
		if q >= 32 && q < 64 && d%2 == 0 {
			return 30
		}
		return 2
	})
	m.Subject.Numbers[sdk.AttrContractedKVA] = 20
	d := New()
	_, f := judged(t, d, m, 30, nil)
	if f == nil || !slices.Contains(append(f.AlsoReasons, f.Reason), "above_contracted") {
		t.Fatalf("found %v", f)
	}
	if text := f.Evidence[len(f.Evidence)-1].Text; !strings.Contains(text, "In 120 of 720 hours, on 15 days") || !strings.Contains(text, "0.95 (assumed)") {
		t.Errorf("%q does not count the hours", text)
	}
	if err := d.Configure([]byte(`{"contract_tolerance": 0.9}`)); err != nil {
		t.Fatal(err)
	}
	if _, f = judged(t, d, m, 30, nil); f != nil {
		t.Errorf("with a tolerance of 90 %%: %v", f.Evidence)
	}
}

// TestDaysAreShifted: it makes no difference which year it is.
func TestDaysAreShifted(t *testing.T) {
	d := New()
	s := sdktest.Scene{Members: []sdktest.Member{point("school", 10, 300, 0.6, sdktest.Flat(20))}, Days: 35, NoReference: true}
	w := s.Window(d.Describe(), false)
	one, err := sdk.Judge(context.Background(), d, w)
	if err != nil {
		t.Fatal(err)
	}
	w.FirstDay -= 52 * 7
	two, err := sdk.Judge(context.Background(), d, w)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := one.Findings(), two.Findings(); len(a) != 1 || len(b) != 1 || a[0].Probability != b[0].Probability || a[0].FirstDay-b[0].FirstDay != 52*7 {
		t.Errorf("%v, and a year before %v", a, b)
	}
}
