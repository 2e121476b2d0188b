// Command theft measures the balance of transformer areas made of real loads,
// with losses, class errors, gaps, lamps, errors in the records and theft:
//
//	go run ./internal/accuracy/theft -homes FILE -others FILE
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

func main() {
	homes := flag.String("homes", "", "wide CSV of homes")
	others := flag.String("others", "", "wide CSV of business and public buildings")
	areas := flag.Int("areas", 100, "transformers of a trial")
	seeds := flag.Int("seeds", 3, "number of trials")
	days := flag.Int("days", 60, "days of each trial")
	verbose := flag.Bool("v", false, "print every area that was judged wrongly")
	flag.Parse()
	if err := run(*homes, *others, *areas, *seeds, *days, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, "theft:", err)
		os.Exit(1)
	}
}

func run(homes, others string, areas, seeds, days int, verbose bool) error {
	hosts, err := accuracy.ReadHosts(homes, others, accuracy.AllHosts)
	if err != nil {
		return err
	}
	var stolen, honest []float64
	count, right, named := map[string]int{}, map[string]int{}, map[string]int{}
	members, accused := 0, 0
	for seed := range seeds {
		a, err := accuracy.NewAreas(context.Background(), rand.New(rand.NewPCG(uint64(seed), 5)), hosts, areas, days)
		if err != nil {
			return err
		}
		r, err := a.Judge(context.Background(), 0.01)
		if err != nil {
			return err
		}
		for i := range r.Transformers {
			t := &r.Transformers[i]
			truth := a.Truth[t.TransformerID]
			s := suspicion(t)
			kind := truth.Theft
			if kind == "" {
				kind = "honest " + truth.Records
				honest = append(honest, s)
			} else {
				stolen = append(stolen, s)
			}
			count[kind]++
			first := len(t.Suspects) > 0 && t.Suspects[0] == truth.Culprit
			if truth.Culprit != "" && first || truth.Culprit == "" && len(t.Suspects) == 0 {
				right[kind]++
			} else if verbose {
				fmt.Printf("  seed %d %s truth %+v verdicts %v suspects %v unexplained %.0f\n", seed, t.TransformerID, truth, t.Verdicts, t.Suspects, float64(t.UnexplainedKWhMonth))
			}
			if len(t.Suspects) > 0 {
				named[kind]++
			}
		}
		for i := range r.UsagePoints {
			u := &r.UsagePoints[i]
			if a.Truth[u.TransformerID].Culprit == u.UsagePointID {
				continue
			}
			members++
			if u.Risk >= 0.5 {
				accused++
			}
		}
	}
	fmt.Printf("theft at the transformer: AUC %.3f, precision at k %.3f (k = %d of %d)\n",
		accuracy.AUC(stolen, honest), accuracy.PrecisionAt(len(stolen), stolen, honest), len(stolen), len(stolen)+len(honest))
	kinds := make([]string, 0, len(count))
	for kind := range count {
		kinds = append(kinds, kind)
	}
	slices.Sort(kinds)
	for _, kind := range kinds {
		fmt.Printf("  %-28s %3d areas, right person first (or nobody named where there is none) %.2f, somebody named %.2f\n",
			kind, count[kind], float64(right[kind])/float64(count[kind]), float64(named[kind])/float64(count[kind]))
	}
	fmt.Printf("innocent members above 0.5: %d of %d\n", accused, members)
	return nil
}

// suspicion ranks transformers: the probability of the surest finding of theft
// or unmetered load.
func suspicion(t *detect.TransformerAssessment) float64 {
	best := 0.0
	for _, f := range t.Findings {
		if slices.Contains(f.Verdicts, sdk.VerdictTheft) || slices.Contains(f.Verdicts, sdk.VerdictUnmeteredLoad) {
			best = max(best, f.Probability)
		}
	}
	return best + 1e-9*max(float64(t.UnexplainedKWhMonth), 0)
}
