package risk

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestMergeOfNothingIsThePrior(t *testing.T) {
	for _, prior := range []float64{0.001, 0.01, 0.3} {
		if got, _ := Merge(prior, nil); math.Abs(got-prior) > 1e-12 {
			t.Errorf("prior %v gives %v", prior, got)
		}
	}
}

func TestMerge(t *testing.T) {
	tests := []struct {
		name     string
		scores   []Score
		low, top float64
	}{
		{"one strong detector stands", []Score{{Source: "a", Probability: 0.9}}, 0.899, 0.901},
		{"an unsuspecting one hardly takes it back", []Score{{Source: "a", Probability: 0.9}, {Source: "b", Probability: 1e-4}}, 0.75, 0.9},
		{"two agreeing are stronger, not squared", []Score{{Source: "a", Probability: 0.5}, {Source: "b", Probability: 0.5}}, 0.8, 0.95},
		{"a list alone lifts nobody", []Score{{Source: "a", Probability: 0.005}, {Source: "list", Probability: 0.99, Corroborates: true}}, 0, 0.01},
		{"a list supports what was found", []Score{{Source: "a", Probability: 0.4}, {Source: "list", Probability: 0.9, Corroborates: true}}, 0.7, 0.85},
		{"doubt about the mapping lowers", []Score{{Source: "a", Probability: 0.9, Doubt: 0.5}}, 0.1, 0.35},
		{"not judged counts for nothing", []Score{{Source: "a", Probability: math.NaN()}}, 0.0099, 0.0101},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, _ := Merge(0.01, tt.scores); got < tt.low || got > tt.top {
				t.Errorf("risk %v, want %v to %v", got, tt.low, tt.top)
			}
		})
	}
}

func drawScores(t *rapid.T) []Score {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) Score {
		return Score{
			Source:       rapid.StringMatching("[a-e]").Draw(t, "source"),
			Probability:  rapid.Float64Range(0, 1).Draw(t, "p"),
			Corroborates: rapid.IntRange(0, 3).Draw(t, "kind") == 0,
		}
	}), 1, 6).Draw(t, "scores")
}

func TestMergeIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prior := rapid.Float64Range(0.0005, 0.2).Draw(t, "prior")
		scores := drawScores(t)
		before, contributions := Merge(prior, scores)
		sum := 0.0
		for _, c := range contributions {
			sum += c.LogOdds
		}
		if math.Abs(1/(1+math.Exp(-sum))-before) > 1e-9 {
			t.Fatalf("contributions add up to %v, the risk is %v", sum, before)
		}
		i := rapid.IntRange(0, len(scores)-1).Draw(t, "which")
		scores[i].Probability += (1 - scores[i].Probability) * rapid.Float64Range(0, 1).Draw(t, "rise")
		if after, _ := Merge(prior, scores); after < before-1e-9 {
			t.Fatalf("risk fell from %v to %v when a score rose", before, after)
		}
	})
}

func TestMergeIgnoresOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scores := drawScores(t)
		want, _ := Merge(0.01, scores)
		got, _ := Merge(0.01, rapid.Permutation(scores).Draw(t, "permuted"))
		if math.Abs(got-want) > 1e-9 {
			t.Fatalf("risk %v after reordering, %v before", got, want)
		}
	})
}

func TestPriorityIsMonotone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Case{
			Risk:           rapid.Float64Range(0, 1).Draw(t, "risk"),
			ExcessKWhMonth: rapid.Float64Range(0, 1e6).Draw(t, "excess"),
			Recoverable:    rapid.Float64Range(0, 1e6).Draw(t, "money"),
			TypicalPrice:   0.2,
			Hazard:         rapid.Float64Range(0, 1).Draw(t, "hazard"),
			GoodShare:      rapid.Float64Range(0, 1).Draw(t, "good"),
		}
		before := Priority(c)
		if before < 0 || before > 100 {
			t.Fatalf("priority %v is not within 0 … 100", before)
		}
		share := rapid.Float64Range(0, 1).Draw(t, "rise")
		switch rapid.IntRange(0, 4).Draw(t, "what") {
		case 0:
			c.Risk += (1 - c.Risk) * share
		case 1:
			c.ExcessKWhMonth *= 1 + share
		case 2:
			c.Recoverable *= 1 + share
		case 3:
			c.Hazard += (1 - c.Hazard) * share
		case 4:
			c.GoodShare += (1 - c.GoodShare) * share
		}
		if after := Priority(c); after < before-1e-9 {
			t.Fatalf("priority fell from %v to %v", before, after)
		}
	})
	if p := Priority(Case{Risk: 0.5, ExcessKWhMonth: math.NaN(), GoodShare: math.NaN()}); math.IsNaN(p) || p <= 0 {
		t.Errorf("priority of a case with unknowns is %v", p)
	}
}
