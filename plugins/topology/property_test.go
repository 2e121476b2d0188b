package topology

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
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

// scene is an area of ten households of which the second hangs elsewhere.
func scene(scale float64, shift int) sdktest.Scene {
	var here, recorded []sdktest.Member
	for i := range 10 {
		load := household(uint64(i))
		p := sdktest.Point(fmt.Sprintf("u%d", i), func(d, q int) float64 { return scale * load(d+shift, q) })
		recorded = append(recorded, p)
		if i != 1 {
			here = append(here, p)
		}
	}
	total := sdktest.Sum(here)
	area := sdktest.Area("t", 50*scale, func(d, q int) float64 { return total(d, q) + 0.13*scale })
	area.Subject.Numbers = map[string]float64{sdk.AttrRatedKVA: 50 * scale, sdk.AttrNoLoadLossW: 130 * scale, sdk.AttrLoadLossW: 870 * scale}
	return sdktest.Scene{Members: append([]sdktest.Member{area}, recorded...), Days: 35, NoReference: true}
}

func doubts(t *testing.T, s sdktest.Scene) map[string]float64 {
	t.Helper()
	r, err := sdk.Judge(context.Background(), New(), s.Window(New().Describe(), true))
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for id, m := range r.Measures() {
		out[id] = m[sdk.AttrMappingDoubt]
	}
	return out
}

func TestWhoHangsElsewhereIsDoubted(t *testing.T) {
	for _, tt := range []struct {
		name  string
		scale float64
		shift int
	}{{"as it is", 1, 0}, {"ten times the power", 10, 0}, {"two weeks later", 1, 14}} {
		t.Run(tt.name, func(t *testing.T) {
			got := doubts(t, scene(tt.scale, tt.shift))
			for i := range 10 {
				id := fmt.Sprintf("u%d", i)
				if p := got[id]; (p > 0.9) != (i == 1) {
					t.Errorf("%s is doubted at %.3f; only u1 hangs elsewhere", id, p)
				}
			}
		})
	}
}

func TestOrderOfMembersDoesNotMatter(t *testing.T) {
	s := scene(1, 0)
	want := doubts(t, s)
	for i := 1; i <= 5; i++ {
		s.Members[i], s.Members[11-i] = s.Members[11-i], s.Members[i]
	}
	for id, p := range doubts(t, s) {
		if math.Abs(p-want[id]) > 1e-6 {
			t.Errorf("%s is doubted at %v in one order and %v in another", id, want[id], p)
		}
	}
}

func TestWithoutAMeterOrDataNothingIsSaid(t *testing.T) {
	none := scene(1, 0)
	none.Members[0].Subject.HasMeter = false
	lone := scene(1, 0)
	lone.Members = lone.Members[:2]
	lone.Members[1].Load = sdktest.Nothing()
	for name, s := range map[string]sdktest.Scene{"no transformer meter": none, "one member without data": lone} {
		if got := doubts(t, s); len(got) > 0 {
			t.Errorf("%s: measured %v", name, got)
		}
	}
}

// withVoltages gives the window's members a voltage each: the feeder's, less
// the drop in their phase.
func withVoltages(w *sdk.Window, phaseOf func(i int) int) {
	r := rand.New(rand.NewPCG(1, 9))
	n := w.Curves[0].Intervals()
	var phase [3][]float64
	for p := range phase {
		phase[p] = make([]float64, n)
	}
	feeder := 0.0
	for t := range n {
		feeder = 0.95*feeder + 0.3*r.NormFloat64()
		for p := range phase {
			phase[p][t] = 231 + feeder + r.NormFloat64()
		}
	}
	for i := range w.Curves {
		v := make([]float32, n)
		for t := range v {
			v[t] = float32(phase[phaseOf(i)][t] + 0.4*r.NormFloat64())
		}
		w.Curves[i].Columns[meter.VoltageA] = v
	}
}

func TestPhaseThatDiffers(t *testing.T) {
	s := scene(1, 0)
	for i := range s.Members {
		s.Members[i].Subject.Texts = map[string]string{sdk.AttrPhase: phaseNames[i%3]}
	}
	w := s.Window(New().Describe(), true)
	withVoltages(w, func(i int) int {
		if i == 4 {
			return 2 // the records say B
		}
		return i % 3
	})
	r, err := sdk.Judge(context.Background(), New(), w)
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < len(w.Subjects); i++ {
		id := w.Subjects[i].ID
		if p := r.Measures()[id][sdk.AttrPhaseDoubt]; (p > 0.9) != (i == 4) {
			t.Errorf("%s: doubt of the phase %.3f", id, p)
		}
	}
}
