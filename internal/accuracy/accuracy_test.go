package accuracy

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/hiddenmining"
)

func TestMetrics(t *testing.T) {
	if got := AUC([]float64{3, 2}, []float64{1, 2}); got != 0.875 {
		t.Errorf("AUC = %v, want 0.875", got)
	}
	if got := PrecisionAt(2, []float64{3, 1}, []float64{2, 0}); got != 0.5 {
		t.Errorf("precision at 2 = %v, want 0.5", got)
	}
	if got := PrecisionAt(2, []float64{1, 1}, []float64{1, 1}); got != 0 {
		t.Errorf("a constant score has precision %v, want 0", got)
	}
}

func TestAUCProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 30)
		a, b := scores.Draw(t, "a"), scores.Draw(t, "b")
		if d := AUC(a, b) + AUC(b, a) - 1; math.Abs(d) > 1e-9 {
			t.Fatalf("AUC and its mirror image miss 1 by %v", d)
		}
	})
}

// plainLoads are made-up homes: a base, a morning and an evening.
func plainLoads(n, days int) []Load {
	out := make([]Load, n)
	for k := range out {
		rng := rand.New(rand.NewPCG(uint64(k), 3))
		l := Load{ID: "home", StepMinutes: 60, First: 20000, Days: days, KW: make([]float64, days*24), DeclaredUse: "dwelling", Category: "residential"}
		for i := range l.KW {
			h := float64(i % 24)
			l.KW[i] = 0.1 + 0.1*rng.Float64() + rng.Float64()*(0.4*math.Exp(-(h-7)*(h-7)/4)+1.2*math.Exp(-(h-19)*(h-19)/6))
		}
		out[k] = l
	}
	return out
}

func TestInjectorsKeepTheirTruth(t *testing.T) {
	for name, miner := range map[string]Miner{"units": UnitMiner, "rigs": RigMiner} {
		for seed := range 40 {
			rng := rand.New(rand.NewPCG(uint64(seed), 1))
			host := plainLoads(1, 60)[0]
			l := host.Segment(0, 60)
			miner(rng, &l, Weather(rng, l.First, l.Days))
			truth := l.Truth
			if !truth.Mine || truth.KW < 0.3 || truth.FromDay < 0 || truth.FromDay >= 60 {
				t.Fatalf("%s, seed %d: truth %+v", name, seed, truth)
			}
			added := 0.0
			for i := range l.KW {
				d := l.KW[i] - host.KW[i]
				if i < truth.FromDay*24 && d != 0 {
					t.Fatalf("%s, seed %d: load added on day %d, before the onset on %d", name, seed, i/24, truth.FromDay)
				}
				added += d
			}
			if added <= 0 || added > 1.3*truth.KW*float64(len(l.KW)) {
				t.Errorf("%s, seed %d: %.0f kWh added by %.1f kW", name, seed, added, truth.KW)
			}
		}
	}
	for _, kind := range FlatKinds() {
		rng := rand.New(rand.NewPCG(9, 9))
		l := plainLoads(1, 60)[0]
		before := l.MeanKW()
		AddFlat(rng, kind, &l, Weather(rng, l.First, l.Days))
		if l.Truth.Flat != kind || !(l.MeanKW() > before) {
			t.Errorf("%s adds nothing: %+v", kind, l.Truth)
		}
	}
}

// TestTrainFindsTheDirection learns from examples whose one telling factor is known.
func TestTrainFindsTheDirection(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var examples []Example
	for range 2000 {
		mine := rng.IntN(2) == 0
		x := rng.NormFloat64()
		if mine {
			x++
		}
		examples = append(examples, Example{map[hiddenmining.Factor]float64{hiddenmining.StepSignificance: x, hiddenmining.Roughness: rng.NormFloat64()}, mine, 1})
	}
	card := Train(examples, []Direction{{hiddenmining.StepSignificance, 1}, {hiddenmining.Roughness, -1}}, 1e-4)
	low := card.Score(map[hiddenmining.Factor]float64{hiddenmining.StepSignificance: -0.5, hiddenmining.Roughness: 0})
	high := card.Score(map[hiddenmining.Factor]float64{hiddenmining.StepSignificance: 1.5, hiddenmining.Roughness: 0})
	// For unit normals one apart the log-likelihood ratio is x − ½.
	if math.Abs(low+1) > 0.4 || math.Abs(high-1) > 0.4 {
		t.Errorf("scores %.2f and %.2f, want about −1 and 1", low, high)
	}
}

func TestReadWide(t *testing.T) {
	file := filepath.Join(t.TempDir(), "loads.csv")
	header, row := "meter_id,date", "m1,2026-01-01"
	for range 24 {
		header += ",p"
		row += ",0.5"
	}
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(header + "\n" + row + "\nm1,2026-01-03" + row[len("m1,2026-01-01"):] + "\n")
	loads, err := ReadWide(file)
	if err != nil || len(loads) != 1 || loads[0].Days != 3 || loads[0].KW[0] != 0.5 || !math.IsNaN(loads[0].KW[24]) || loads[0].First != mustDate(t, "2026-01-01") {
		t.Fatalf("loads %+v, error %v", loads, err)
	}
	for _, bad := range []string{"", "a,b\n", header + "\nm1,2026-13-01" + row[len("m1,2026-01-01"):] + "\n", header + "\nm1,2026-01-01,x\n"} {
		write(bad)
		if loads, err := ReadWide(file); err == nil && len(loads) > 0 {
			t.Errorf("%q was read as %d loads", bad, len(loads))
		}
	}
}

func mustDate(t *testing.T, s string) curve.Date {
	t.Helper()
	d, err := curve.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
