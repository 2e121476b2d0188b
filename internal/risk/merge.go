package risk

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Score is what one source says of a usage point.
type Score struct {
	Source      string  // name of the detector or list
	Probability float64 // of abnormal use, calibrated at the prior given to Merge

	// Corroborates marks a source that can only support what another source
	// found, such as an address on a watchlist.
	Corroborates bool
	// Doubt is how doubtful it is that the source judged the right point
	// (0 … 1): a meter that may hang on another transformer. It takes away
	// that share of the source's evidence.
	Doubt float64
}

// Contribution is what one source adds to the log-odds of the risk.
type Contribution struct {
	Source  string
	LogOdds float64
	Text    string
}

// Weights of Merge. Detectors look at the same load and are far from
// independent, hence the damping; a detector that sees nothing tests another
// hypothesis than the one that does, hence its small and bounded objection.
const (
	damping         = 0.4  // of the second strongest source; of the third its square, and so on
	objection       = 0.15 // share of evidence against, beside stronger evidence
	maxObjection    = 1.0  // all objections together, log-odds
	maxEvidence     = 12.0 // of any one source, log-odds
	maxCorroborates = 1.5  // all corroboration together, log-odds
	corroborated    = 0.5  // corroboration adds at most this share of what it supports
)

// Merge returns the probability of abnormal use at the prior and what each
// source contributes to it; the contributions, the prior's among them, add up
// to its log-odds. The strongest evidence counts in full and further evidence
// damped by rank, so that detectors which see the same thing cannot talk each
// other up. Corroboration adds at most half of the evidence that it supports
// and nothing where there is none. Without scores the risk is the prior.
//
// The risk never falls when a score rises, and does not depend on the order
// of the scores.
func Merge(prior float64, scores []Score) (float64, []Contribution) {
	prior = min(max(prior, 1e-6), 1-1e-6)
	total := logit(prior)
	out := []Contribution{{Source: "prior", LogOdds: total, Text: fmt.Sprintf("base rate of %.3g %%", 100*prior)}}
	evidence, support := split(prior, scores)
	objections, weight := 0.0, 1.0
	sum := 0.0
	for rank, e := range evidence {
		share, text := e.LogOdds, "strongest evidence, in full"
		if rank > 0 {
			weight *= damping
			switch {
			case e.LogOdds >= 0:
				share, text = weight*e.LogOdds, fmt.Sprintf("counts %.0f %% beside stronger evidence", 100*weight)
			default:
				share = max(objection*e.LogOdds, -(maxObjection - objections))
				objections -= share
				text = "sees nothing; a bounded objection beside stronger evidence"
			}
		}
		sum += share
		out = append(out, Contribution{e.Source, share, text})
	}
	left := min(maxCorroborates, corroborated*max(sum, 0))
	for _, s := range support {
		share := min(max(s.LogOdds, 0), left)
		left -= share
		sum += share
		out = append(out, Contribution{s.Source, share, "corroborates what else was found; nothing by itself"})
	}
	return 1 / (1 + math.Exp(-total-sum)), out
}

// split turns probabilities into log-odds against the prior and parts the
// evidence from what only corroborates, each strongest first.
func split(prior float64, scores []Score) (evidence, support []Contribution) {
	for _, s := range scores {
		if math.IsNaN(s.Probability) {
			continue
		}
		p := min(max(s.Probability, 1e-9), 1-1e-9)
		e := min(max(logit(p)-logit(prior), -maxEvidence), maxEvidence)
		if s.Doubt > 0 {
			e *= 1 - min(s.Doubt, 1)
		}
		if s.Corroborates {
			support = append(support, Contribution{Source: s.Source, LogOdds: e})
		} else {
			evidence = append(evidence, Contribution{Source: s.Source, LogOdds: e})
		}
	}
	strongest := func(a, b Contribution) int {
		switch {
		case a.LogOdds > b.LogOdds:
			return -1
		case a.LogOdds < b.LogOdds:
			return 1
		}
		return strings.Compare(a.Source, b.Source)
	}
	slices.SortStableFunc(evidence, strongest)
	slices.SortStableFunc(support, strongest)
	return evidence, support
}

func logit(p float64) float64 { return math.Log(p / (1 - p)) }
