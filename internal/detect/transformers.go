package detect

import (
	"cmp"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Verdicts that the host gives itself.
const (
	verdictOK      = "ok"
	verdictNoMeter = "no_meter"
)

// measure takes the measured values that are not known yet.
func (a *TransformerAssessment) measure(values map[string]float64) {
	for name, into := range map[string]*Measured{
		sdk.MetricLoadingP95Pct: &a.LoadingP95Pct, sdk.MetricHotSpotMaxC: &a.HotSpotMaxC,
		sdk.MetricLossPct: &a.LossPct, sdk.MetricUnexplainedKWhMonth: &a.UnexplainedKWhMonth,
	} {
		if v, ok := values[name]; ok && !into.Known() {
			*into = Measured(v)
		}
	}
}

// summarise lists verdicts and suspects. A transformer whose own meter is
// missing, or never reported in the window, has the verdict no_meter.
func (a *TransformerAssessment) summarise(metered bool) {
	found := make(map[string]bool)
	suspects := make(map[string]float64)
	for _, f := range a.Findings {
		a.measure(f.Metrics)
		for _, v := range f.Verdicts {
			found[v] = true
		}
		for _, s := range f.Suspects {
			suspects[s.Subject] = max(suspects[s.Subject], s.Probability)
		}
	}
	for _, v := range []string{sdk.VerdictOverloaded, sdk.VerdictUndersized, sdk.VerdictTheft, sdk.VerdictUnmeteredLoad, sdk.VerdictRecordsError} {
		if found[v] {
			a.Verdicts = append(a.Verdicts, v)
		}
	}
	if !metered {
		a.Verdicts = append(a.Verdicts, verdictNoMeter)
	} else if len(a.Verdicts) == 0 {
		a.Verdicts = append(a.Verdicts, verdictOK)
	}
	for id := range suspects {
		a.Suspects = append(a.Suspects, id)
	}
	slices.SortFunc(a.Suspects, func(x, y string) int {
		return cmp.Or(cmp.Compare(suspects[y], suspects[x]), cmp.Compare(x, y))
	})
}

// hazards weighs the danger to plant behind which a usage point stands, by
// transformer, 0 … 1.
func hazards(transformers []TransformerAssessment) map[string]float64 {
	out := make(map[string]float64)
	for i := range transformers {
		t := &transformers[i]
		switch {
		case slices.Contains(t.Verdicts, sdk.VerdictOverloaded):
			out[t.TransformerID] = 1
		case slices.Contains(t.Verdicts, sdk.VerdictUndersized):
			out[t.TransformerID] = 0.5
		}
	}
	return out
}
