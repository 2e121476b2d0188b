package stress

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

// home is a year of an ordinary home, hour by hour.
func home() accuracy.Load {
	l := accuracy.Load{ID: "H", StepMinutes: 60, First: 20_000, Days: 365, KW: make([]float64, 365*24), DeclaredUse: "dwelling", Category: "residential"}
	for i := range l.KW {
		l.KW[i] = 0.2 + 0.8*math.Max(0, math.Sin(float64(i%24-14)/24*2*math.Pi))
	}
	return l
}

func TestScenesAreWhatTheySay(t *testing.T) {
	host := home()
	kinds := append([]string{"none", "mine"}, Lookalikes()...)
	for k, kind := range kinds {
		for _, o := range []Options{{Kind: kind, Days: 30, Step: 30}, {Kind: kind, Days: 92, Step: 60, Start: 1}, {Kind: kind, Days: 14, Step: 15, Start: 2}} {
			draw := func() Scene { return New(rand.New(rand.NewPCG(uint64(k), 7)), &host, 3, o) }
			s := draw()
			if again := draw(); !reflect.DeepEqual(withoutNaN(s), withoutNaN(again)) {
				t.Errorf("%s: the same seed drew another scene", kind)
			}
			if s.Kind != kind || s.Days != o.Days || s.StepMinutes != o.Step || len(s.KW) != o.Days*24*60/o.Step || s.Host != 3 || s.Big {
				t.Errorf("%+v: drew %s, %d days of %d min in %d values", o, s.Kind, s.Days, s.StepMinutes, len(s.KW))
			}
			added := 0.0
			for i, v := range s.KW {
				if v < -1e-9 {
					t.Fatalf("%s: %v kW in interval %d", kind, v, i)
				}
				added += s.added[i]
			}
			if s.Truth.Mine != (kind == "mine") {
				t.Errorf("%s: said to be a mine: %v", kind, s.Truth.Mine)
			}
			if (added != 0) != (kind != "none") {
				t.Errorf("%s: %.1f kW intervals were added", kind, added)
			}
		}
	}
}

// withoutNaN makes scenes comparable: gaps are NaN.
func withoutNaN(s Scene) Scene {
	kw := make([]float64, len(s.KW))
	for i, v := range s.KW {
		if kw[i] = v; math.IsNaN(v) {
			kw[i] = -1
		}
	}
	s.KW = kw
	return s
}
