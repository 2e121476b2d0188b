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

func TestCardIsMonotoneWhereItClaimsTo(t *testing.T) {
	for name, card := range map[string]Card{"daily": dailyCard(), "hourly": hourlyCard(), "declared daily": declaredDailyCard(), "declared hourly": declaredHourlyCard()} {
		if len(card.Rows) < 8 {
			t.Errorf("%s card has %d rows", name, len(card.Rows))
		}
		for _, r := range card.Rows {
			for i := 1; i < len(r.Knots); i++ {
				if r.Knots[i] <= r.Knots[i-1] {
					t.Errorf("%s card, %s: knots do not rise", name, r.Factor)
				}
			}
			rises := r.Factor == StepSignificance || r.Factor == BaseHome || r.Factor == Notch || r.Factor == HourlySignificance
			for i := 1; rises && i < len(r.LogOdds); i++ {
				if r.LogOdds[i] < r.LogOdds[i-1] {
					t.Errorf("%s card, %s: more is less suspicious", name, r.Factor)
				}
			}
			if r.At(math.NaN()) != 0 {
				t.Errorf("%s card, %s: what was not measured weighs something", name, r.Factor)
			}
		}
	}
}
