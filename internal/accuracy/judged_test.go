package accuracy

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/ingest"
	"github.com/gridwarden/gridwarden/internal/registry"
)

// trialOf makes a trial whose loads have the given risks; the first are mines.
func trialOf(mines int, risks ...float64) *Trialled {
	loads := make([]Load, len(risks))
	result := &detect.Result{}
	for i, risk := range risks {
		loads[i] = Load{ID: UsagePointID(i), StepMinutes: 60, Truth: Truth{Mine: i < mines}}
		result.UsagePoints = append(result.UsagePoints, detect.Assessment{UsagePointID: UsagePointID(i), Risk: risk})
	}
	return NewTrialled("x", 1, Usual(), loads, loads, result)
}

func TestPositionsPutMinesLastAmongEquals(t *testing.T) {
	x := trialOf(2, .9, .5, .5, .1)
	for i, want := range []int{1, 3, 2, 4} {
		if got := x.Rows[i].Position; got != want {
			t.Errorf("row %d stands at %d, want %d", i, got, want)
		}
	}
	found, of := Recall([]*Trialled{x}, func(*Trialled, *Judged) bool { return true })
	if found != 1 || of != 2 {
		t.Errorf("%d of %d found, want 1 of 2", found, of)
	}
	near(t, "precision at k is the recall", PrecisionAtK(x.Rows), .5, 0)
	near(t, "precision at half of k", PrecisionAtHalf(x.Rows), 1, 0)
}

func TestOverHostsIsWiderThanNothingAndHoldsTheMean(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 9))
	var trials []*Trialled
	for range 5 {
		risks := make([]float64, 60)
		for i := range risks {
			risks[i] = rng.Float64()
			if i < 6 {
				risks[i] += .3
			}
		}
		trials = append(trials, trialOf(6, risks...))
	}
	v := OverHosts(rng, trials, 200, AUCOf)
	near(t, "the mean of both", v.Mean, OverSeeds(trials, AUCOf).Mean, 1e-12)
	if !(v.Low < v.Mean && v.Mean < v.High) {
		t.Errorf("interval %+v", v)
	}
}

// TestExportIsReadAsItWasWritten writes loads of three resolutions and reads
// them by the means of scan.
func TestExportIsReadAsItWasWritten(t *testing.T) {
	loads := plainLoads(3, 4)
	loads[1] = finer(rand.New(rand.NewPCG(1, 1)), &loads[1], 15)
	loads[2] = finer(rand.New(rand.NewPCG(1, 1)), &loads[2], 30)
	loads[2].DeclaredUse, loads[2].Category, loads[2].RegisteredDC = "data_centre", "commercial", true
	dir := t.TempDir()
	if err := WriteExport(dir, loads); err != nil {
		t.Fatal(err)
	}
	uses, err := Uses()
	if err != nil {
		t.Fatal(err)
	}
	network, report, err := registry.LoadDir(filepath.Join(dir, "registry"), uses)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Warnings) > 0 || len(network.UsagePoints) != 3 || !network.Customer("CU00002").RegisteredDataCentre {
		t.Errorf("registry %+v, warnings %v", network.Customers, report.Warnings)
	}
	files, err := filepath.Glob(filepath.Join(dir, "readings", "*"))
	if err != nil || len(files) != 3 {
		t.Fatalf("files %v, error %v", files, err)
	}
	store := curve.NewMemory()
	read, err := ingest.Into(context.Background(), ingest.Options{Files: files, Network: network}, store)
	if err != nil {
		t.Fatal(err)
	}
	if read.Days != 12 || read.Meters != 3 {
		t.Errorf("%d days of %d meters, want 12 of 3", read.Days, read.Meters)
	}
}

func TestCheckProgramFindsWhatDiffers(t *testing.T) {
	result := &detect.Result{UsagePoints: []detect.Assessment{{UsagePointID: "U00000", Risk: .12345678}}}
	if err := CheckProgram(map[string]string{"U00000": "0.123457"}, result); err != nil {
		t.Error(err)
	}
	for _, wrong := range []map[string]string{{"U00000": "0.123458"}, {"U00000": ""}, {}} {
		if CheckProgram(wrong, result) == nil {
			t.Errorf("%v passes", wrong)
		}
	}
}

// TestUntouchedMonthsCountEveryThirtyDays: three customers of 92 days have
// three months each.
func TestUntouchedMonthsCountEveryThirtyDays(t *testing.T) {
	hosts := plainLoads(3, 92)
	for _, alone := range []bool{false, true} {
		m, err := JudgeMonths(context.Background(), hosts, .01, .5, alone, nil)
		if err != nil {
			t.Fatal(err)
		}
		if m.Judged != 9 || len(m.Above) > 0 {
			t.Errorf("%d months, above %v; want 9 and none", m.Judged, m.Above)
		}
	}
}
