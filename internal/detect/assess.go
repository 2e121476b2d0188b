package detect

import (
	"cmp"
	"slices"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/risk"
)

func scoresOf(p *Part, point *partPoint) []risk.Score {
	out := make([]risk.Score, 0, len(point.Scores))
	for _, s := range point.Scores {
		d := &p.Detectors[s.Detector]
		out = append(out, risk.Score{Source: d.Stamp.Detector, Probability: s.Probability, Doubt: s.Doubt, Corroborates: d.Corroborates})
	}
	return out
}

// weigh merges what the detectors say of a usage point into one assessment.
func (a *Assessment) weigh(in *Input, prior float64, scores []risk.Score, hazards map[string]float64) {
	slices.SortStableFunc(scores, func(x, y risk.Score) int { return cmp.Compare(x.Source, y.Source) })
	var contributions []risk.Contribution
	a.Risk, contributions = in.risk(prior, scores)
	a.MeasuredRisk = a.Risk
	a.Contributions = make([]Contribution, 0, len(contributions))
	for _, c := range contributions {
		a.Contributions = append(a.Contributions, Contribution{Source: c.Source, LogOdds: c.LogOdds, Text: c.Text})
	}
	if len(a.Findings) == 0 {
		return
	}
	if measured, changed := withoutEstimates(scores, a.Findings); changed {
		a.MeasuredRisk, _ = in.risk(prior, measured)
	}
	a.summarise()
	a.value(in)
	a.Priority = risk.Priority(risk.Case{
		Risk: a.Risk, ExcessKWhMonth: a.ExcessKWhMonth, Recoverable: a.Recoverable,
		TypicalPrice: typicalPrice(in, a.CustomerID), Hazard: hazards[a.TransformerID], GoodShare: float64(a.GoodShare),
	})
}

// risk merges scores and bends the result to what inspections have shown.
func (in *Input) risk(prior float64, scores []risk.Score) (float64, []risk.Contribution) {
	merged, contributions := risk.Merge(prior, scores)
	return in.Calibration.Calibrate(prior, merged, contributions)
}

// withoutEstimates takes out of the scores what rests on estimates: a
// detector counts for no more than its measured findings say, and for nothing
// where it has none but others.
func withoutEstimates(scores []risk.Score, findings []Finding) (measured []risk.Score, changed bool) {
	for _, s := range scores {
		any, highest, left := false, 0.0, false
		for i := range findings {
			f := &findings[i]
			switch {
			case f.Stamp.Detector != s.Source:
			case f.RestsOnEstimates():
				any = true
			default:
				left, highest = true, max(highest, f.Probability)
			}
		}
		if any {
			changed = true
			if !left {
				continue
			}
			s.Probability = min(s.Probability, highest)
		}
		measured = append(measured, s)
	}
	return measured, changed
}

// RankQueue puts usage points in the order of the queue and numbers those with
// a finding: they come first, by priority; the others follow by risk.
func RankQueue(points []Assessment) {
	slices.SortStableFunc(points, func(x, y Assessment) int {
		if a, b := len(x.Findings) > 0, len(y.Findings) > 0; a != b {
			if a {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(y.Priority, x.Priority), cmp.Compare(y.Risk, x.Risk), cmp.Compare(x.UsagePointID, y.UsagePointID))
	})
	for i := range points {
		points[i].Rank = 0
		if len(points[i].Findings) > 0 {
			points[i].Rank = i + 1
		}
	}
}

// summarise draws the findings together, weightiest first.
func (a *Assessment) summarise() {
	sortFindings(a.Findings)
	a.FirstDay, a.LastDay = curve.Date(a.Findings[0].FirstDay), curve.Date(a.Findings[0].LastDay)
	for _, f := range a.Findings {
		for _, reason := range append([]string{f.Reason}, f.AlsoReasons...) {
			a.Reasons = addOnce(a.Reasons, reason)
		}
		a.Detectors = addOnce(a.Detectors, f.Stamp.Detector)
		a.FirstDay, a.LastDay = min(a.FirstDay, curve.Date(f.FirstDay)), max(a.LastDay, curve.Date(f.LastDay))
		// Detectors look at the same energy from several sides: the largest
		// excess stands, they do not add up. What only corroborates values nothing.
		if !f.Corroborates {
			a.ExcessKWhMonth = max(a.ExcessKWhMonth, f.ExcessKWhMonth)
		}
		if !a.EstimatedShare.Known() || f.EstimatedShare > a.EstimatedShare {
			a.EstimatedShare = f.EstimatedShare
		}
	}
}

// sortFindings puts findings in an order that does not depend on batches:
// what only corroborates comes last, however probable its source calls it.
func sortFindings(findings []Finding) {
	slices.SortStableFunc(findings, func(x, y Finding) int {
		return cmp.Or(
			cmp.Compare(oneIf(x.Corroborates), oneIf(y.Corroborates)),
			cmp.Compare(y.Probability, x.Probability), cmp.Compare(x.Stamp.Detector, y.Stamp.Detector),
			cmp.Compare(x.Reason, y.Reason), cmp.Compare(x.FirstDay, y.FirstDay))
	})
}

func addOnce(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}
