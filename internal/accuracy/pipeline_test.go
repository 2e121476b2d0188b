package accuracy

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gridwarden/gridwarden/internal/sim"
)

// TestDistrict judges a simulated district through the files that it exports:
// the figures that the README promises, at a seed that nothing was tuned on.
func TestDistrict(t *testing.T) {
	ctx := context.Background()
	d, err := sim.New(sim.Config{Seed: 77, Until: mustDate(t, "2026-05-31"), Days: 60})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := d.Export(ctx, dir, nil); err != nil {
		t.Fatal(err)
	}
	r, err := ScanExport(ctx, dir, 0, 0.01)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Failed) > 0 {
		t.Fatalf("detectors failed: %+v", r.Failed)
	}
	var risks []float64
	risk := map[string]float64{}
	for _, u := range r.UsagePoints {
		risks = append(risks, u.Risk)
		risk[u.UsagePointID] = u.Risk
	}
	slices.Sort(risks)
	limit := risks[len(risks)-15]
	found, planted := 0, map[string]bool{}
	for _, p := range d.Truth() {
		planted[p.UsagePointID] = true
		switch {
		case p.Expect == sim.ExpectFlag && risk[p.UsagePointID] >= limit:
			found++
		case p.Expect == sim.ExpectClear && risk[p.UsagePointID] >= 0.5:
			t.Errorf("%s is accused at a risk of %.2f", p.Story, risk[p.UsagePointID])
		case p.Expect == sim.ExpectTransformer:
			for _, a := range r.Transformers {
				if a.TransformerID == p.TransformerID && !slices.Contains(a.Verdicts, p.Verdict) {
					t.Errorf("%s: verdicts %v, want %s", p.Story, a.Verdicts, p.Verdict)
				}
				if a.TransformerID == p.TransformerID && p.Story == "direct_tap" && len(a.Suspects) > 0 {
					t.Errorf("the direct tap accuses %v", a.Suspects)
				}
			}
		}
	}
	if found < 9 {
		t.Errorf("%d planted customers among the 15 highest risks, want 9 of 12", found)
	}
	innocent := 0
	for id, p := range risk {
		if p >= 0.5 && !planted[id] {
			innocent++
		}
	}
	if innocent > 3 {
		t.Errorf("%d innocents at or above 0.5, want at most 3", innocent)
	}
}

// TestMinesAmongMadeUpHomes is the bench in small, on loads of the repository's own.
func TestMinesAmongMadeUpHomes(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 4))
	loads := Trial(rng, plainLoads(120, 60), Condition{Minutes: 60, Days: 60, Step: .001}, Mix{Mines: 0.1, Flats: 0.1, Injector: Shapes()})
	risks, _, err := JudgeLoads(context.Background(), loads, 0.01)
	if err != nil {
		t.Fatal(err)
	}
	var mines, rest []float64
	for i := range loads {
		if loads[i].Truth.Mine {
			mines = append(mines, risks[i])
		} else {
			rest = append(rest, risks[i])
		}
	}
	if auc := AUC(mines, rest); len(mines) != 12 || auc < 0.9 {
		t.Errorf("AUC %.3f over %d mines, want 0.9 over 12", auc, len(mines))
	}
}

func TestTheftBehindMadeUpAreas(t *testing.T) {
	a, err := NewAreas(context.Background(), rand.New(rand.NewPCG(2, 2)), plainLoads(80, 60), AreaOptions{Areas: 40, Days: 42, StepMinutes: 60})
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Judge(context.Background(), 0.01)
	if err != nil {
		t.Fatal(err)
	}
	taps, missed, accused := 0, 0, 0
	for _, area := range r.Transformers {
		truth := a.Truth[area.TransformerID]
		if truth.Culprit == "" && len(area.Suspects) > 0 {
			accused++
			t.Logf("%s: nobody of the members stole (%+v) and %v are suspected", area.TransformerID, truth, area.Suspects)
		}
		if truth.Theft == "direct_tap" && truth.FromDay > 0 && truth.Share > 0.05 {
			taps++
			if !slices.Contains(area.Verdicts, "unmetered_load") && !slices.Contains(area.Verdicts, "theft") {
				missed++
				t.Logf("%s: tap of %.1f kW has verdicts %v", area.TransformerID, truth.KW, area.Verdicts)
			}
		}
	}
	if taps == 0 || 4*missed > taps || accused > 2 {
		t.Errorf("%d taps of which %d are missed, %d areas in which an innocent member is named", taps, missed, accused)
	}
}
