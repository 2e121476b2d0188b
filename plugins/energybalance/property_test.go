package energybalance

import (
	"context"
	"fmt"
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

func judge(t *rapid.T, area sdktest.Member, members []sdktest.Member) *sdk.Report {
	d := New()
	s := sdktest.Scene{Members: append([]sdktest.Member{area}, members...), Days: 35, NoReference: true}
	r, err := sdk.Judge(context.Background(), d, s.Window(d.Describe(), true))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOrderOfMembersDoesNotMatter steals from one member's meter and judges
// the area with its members in two orders.
func TestOrderOfMembersDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var honest, shown []sdktest.Member
		thief := rapid.IntRange(0, 5).Draw(t, "thief")
		for i := range 6 {
			load := sdktest.Household(uint64(i) + rapid.Uint64Range(0, 50).Draw(t, "seed")*10)
			honest = append(honest, sdktest.Point(fmt.Sprintf("u%d", i), load))
			if i == thief {
				load = func(d, q int) float64 {
					if d < 14 {
						return honest[i].Load(d, q)
					}
					return 0.4 * honest[i].Load(d, q)
				}
			}
			shown = append(shown, sdktest.Point(fmt.Sprintf("u%d", i), load))
		}
		total := sdktest.Sum(honest)
		area := sdktest.Area("t", 50, func(d, q int) float64 { return total(d, q) + 0.13 })
		area.Subject.Numbers = map[string]float64{sdk.AttrRatedKVA: 50, sdk.AttrNoLoadLossW: 130, sdk.AttrLoadLossW: 870}
		first, second := judge(t, area, shown), judge(t, area, rapid.Permutation(shown).Draw(t, "order"))
		if len(first.Findings()) != len(second.Findings()) {
			t.Fatalf("%d findings in one order, %d in another", len(first.Findings()), len(second.Findings()))
		}
		for id, p := range first.Scores() {
			if math.Abs(second.Scores()[id]-p) > 1e-6 {
				t.Fatalf("%s is %v in one order and %v in another", id, p, second.Scores()[id])
			}
		}
		for _, f := range first.Findings() {
			for _, s := range f.Suspects {
				if s.Subject != fmt.Sprintf("u%d", thief) {
					t.Fatalf("u%d stole and %s is suspected", thief, s.Subject)
				}
			}
		}
	})
}
