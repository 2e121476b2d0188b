package accuracy

import (
	"fmt"
	"math"
	"strings"
)

// Summary gathers the figures of several trials.
type Summary struct {
	auc, atK, atHalf, flats, above []float64
	byKind                         map[string][]float64 // AUC of the mines against a kind of flat load
	recall                         map[string][2]float64
}

// Add takes the risks of one trial.
func (s *Summary) Add(loads []Load, risks []float64) {
	var mines, rest, flats []float64
	kinds := map[string][]float64{}
	above := 0.0
	for i := range loads {
		switch t := &loads[i].Truth; {
		case t.Mine:
			mines = append(mines, risks[i])
		case t.Flat != "":
			flats = append(flats, risks[i])
			kinds[t.Flat] = append(kinds[t.Flat], risks[i])
			rest = append(rest, risks[i])
		default:
			rest = append(rest, risks[i])
			if risks[i] >= 0.5 {
				above++
			}
		}
	}
	k := len(mines)
	s.auc = append(s.auc, AUC(mines, rest))
	s.flats = append(s.flats, AUC(mines, flats))
	s.atK = append(s.atK, PrecisionAt(k, mines, rest))
	s.atHalf = append(s.atHalf, PrecisionAt(k/2, mines, rest))
	s.above = append(s.above, above)
	if s.byKind == nil {
		s.byKind, s.recall = map[string][]float64{}, map[string][2]float64{}
	}
	for kind, v := range kinds {
		s.byKind[kind] = append(s.byKind[kind], AUC(mines, v))
	}
	s.recalls(loads, risks, rest, k)
}

// recalls counts the mines among the k highest risks, by what they are.
func (s *Summary) recalls(loads []Load, risks, rest []float64, k int) {
	limit := kth(append(append([]float64(nil), rest...), minesOf(loads, risks)...), k)
	for i := range loads {
		t := &loads[i].Truth
		if !t.Mine {
			continue
		}
		groups := []string{"home"}
		if loads[i].Category != "residential" {
			groups[0] = "other"
		}
		if t.FromDay == 0 {
			groups = append(groups, groups[0]+" from day 0")
		}
		if t.Ratio < 0.25 {
			groups = append(groups, "under 25 % of the host")
		}
		if t.Evades {
			groups = append(groups, "evading the evening")
		}
		if t.Ramps {
			groups = append(groups, "in lots")
		}
		for _, g := range groups {
			r := s.recall[g]
			r[1]++
			if risks[i] >= limit {
				r[0]++
			}
			s.recall[g] = r
		}
	}
}

func minesOf(loads []Load, risks []float64) []float64 {
	var out []float64
	for i := range loads {
		if loads[i].Truth.Mine {
			out = append(out, risks[i])
		}
	}
	return out
}

// kth is the k-th highest of the values.
func kth(v []float64, k int) float64 {
	for i := range k {
		best := i
		for j := i + 1; j < len(v); j++ {
			if v[j] > v[best] {
				best = j
			}
		}
		v[i], v[best] = v[best], v[i]
	}
	return v[k-1]
}

// String renders the means over the trials with twice their standard errors.
func (s *Summary) String() string {
	var b strings.Builder
	for _, row := range []struct {
		name string
		v    []float64
	}{
		{"AUC", s.auc}, {"precision at k/2", s.atHalf}, {"precision at k", s.atK},
		{"AUC against legitimate flat loads", s.flats}, {"untouched customers above 0.5", s.above},
	} {
		mean, err := meanAndError(row.v)
		fmt.Fprintf(&b, "  %-36s %.3f ± %.3f\n", row.name, mean, 2*err)
	}
	b.WriteString("  against")
	for _, kind := range FlatKinds() {
		mean, _ := meanAndError(s.byKind[kind])
		fmt.Fprintf(&b, "  %s %.2f", kind, mean)
	}
	b.WriteString("\n  recall at k:")
	for _, g := range []string{"home", "other", "home from day 0", "other from day 0", "under 25 % of the host", "evading the evening", "in lots"} {
		if r := s.recall[g]; r[1] > 0 {
			fmt.Fprintf(&b, "  %s %.2f (%.0f)", g, r[0]/r[1], r[1])
		}
	}
	b.WriteString("\n")
	return b.String()
}

func meanAndError(v []float64) (mean, err float64) {
	n := 0.0
	for _, x := range v {
		if !math.IsNaN(x) {
			mean += x
			n++
		}
	}
	mean /= n
	for _, x := range v {
		if !math.IsNaN(x) {
			err += (x - mean) * (x - mean)
		}
	}
	return mean, math.Sqrt(err / math.Max(n-1, 1) / n)
}
