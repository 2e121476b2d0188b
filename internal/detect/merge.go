package detect

import (
	"math"
	"sort"
)

func (in *Input) merge(scores []Score) (float64, []Contribution) {
	if in.Merge != nil {
		return in.Merge(in.Prior, scores)
	}
	// The strongest score counts in full, the others by half: they look at the
	// same load and are not independent of it.
	base := logit(in.Prior)
	sort.SliceStable(scores, func(i, j int) bool {
		return math.Abs(logit(scores[i].Probability)-base) > math.Abs(logit(scores[j].Probability)-base)
	})
	sum, out := base, []Contribution{{Source: "prior", LogOdds: base}}
	for i, s := range scores {
		d := logit(s.Probability) - base
		if i > 0 {
			d /= 2
		}
		sum += d
		out = append(out, Contribution{Source: s.Detector, LogOdds: d})
	}
	return 1 / (1 + math.Exp(-sum)), out
}

func (in *Input) priority(a *Assessment) float64 { return a.Risk }

func logit(p float64) float64 {
	p = min(max(p, 1e-6), 1-1e-6)
	return math.Log(p / (1 - p))
}
