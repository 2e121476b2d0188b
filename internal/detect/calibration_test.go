package detect

import (
	"math"
	"testing"

	"github.com/gridwarden/gridwarden/internal/risk"
)

// What inspections have shown bends every risk of a run, in their order, and
// the run says so.
func TestCalibrationBendsRisks(t *testing.T) {
	in := district(t)
	in.Evaluators = []Evaluator{Local(stepper{})}
	plain, err := Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	in.Calibration = risk.Calibration{Intercept: -0.5, Slope: 0.6}
	bent, err := Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	if bent.Calibration != in.Calibration || !plain.Calibration.Identity() {
		t.Errorf("the runs name the calibrations %+v and %+v", plain.Calibration, bent.Calibration)
	}
	was := make(map[string]Assessment)
	for _, a := range plain.UsagePoints {
		was[a.UsagePointID] = a
	}
	found := 0
	for _, a := range bent.UsagePoints {
		want, _ := in.Calibration.Calibrate(in.Prior, was[a.UsagePointID].Risk, nil)
		if math.Abs(a.Risk-want) > 1e-9 {
			t.Errorf("%s has the risk %v, bent from %v it is %v", a.UsagePointID, a.Risk, was[a.UsagePointID].Risk, want)
		}
		sum := 0.0
		for _, c := range a.Contributions {
			sum += c.LogOdds
		}
		if math.Abs(1/(1+math.Exp(-sum))-a.Risk) > 1e-9 {
			t.Errorf("%s: the contributions do not add up to the risk", a.UsagePointID)
		}
		if len(a.Findings) > 0 {
			found++
			if a.Risk >= was[a.UsagePointID].Risk || a.MeasuredRisk != a.Risk {
				t.Errorf("%s: risk %v and measured risk %v after %v", a.UsagePointID, a.Risk, a.MeasuredRisk, was[a.UsagePointID].Risk)
			}
		}
	}
	if found == 0 {
		t.Error("nothing was found; the test tests nothing")
	}
	in.Calibration.Slope = -1
	if _, err := Run(t.Context(), in); err == nil {
		t.Error("a calibration that turns risks around was taken")
	}
}
