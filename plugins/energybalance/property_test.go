package energybalance

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// household is a load of which no day and no neighbour's is alike.
func household(seed uint64) sdktest.Load {
	r := rand.New(rand.NewPCG(seed*0x9e3779b97f4a7c15, 0x632be59bd9b4e019))
	kw := make([]float64, 60*96)
	for t := range kw {
		h := float64(t%96) / 4
		kw[t] = 0.15 + 0.2*r.Float64() + 1.5*r.Float64()*math.Exp(-(h-19)*(h-19)/8)
	}
	return func(d, q int) float64 { return kw[d*96+min(q, 95)] }
}

// theft is an area of seven of whom the thief's meter shows 40 % from day 14 on.
func theft(seed uint64, thief int, scale float64, shift int) []sdktest.Member {
	var honest, shown []sdktest.Member
	for i := range 7 {
		base := household(seed*10 + uint64(i))
		load := func(d, q int) float64 { return scale * base(d+shift, q) }
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
	area := sdktest.Area("t", 50*scale, func(d, q int) float64 { return total(d, q) + 0.13*scale })
	area.Subject.Numbers = map[string]float64{sdk.AttrRatedKVA: 50 * scale, sdk.AttrNoLoadLossW: 130 * scale, sdk.AttrLoadLossW: 870 * scale}
	return append([]sdktest.Member{area}, shown...)
}

func judge(t *testing.T, members []sdktest.Member) *sdk.Report {
	t.Helper()
	s := sdktest.Scene{Members: members, Days: 35, NoReference: true}
	r, err := sdk.Judge(context.Background(), New(), s.Window(New().Describe(), true))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func suspects(r *sdk.Report) map[string]bool {
	out := map[string]bool{}
	for _, f := range r.Findings() {
		for _, s := range f.Suspects {
			if s.Probability >= 0.5 {
				out[s.Subject] = true
			}
		}
	}
	return out
}

func TestThiefIsNamedWhateverUnitAndDay(t *testing.T) {
	for _, tt := range []struct {
		name  string
		seed  uint64
		thief int
		scale float64
		shift int
	}{{"as it is", 1, 2, 1, 0}, {"another", 2, 5, 1, 0}, {"twenty times the power", 1, 2, 20, 0}, {"two weeks later", 3, 0, 1, 14}} {
		t.Run(tt.name, func(t *testing.T) {
			got := suspects(judge(t, theft(tt.seed, tt.thief, tt.scale, tt.shift)))
			if id := fmt.Sprintf("u%d", tt.thief); len(got) != 1 || !got[id] {
				t.Errorf("%s stole and %v are suspected", id, got)
			}
		})
	}
}

func TestOrderOfMembersDoesNotMatter(t *testing.T) {
	members := theft(4, 3, 1, 0)
	first := judge(t, members)
	for i := 1; i <= 3; i++ {
		members[i], members[8-i] = members[8-i], members[i]
	}
	second := judge(t, members)
	if len(first.Findings()) != len(second.Findings()) {
		t.Fatalf("%d findings in one order, %d in another", len(first.Findings()), len(second.Findings()))
	}
	for id, p := range first.Scores() {
		if math.Abs(second.Scores()[id]-p) > 1e-6 {
			t.Errorf("%s is %v in one order and %v in another", id, p, second.Scores()[id])
		}
	}
}

func TestDeclaredLoadIsNoFinding(t *testing.T) {
	members := theft(5, -1, 1, 0)
	load := members[0].Load
	members[0].Load = func(d, q int) float64 { return load(d, q) + 2.5 }
	members[0].Subject.Numbers[sdk.AttrUnmeteredKW] = 2.5
	if r := judge(t, members); len(r.Findings()) > 0 {
		t.Errorf("a load that the records hold is found: %+v", r.Findings())
	}
	delete(members[0].Subject.Numbers, sdk.AttrUnmeteredKW)
	r := judge(t, members)
	if len(r.Findings()) == 0 || len(suspects(r)) > 0 {
		t.Errorf("a load that no record holds gives %d findings and the suspects %v", len(r.Findings()), suspects(r))
	}
}

func TestDoubtLowersASuspicion(t *testing.T) {
	members := theft(1, 2, 1, 0)
	before := judge(t, members)
	members[3].Subject.Numbers[sdk.AttrMappingDoubt] = 0.95
	after := judge(t, members)
	score := func(r *sdk.Report) float64 {
		p := r.Scores()["u2"]
		for _, f := range r.Findings() {
			if f.Subject == "u2" {
				p = max(p, f.Probability)
			}
		}
		return p
	}
	if score(after) >= score(before) {
		t.Errorf("the thief is at %.3f and, when it is doubtful that he is here, at %.3f", score(before), score(after))
	}
}

func TestNothingToBalance(t *testing.T) {
	unmetered := theft(1, 2, 1, 0)
	unmetered[0].Subject.HasMeter = false
	silent := theft(1, 2, 1, 0)
	for i := range silent {
		silent[i].Load = sdktest.Nothing()
	}
	for name, members := range map[string][]sdktest.Member{"no meter": unmetered, "no data": silent} {
		if r := judge(t, members); len(r.Findings()) > 0 {
			t.Errorf("%s: %d findings", name, len(r.Findings()))
		}
	}
}
