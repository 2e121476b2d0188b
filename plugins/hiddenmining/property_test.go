package hiddenmining

import (
	"context"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// judgeAll judges a scene as a host does and returns the last word on each subject.
func judgeAll(t *rapid.T, members []sdktest.Member, days int) map[string]float64 {
	d := New()
	out := map[string]float64{}
	s := sdktest.Scene{Members: members, Days: days}
	for _, curves := range []bool{false, true} {
		r, err := sdk.Judge(context.Background(), d, s.Window(d.Describe(), curves))
		if err != nil {
			t.Fatal(err)
		}
		for id, p := range r.Scores() {
			out[id] = p
		}
		for _, f := range r.Findings() {
			out[f.Subject] = f.Probability
		}
	}
	return out
}

func TestNeighboursInTheWindowDoNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var members []sdktest.Member
		for i := range 4 {
			load := sdktest.Household(rapid.Uint64Range(0, 1000).Draw(t, "seed"))
			if rapid.Bool().Draw(t, "mine") {
				load = sdktest.From(rapid.IntRange(0, 35).Draw(t, "from"), load, sdktest.Flat(rapid.Float64Range(0.5, 8).Draw(t, "kw")))
			}
			members = append(members, sdktest.Point(fmt.Sprintf("u%d", i), load))
		}
		together := judgeAll(t, members, 42)
		for id, p := range judgeAll(t, rapid.Permutation(members).Draw(t, "order"), 42) {
			if math.Abs(p-together[id]) > 1e-9 {
				t.Fatalf("%s is %v in one order and %v in another", id, together[id], p)
			}
		}
	})
}

// TestMineRaisesTheRisk adds a machine to a home: whatever its size and day,
// the home is never judged less suspicious than without it.
func TestMineRaisesTheRisk(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		home := sdktest.Household(rapid.Uint64Range(0, 1000).Draw(t, "seed"))
		kw := rapid.Float64Range(1.3, 10).Draw(t, "kw")
		day := rapid.IntRange(0, 30).Draw(t, "from")
		p := judgeAll(t, []sdktest.Member{
			sdktest.Point("without", home), sdktest.Point("with", sdktest.From(day, home, sdktest.Flat(kw))),
		}, 45)
		if p["with"] < 0.05 || p["with"] < p["without"] {
			t.Fatalf("%.1f kW from day %d: %v with the machine, %v without", kw, day, p["with"], p["without"])
		}
	})
}

// TestScale holds that a business is judged by its shape: ten times the load
// behind the same declaration changes the size of a step, not what it looks like.
func TestScale(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seed := rapid.Uint64Range(0, 1000).Draw(t, "seed")
		scale := rapid.Float64Range(5, 100).Draw(t, "scale")
		scaled := func(load sdktest.Load) sdktest.Load {
			return func(d, q int) float64 { return scale * load(d, q) }
		}
		shop := func(id string, load sdktest.Load) sdktest.Member {
			m := sdktest.Point(id, load)
			m.Subject.Texts = map[string]string{sdk.AttrCategory: "commercial", sdk.AttrDeclaredUse: "shop"}
			return m
		}
		load := sdktest.Household(seed)
		p := judgeAll(t, []sdktest.Member{shop("small", load), shop("large", scaled(load))}, 42)
		if p["small"] > 0.1 || p["large"] > 0.1 {
			t.Fatalf("an ordinary shape is suspicious: %v, and %v at %.0f times the load", p["small"], p["large"], scale)
		}
	})
}

// TestCards holds every card to what is claimed of them: a direction where
// physics gives one, a bound on what a row may say, and silence on what was
// not measured.
func TestCards(t *testing.T) {
	all := newCards()
	signs := map[Factor]float64{
		StepSignificance: 1, BaseHome: 1, Notch: 1, HourlySignificance: 1, StepUniform: 1, FlatLevel: 1, StepKW: 1,
		Roughness: -1, DayToDay: -1, StepNoise: -1, StepDrift: -1, WeekendRatio: -1, WeatherShare: -1, HourlyEven: -1, StepWeek: -1, StepAll: -1,
		ContractBase: 1, ContractPeak: 1, NightExpected: 1, LotUnits: 1, DropSize: 1,
	}
	for _, set := range []map[Class]hypotheses{all.daily, all.hourly} {
		for class, h := range set {
			for _, card := range []Card{h.begun, h.standing} {
				holdsItsClaims(t, class, &card, signs)
			}
		}
	}
}

func holdsItsClaims(t *testing.T, class Class, card *Card, signs map[Factor]float64) {
	t.Helper()
	if len(card.Rows) < 8 {
		t.Errorf("a card of %s has %d rows", class, len(card.Rows))
	}
	for _, r := range card.Rows {
		if len(r.Knots) != len(r.LogOdds) {
			t.Fatalf("%s, %s: %d knots and %d values", class, r.Factor, len(r.Knots), len(r.LogOdds))
		}
		for i, v := range r.LogOdds {
			if math.Abs(v) > 5 {
				t.Errorf("%s, %s: a row alone says %v", class, r.Factor, v)
			}
			if i > 0 && r.Knots[i] <= r.Knots[i-1] {
				t.Errorf("%s, %s: knots do not rise", class, r.Factor)
			}
			if i > 0 && signs[r.Factor]*(v-r.LogOdds[i-1]) < 0 {
				t.Errorf("%s, %s: acts against its direction", class, r.Factor)
			}
		}
		if r.At(math.NaN()) != 0 {
			t.Errorf("%s, %s: what was not measured weighs something", class, r.Factor)
		}
	}
}
