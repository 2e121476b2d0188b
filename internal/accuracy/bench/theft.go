package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// areasOfTrial is how many transformers a trial of theft has.
const areasOfTrial = 100

// judgedArea is a transformer of a trial and what the result says of it.
type judgedArea struct {
	truth    accuracy.AreaTruth
	found    bool // a verdict of theft or unmetered load
	named    bool // somebody is suspected
	first    bool // the culprit is suspected first
	byTable  float64
	evidence float64
}

// theft measures theft behind transformers with wrong records, lamps, losses
// and gaps.
func (b *bench) theft(ctx context.Context) error {
	trials := make([][]judgedArea, b.o.seeds)
	options := make([]accuracy.AreaOptions, b.o.seeds)
	var members, accused tally
	var hosts []accuracy.Load
	for i := range b.source.hosts {
		if h := b.source.hosts[i]; b.source.real || h.Days >= 90 {
			hosts = append(hosts, h)
		}
	}
	err := parallel(ctx, b.o.seeds, func(ctx context.Context, i int) error {
		options[i] = accuracy.TrialOptions(1000+i, areasOfTrial)
		a, err := accuracy.NewAreas(ctx, rand.New(rand.NewPCG(uint64(1000+i), 5)), hosts, options[i])
		if err != nil {
			return err
		}
		r, err := a.Judge(ctx, b.o.prior)
		if err != nil {
			return err
		}
		if len(r.Failed) > 0 {
			return fmt.Errorf("detector %s did not finish: %s", r.Failed[0].Detector, r.Failed[0].Error)
		}
		for k := range r.Transformers {
			t := &r.Transformers[k]
			trials[i] = append(trials[i], judgeArea(t, a.Truth[t.TransformerID]))
		}
		culprits := map[string]bool{}
		for _, truth := range a.Truth {
			culprits[truth.Culprit] = true
		}
		for k := range r.UsagePoints {
			u := &r.UsagePoints[k]
			if culprits[u.UsagePointID] {
				continue
			}
			members.add("all", 1)
			if u.Risk >= b.threshold {
				accused.add("all", 1)
			}
		}
		b.progress("theft: trial of seed %d, %d days of %d min", 1000+i, options[i].Days, options[i].StepMinutes)
		return nil
	})
	if err != nil {
		return err
	}
	b.theftTables(trials, members.get("all"), accused.get("all"))
	return nil
}

func judgeArea(t *detect.TransformerAssessment, truth accuracy.AreaTruth) judgedArea {
	x := judgedArea{
		truth: truth, named: len(t.Suspects) > 0, first: len(t.Suspects) > 0 && t.Suspects[0] == truth.Culprit,
		found: slices.Contains(t.Verdicts, sdk.VerdictTheft) || slices.Contains(t.Verdicts, sdk.VerdictUnmeteredLoad),
	}
	if t.UnexplainedKWhMonth.Known() {
		x.byTable = max(float64(t.UnexplainedKWhMonth), 0)
	}
	x.evidence = 1e-6 * x.byTable
	for _, f := range t.Findings {
		if slices.Contains(f.Verdicts, sdk.VerdictTheft) || slices.Contains(f.Verdicts, sdk.VerdictUnmeteredLoad) {
			x.evidence = max(x.evidence, f.Probability+1e-6*x.byTable)
		}
	}
	if x.found {
		x.byTable += 1e9
	}
	return x
}

func (b *bench) theftTables(trials [][]judgedArea, members, accused int) {
	figures := func(score func(*judgedArea) float64) (auc, precision accuracy.Interval) {
		var aucs, precisions []float64
		for _, areas := range trials {
			var stolen, honest []float64
			for i := range areas {
				if areas[i].truth.Theft != "" {
					stolen = append(stolen, score(&areas[i]))
				} else {
					honest = append(honest, score(&areas[i]))
				}
			}
			aucs, precisions = append(aucs, accuracy.AUC(stolen, honest)), append(precisions, accuracy.PrecisionAt(len(stolen), stolen, honest))
		}
		return accuracy.MeanInterval(aucs), accuracy.MeanInterval(precisions)
	}
	s := b.report.section("Theft behind transformers")
	s.say("%d trials of %d transformers over 30 to 120 days at 15 to 60 minutes, made of the homes and small businesses: losses of transformer and lines, meters of several classes whose clocks are off, gaps, street lights, members recorded elsewhere or not at all; four transformers in ten or so have theft.", len(trials), areasOfTrial)
	auc, precision := figures(func(x *judgedArea) float64 { return x.byTable })
	s.table([]string{"scored by", "AUC", "precision at k"}, [][]string{
		{"transformer_findings.csv: the verdict, then the unexplained energy", figure(auc), figure(precision)},
		func() []string {
			a, p := figures(func(x *judgedArea) float64 { return x.evidence })
			return []string{"the probability of the surest finding", figure(a), figure(p)}
		}(),
	})
	b.report.atLeast("theft: AUC", auc, .93, fmt.Sprintf("%d trials", len(trials)))
	b.report.atLeast("theft: precision at k", precision, .80, fmt.Sprintf("%d trials", len(trials)))
	rows := [][]string{}
	for _, kind := range []string{"fractional", "bypass", "direct_tap", ""} {
		areas, found, first, named := 0, 0, 0, 0
		for _, trial := range trials {
			for i := range trial {
				if x := &trial[i]; x.truth.Theft == kind {
					areas++
					found += count(x.found)
					first += count(x.first)
					named += count(x.named)
				}
			}
		}
		name, firstCell := kind, share(first, areas)
		switch kind {
		case "fractional":
			b.report.atLeast("theft: culprit first, fractional", accuracy.ShareInterval(first, areas), .85, fmt.Sprintf("%d transformers", areas))
		case "bypass":
			b.report.atLeast("theft: culprit first, bypass", accuracy.ShareInterval(first, areas), .50, fmt.Sprintf("%d transformers", areas))
		case "direct_tap":
			b.report.atLeast("theft: direct taps that name no neighbour", accuracy.ShareInterval(areas-named, areas), .90, fmt.Sprintf("%d transformers", areas))
			firstCell = "–"
		case "":
			name, firstCell = "no theft", "–"
		}
		rows = append(rows, []string{name, fmt.Sprint(areas), share(found, areas), firstCell, share(named, areas)})
	}
	s.table([]string{"theft", "transformers", "theft or unmetered load said", "culprit first", "somebody named"}, rows)
	s.say("Members who steal nothing, above the case threshold: %d of %d.", accused, members)
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
