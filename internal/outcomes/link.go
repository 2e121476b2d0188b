package outcomes

import (
	"maps"
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/risk"
)

// Link fills in what a run had said of the points that were inspected after
// it. A point that the run did not judge keeps an empty RunID.
func Link(list []Inspection, run *detect.Result) {
	if run == nil {
		return
	}
	at := make(map[string]*detect.Assessment, len(run.UsagePoints))
	for i := range run.UsagePoints {
		at[run.UsagePoints[i].UsagePointID] = &run.UsagePoints[i]
	}
	for i := range list {
		in := &list[i]
		a := at[in.UsagePointID]
		if a == nil {
			continue
		}
		in.RunID, in.Prior, in.Risk, in.Detectors = run.RunID, run.Prior, plainRisk(a), nil
		surest := make(map[string]Verdict)
		for _, f := range a.Findings {
			if v, known := surest[f.Stamp.Detector]; !known || f.Probability > v.Probability {
				surest[f.Stamp.Detector] = Verdict{f.Stamp.Detector, f.Stamp.Version, f.Probability}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(surest)) {
			in.Detectors = append(in.Detectors, surest[name])
		}
	}
}

// plainRisk is the risk as it was merged, without a calibration: the next
// calibration is fitted to that.
func plainRisk(a *detect.Assessment) float64 {
	sum, calibrated := 0.0, false
	for _, c := range a.Contributions {
		if c.Source == risk.CalibrationSource {
			calibrated = true
			continue
		}
		sum += c.LogOdds
	}
	if !calibrated {
		return a.Risk
	}
	return 1 / (1 + math.Exp(-sum))
}
