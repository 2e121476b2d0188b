// Command theft measures the balance of transformer areas made of real loads,
// with losses, meters of several classes, clocks that are off, gaps, lamps,
// errors in the records and theft:
//
//	go run ./internal/accuracy/theft -homes FILE -others FILE
//
// A transformer's score is the probability of its surest finding of theft or
// unmetered load, the energy that stays unexplained deciding between equals.
// "By the table alone" takes what transformer_findings.csv holds: the verdict,
// then the unexplained energy. The areas under the curve are of single trials,
// with the 95 % interval of their mean.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

type options struct {
	homes, others string
	part          string
	areas, seeds  int
	first         int
	verbose       bool
}

func main() {
	var o options
	flag.StringVar(&o.homes, "homes", "", "wide CSV of homes")
	flag.StringVar(&o.others, "others", "", "wide CSV of business and public buildings")
	flag.StringVar(&o.part, "part", "all", "of the hosts: all, even or odd")
	flag.IntVar(&o.areas, "areas", 100, "transformers of a trial")
	flag.IntVar(&o.seeds, "seeds", 10, "number of trials")
	flag.IntVar(&o.first, "first", 0, "the first trial's seed")
	flag.BoolVar(&o.verbose, "v", false, "print every area that was judged wrongly")
	flag.Parse()
	text, err := run(&o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "theft:", err)
		os.Exit(1)
	}
	fmt.Print(text)
}

func run(o *options) (string, error) {
	hosts, err := accuracy.ReadHosts(o.homes, o.others, accuracy.Part(o.part))
	if err != nil {
		return "", err
	}
	t := newTable(o.verbose)
	for seed := o.first; seed < o.first+o.seeds; seed++ {
		options := accuracy.TrialOptions(seed, o.areas)
		a, err := accuracy.NewAreas(context.Background(), rand.New(rand.NewPCG(uint64(seed), 5)), hosts, options)
		if err != nil {
			return "", err
		}
		r, err := a.Judge(context.Background(), 0.01)
		if err != nil {
			return "", err
		}
		for _, f := range r.Failed {
			return "", fmt.Errorf("detector %s failed: %s", f.Detector, f.Error)
		}
		t.trial(seed, &options, a, r)
	}
	t.print()
	return t.text.String(), nil
}

// trial takes the judgement of one trial.
func (t *table) trial(seed int, o *accuracy.AreaOptions, a *accuracy.Areas, r *detect.Result) {
	var ours, table, dumb scores
	for i := range r.Transformers {
		x := &r.Transformers[i]
		truth := a.Truth[x.TransformerID]
		stolen := truth.Theft != ""
		ours.add(stolen, suspicion(x))
		table.add(stolen, byTable(x))
		dumb.add(stolen, a.Loss[x.TransformerID])
		t.area(seed, x, &truth)
	}
	t.ours, t.byTable, t.dumb = append(t.ours, ours), append(t.byTable, table), append(t.dumb, dumb)
	t.lines = append(t.lines, fmt.Sprintf("  seed %2d, %3d days of %2d min, voltage %-5t: AUC %.3f, precision at k %.2f (k = %d of %d); loss alone %.3f, %.2f",
		seed, o.Days, o.StepMinutes, o.Voltage, ours.auc(), ours.precision(), len(ours.stolen), len(ours.stolen)+len(ours.honest), dumb.auc(), dumb.precision()))
	for i := range r.UsagePoints {
		u := &r.UsagePoints[i]
		home := u.TransformerID
		if other := a.Elsewhere[u.UsagePointID]; other != "" {
			home = other
		}
		culprit := a.Truth[home].Culprit == u.UsagePointID
		if !culprit {
			t.members++
			if u.Risk >= 0.5 {
				t.accused++
				if t.verbose {
					fmt.Fprintf(&t.text, "  seed %d innocent %s at %.2f, truth %+v, %v\n", seed, u.UsagePointID, u.Risk, a.Truth[home], weights(u))
				}
			}
		}
		for _, f := range u.Findings {
			if f.Stamp.Detector == "energybalance" {
				t.calibration.add(culprit, f.Probability)
			}
		}
	}
	t.mapping(o, a, r)
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
	return best + 1e-6*unexplained(t)
}

// byTable ranks by what transformer_findings.csv holds.
func byTable(t *detect.TransformerAssessment) float64 {
	v := 0.0
	if slices.Contains(t.Verdicts, sdk.VerdictTheft) || slices.Contains(t.Verdicts, sdk.VerdictUnmeteredLoad) {
		v = 1e9
	}
	return v + unexplained(t)
}

func unexplained(t *detect.TransformerAssessment) float64 {
	if !t.UnexplainedKWhMonth.Known() {
		return 0
	}
	return max(float64(t.UnexplainedKWhMonth), 0)
}

// claims reports whether topology says of a usage point that the records are wrong.
func claims(u *detect.Assessment, reason string) bool {
	for _, f := range u.Findings {
		if f.Stamp.Detector == "topology" && f.Reason == reason {
			return true
		}
	}
	return false
}

func sizeClass(truth *accuracy.AreaTruth) string {
	switch {
	case truth.Share < 0.01:
		return "under 1 %"
	case truth.Share < 0.03:
		return "1 to 3 %"
	}
	return "over 3 %"
}

func records(truth *accuracy.AreaTruth) string {
	if len(truth.Records) == 0 {
		return "honest, records right"
	}
	return "honest, " + strings.Join(truth.Records, " ")
}

// weights are what speaks for and against a usage point, with the log-odds.
func weights(u *detect.Assessment) (out []string) {
	for _, f := range u.Findings {
		out = append(out, f.Reason)
		for _, e := range f.Evidence {
			out = append(out, fmt.Sprintf("%s %.2f (%.1f)", e.Code, e.Value, e.LogOdds))
		}
	}
	return out
}
