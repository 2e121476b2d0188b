package detect

import (
	"cmp"
	"slices"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/risk"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// assessUsagePoints merges the detectors' scores into one assessment for every
// usage point: those with a finding first, ranked, then the others by id.
func assessUsagePoints(in *Input, b *builder, judged []*judgement, hazards map[string]float64) []Assessment {
	out := make([]Assessment, 0, len(b.roster.points))
	for _, p := range b.roster.points {
		a := b.assessment(p)
		var scores []risk.Score
		for _, j := range judged {
			if s, ok := j.score(p.id); ok {
				scores = append(scores, risk.Score{Source: j.description.Name, Probability: s, Doubt: j.doubt(p.id)})
			}
			a.Findings = append(a.Findings, j.points[p.id]...)
		}
		var contributions []risk.Contribution
		a.Risk, contributions = risk.Merge(in.Prior, scores)
		for _, c := range contributions {
			a.Contributions = append(a.Contributions, Contribution{Source: c.Source, LogOdds: c.LogOdds, Text: c.Text})
		}
		if len(a.Findings) > 0 {
			a.summarise()
			a.value(in)
			a.Priority = risk.Priority(risk.Case{
				Risk: a.Risk, ExcessKWhMonth: a.ExcessKWhMonth, Recoverable: a.Recoverable,
				TypicalPrice: typicalPrice(in, a.CustomerID), Hazard: hazards[a.TransformerID], GoodShare: float64(a.GoodShare),
			})
		}
		out = append(out, a)
	}
	RankQueue(out)
	return out
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

// assessment fills in what the records and the load say of a point.
func (b *builder) assessment(p *point) Assessment {
	own := p.own()
	a := Assessment{
		UsagePointID: p.id, MeterID: p.current.MeterID, CustomerID: p.current.CustomerID, TransformerID: p.current.TransformerID,
		FirstDay: b.days.first, LastDay: b.days.last,
		MeanKW: Unknown(), GoodShare: Unknown(),
		Reasons: []string{}, Detectors: []string{}, Contributions: []Contribution{}, Findings: []Finding{},
	}
	if energy, days := b.frame.mean(sdk.EnergyKWh, b.days, own); days > 0 {
		a.MeanKW = Measured(energy / 24)
		good, counted := b.frame.mean(sdk.GoodShare, b.days, own)
		a.GoodShare = 0
		if counted > 0 {
			a.GoodShare = Measured(good * float64(counted) / float64(tenureDays(own)))
		}
	}
	return a
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
		// excess stands, they do not add up.
		a.ExcessKWhMonth = max(a.ExcessKWhMonth, f.ExcessKWhMonth)
	}
}

// sortFindings puts findings in an order that does not depend on batches.
func sortFindings(findings []Finding) {
	slices.SortStableFunc(findings, func(x, y Finding) int {
		return cmp.Or(
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
