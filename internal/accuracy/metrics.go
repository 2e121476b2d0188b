package accuracy

import (
	"math"
	"slices"
)

// AUC returns the probability that a random positive scores above a random
// negative, ties counting half; NaN where either is empty.
func AUC(positive, negative []float64) float64 {
	type scored struct {
		score float64
		mine  bool
	}
	all := make([]scored, 0, len(positive)+len(negative))
	for _, s := range positive {
		all = append(all, scored{s, true})
	}
	for _, s := range negative {
		all = append(all, scored{s, false})
	}
	slices.SortFunc(all, func(a, b scored) int {
		if a.score < b.score {
			return -1
		}
		if a.score > b.score {
			return 1
		}
		return 0
	})
	rankSum := 0.0
	for i := 0; i < len(all); {
		j := i
		for j < len(all) && all[j].score == all[i].score {
			j++
		}
		for k := i; k < j; k++ {
			if all[k].mine {
				rankSum += float64(i+j+1) / 2
			}
		}
		i = j
	}
	p, n := float64(len(positive)), float64(len(negative))
	if p == 0 || n == 0 {
		return math.NaN()
	}
	return (rankSum - p*(p+1)/2) / (p * n)
}

// PrecisionAt returns the share of positives among the k highest scores; ties
// are broken against the positives, so that a constant score earns nothing.
func PrecisionAt(k int, positive, negative []float64) float64 {
	pos, neg := slices.Clone(positive), slices.Clone(negative)
	slices.SortFunc(pos, descending)
	slices.SortFunc(neg, descending)
	hits, i, j := 0, 0, 0
	for range k {
		if i < len(pos) && (j >= len(neg) || pos[i] > neg[j]) {
			hits++
			i++
		} else {
			j++
		}
	}
	return float64(hits) / float64(k)
}

func descending(a, b float64) int {
	switch {
	case a > b:
		return -1
	case a < b:
		return 1
	}
	return 0
}
