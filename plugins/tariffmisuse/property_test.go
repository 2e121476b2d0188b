package tariffmisuse

import (
	"context"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// judged returns the score and finding of a scene's only point.
func judged(t interface{ Fatal(...any) }, m sdktest.Member, change func(w *sdk.Window)) (float64, *sdk.Finding) {
	d := New()
	w := sdktest.Scene{Members: []sdktest.Member{m}, Days: 63, NoReference: true}.Window(d.Describe(), false)
	if change != nil {
		change(w)
	}
	report, err := sdk.Judge(context.Background(), d, w)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings() {
		return f.Probability, &f
	}
	return report.Scores()[m.Subject.ID], nil
}

// trade is open from nine to six, but on one day of the week.
func trade(seed uint64, kw float64) sdktest.Load {
	return func(d, q int) float64 {
		r := rand.New(rand.NewPCG(seed, uint64(d)))
		if d%7 == 2 || q < 36 || q >= 72 {
			return 0.1 * kw
		}
		return kw * (1 + 0.06*r.NormFloat64())
	}
}

func home(load sdktest.Load) sdktest.Member {
	m := sdktest.Point("u", load)
	m.Subject.Texts[sdk.AttrCurrency] = "CNY"
	m.Subject.Numbers[sdk.AttrBillBilled], m.Subject.Numbers[sdk.AttrBillCommercial] = 700, 750
	return m
}

func TestNoOrdinaryHomeIsFlagged(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, size := rapid.Uint64Range(0, 1e6).Draw(t, "seed"), rapid.Float64Range(0.3, 6).Draw(t, "size")
		base := sdktest.Household(seed)
		p, f := judged(t, home(func(d, q int) float64 { return size * base(d, q) }), nil)
		if f != nil || p > 0.02 {
			t.Fatalf("a home of %.1f times the usual size has %.4f", size, p)
		}
	})
}

func TestAShopInAHomeIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, kw := rapid.Uint64Range(0, 1e6).Draw(t, "seed"), rapid.Float64Range(4, 20).Draw(t, "kW")
		p, f := judged(t, home(sdktest.From(0, sdktest.Household(seed), trade(seed, kw))), nil)
		if f == nil || f.Reason != "commercial_use_on_residential_tariff" || p < 0.3 {
			t.Fatalf("a shop of %.1f kW in a home has %.3f, %v", kw, p, f)
		}
		if want := 8 * 0.9 * kw * 30; f.ExcessKWhMonth < 0.8*want || f.ExcessKWhMonth > 1.3*want {
			t.Fatalf("excess %.0f kWh a month, the shop takes about %.0f", f.ExcessKWhMonth, want)
		}
	})
}

// TestSizeOfTheTradeOnlyAdds: more of the same trade is never less suspicious.
func TestSizeOfTheTradeOnlyAdds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed, kw := rapid.Uint64Range(0, 1e6).Draw(t, "seed"), rapid.Float64Range(1, 10).Draw(t, "kW")
		base := sdktest.Household(seed)
		less, _ := judged(t, home(sdktest.From(0, base, trade(seed, kw))), nil)
		more, _ := judged(t, home(sdktest.From(0, base, trade(seed, 1.5*kw))), nil)
		if more < less-0.02 {
			t.Fatalf("%.3f falls to %.3f with half as much again", less, more)
		}
	})
}

// TestUnits: loads, bands and thresholds ten times as large give the same.
func TestUnits(t *testing.T) {
	score := func(by float64) float64 {
		m := home(func(d, q int) float64 { return by * (sdktest.Household(4)(d, q) + trade(4, 6)(d, q)) })
		m.Subject.Numbers[sdk.AttrPeerHighKWh] *= by
		d := &Detector{DefaultConfig()}
		d.config.BusinessKWhDay *= by
		d.config.FlatKWhDay *= by
		report, err := sdk.Judge(context.Background(), d, sdktest.Scene{Members: []sdktest.Member{m}, Days: 63, NoReference: true}.Window(d.Describe(), false))
		if err != nil || len(report.Findings()) != 1 {
			t.Fatal(err, report)
		}
		return report.Findings()[0].Probability
	}
	if one, ten := score(1), score(10); math.Abs(one-ten) > 1e-4 {
		t.Errorf("%.5f, and %.5f in watts of a tenth", one, ten)
	}
}

func TestDaysAreShifted(t *testing.T) {
	m := home(sdktest.From(0, sdktest.Household(9), trade(9, 6)))
	one, f := judged(t, m, nil)
	two, g := judged(t, m, func(w *sdk.Window) { w.FirstDay -= 364 })
	if f == nil || g == nil || one != two || f.FirstDay-g.FirstDay != 364 {
		t.Errorf("%.4f, and %.4f a year before", one, two)
	}
	// A week that begins on another day closes on another day.
	three, h := judged(t, m, func(w *sdk.Window) { w.FirstDay += 3 })
	if h == nil || math.Abs(one-three) > 1e-9 {
		t.Errorf("%.4f, and %.4f where it closes on another day", one, three)
	}
}

// TestMoneyAtStake is what the bills differ by, and never less than nothing.
func TestMoneyAtStake(t *testing.T) {
	for _, tc := range []struct {
		billed, other, stake float64
		says                 string
	}{
		{700, 750, 50, "50.00 CNY a month are at stake"},
		{900, 750, 0, "the billed tariff is the dearer one, no money is at stake"},
		{math.NaN(), 750, math.NaN(), "What is at stake is not known"},
	} {
		m := home(sdktest.From(0, sdktest.Household(9), trade(9, 6)))
		m.Subject.Numbers[sdk.AttrBillBilled], m.Subject.Numbers[sdk.AttrBillCommercial] = tc.billed, tc.other
		_, f := judged(t, m, nil)
		if f == nil {
			t.Fatal("no finding")
		}
		stake, there := f.Metrics["money_at_stake_month"]
		if there == math.IsNaN(tc.stake) || there && stake != tc.stake {
			t.Errorf("bills of %v and %v: %v at stake (%v)", tc.billed, tc.other, stake, there)
		}
		if text := f.Evidence[len(f.Evidence)-1].Text; !strings.Contains(text, tc.says) {
			t.Errorf("%q does not say %q", text, tc.says)
		}
	}
}

// TestWhatTheWeatherDoesIsNoTrade: air conditioning of working hours in a hot
// month makes a plateau too.
func TestWhatTheWeatherDoesIsNoTrade(t *testing.T) {
	celsius := make([]float32, 63)
	r := rand.New(rand.NewPCG(3, 3))
	for d := range celsius {
		celsius[d] = float32(27 + 6*math.Sin(float64(d)/6) + 1.5*r.NormFloat64())
	}
	base := sdktest.Household(12)
	cooled := home(func(d, q int) float64 {
		kw := base(d, q)
		if q >= 36 && q < 68 {
			kw += 0.5 * math.Max(float64(celsius[d])-21, 0)
		}
		return kw
	})
	blind, _ := judged(t, cooled, nil)
	seeing, f := judged(t, cooled, func(w *sdk.Window) { w.TemperatureC = celsius })
	if f != nil || seeing > 0.01 || seeing > blind {
		t.Errorf("a cooled home has %.4f with the weather and %.4f without", seeing, blind)
	}
}

func TestConfigure(t *testing.T) {
	d := New()
	if err := d.Configure([]byte(`{"business_kwh_day": 200, "report_from": 0.3}`)); err != nil {
		t.Fatal(err)
	}
	w := sdktest.Scene{Members: []sdktest.Member{home(sdktest.From(0, sdktest.Household(9), trade(9, 6)))}, Days: 63, NoReference: true}.Window(d.Describe(), false)
	report, err := sdk.Judge(context.Background(), d, w)
	if err != nil || len(report.Findings()) != 0 {
		t.Errorf("a shop of 50 kWh a day where only 200 matter: %v %v", report.Findings(), err)
	}
	err = d.Configure([]byte(`{"flat_kwh_day": 0, "report_from": 2}`))
	if err == nil || !strings.Contains(err.Error(), "flat_kwh_day") || !strings.Contains(err.Error(), "report_from") {
		t.Errorf("refused with %v", err)
	}
}
