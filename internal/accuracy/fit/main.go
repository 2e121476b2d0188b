// Command fit obtains the score cards of hiddenmining and writes them as the
// Go files that the detector ships with:
//
//	go run ./internal/accuracy/fit -homes FILE -others FILE -out plugins/hiddenmining
//
// The files are wide CSV exports (meter_id, date, p1 …) of loads presumed
// normal: homes, and business or public buildings. Hosts kept for the final
// figure take no part. It prints, by class, how the cards do on hosts that
// they have not seen.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/accuracy/stress"
	"github.com/gridwarden/gridwarden/plugins/hiddenmining"
)

func main() {
	homes := flag.String("homes", "", "wide CSV of homes")
	others := flag.String("others", "", "wide CSV of business and public buildings")
	seed := flag.Uint64("seed", 1, "seed of the scenes")
	repeats := flag.Int("repeats", 30, "scenes on each home; buildings take four times as many")
	ridge := flag.Float64("ridge", 1e-3, "penalty that keeps weights small where the data say little")
	part := flag.String("part", string(accuracy.Development), "hosts to take: all, development or final")
	out := flag.String("out", "", "folder of the files weights_….go; empty: figures only")
	flag.Parse()
	if err := run(*homes, *others, accuracy.Part(*part), *seed, *repeats, *ridge, *out); err != nil {
		fmt.Fprintln(os.Stderr, "fit:", err)
		os.Exit(1)
	}
}

func run(homes, others string, part accuracy.Part, seed uint64, repeats int, ridge float64, dir string) error {
	hosts, err := accuracy.ReadHosts(homes, others, part)
	if err != nil {
		return err
	}
	uses, err := accuracy.Uses()
	if err != nil {
		return err
	}
	samples := stress.Samples(rand.New(rand.NewPCG(seed, 7)), hosts, repeats, uses)
	for _, class := range []hiddenmining.Class{hiddenmining.Homes, hiddenmining.Others, hiddenmining.Declared} {
		var out bytes.Buffer
		fmt.Fprintf(&out, "package hiddenmining\n\n// Written by \"go run ./internal/accuracy/fit\" (seed %d, %d repeats, ridge %g)\n// from %d hosts. Do not edit; fit again.\n\n", seed, repeats, ridge, len(hosts))
		for _, set := range []struct {
			name, what string
			curves     bool
		}{
			{"Daily", "daily features", false},
			{"Hourly", "daily features and raw curve", true},
		} {
			begun, a := stress.Fit(samples, class, false, set.curves, ridge)
			standing, b := stress.Fit(samples, class, true, set.curves, ridge)
			write(&out, string(class)+set.name+"Begun", "weighs "+set.what+" for what began within the window", begun)
			write(&out, string(class)+set.name+"Standing", "weighs "+set.what+" for what ran before it", standing)
			for i := range a {
				a[i] = hiddenmining.Either(a[i], b[i])
			}
			figures(samples, a, string(class)+set.name)
		}
		if dir == "" {
			continue
		}
		source, err := format.Source(out.Bytes())
		if err != nil {
			return fmt.Errorf("format the cards: %w", err)
		}
		if err := os.WriteFile(filepath.Join(dir, "weights_"+string(class)+".go"), source, 0o600); err != nil {
			return fmt.Errorf("write the cards: %w", err)
		}
	}
	return nil
}

// figures prints how well the scores part mines from each kind of innocent
// load, on hosts that the card has not seen.
func figures(samples []stress.Sample, scores []float64, name string) {
	pick := func(keep func(s *stress.Sample) bool) []float64 {
		var out []float64
		for i := range samples {
			if !math.IsNaN(scores[i]) && keep(&samples[i]) {
				out = append(out, scores[i])
			}
		}
		return out
	}
	mines := pick(func(s *stress.Sample) bool { return s.Mine })
	fmt.Printf("%s: %d mines, recall at the score of one innocent in 50: %.3f, in 200: %.3f, AUC against", name, len(mines), recall(samples, scores, 0.02), recall(samples, scores, 0.005))
	for _, kind := range append([]string{"none"}, stress.Lookalikes()...) {
		if v := pick(func(s *stress.Sample) bool { return s.Kind == kind }); len(v) > 0 {
			fmt.Printf("  %s %.3f", kind, accuracy.AUC(mines, v))
		}
	}
	none := func(big bool) []float64 {
		return pick(func(s *stress.Sample) bool { return s.Kind == "none" && s.Big == big })
	}
	for _, big := range []bool{false, true} {
		fmt.Printf("\n  buildings %v: from day 0 %.3f, begun within %.3f, under 25 %% %.3f", big,
			accuracy.AUC(pick(func(s *stress.Sample) bool { return s.Mine && s.Big == big && s.Truth.FromDay == 0 }), none(big)),
			accuracy.AUC(pick(func(s *stress.Sample) bool { return s.Mine && s.Big == big && s.Truth.FromDay > 0 }), none(big)),
			accuracy.AUC(pick(func(s *stress.Sample) bool { return s.Mine && s.Big == big && s.Truth.Ratio < 0.25 }), none(big)))
	}
	fmt.Println()
}

// recall is the share of the mines above the score that a share of the
// innocent exceeds, all weighed.
func recall(samples []stress.Sample, scores []float64, share float64) float64 {
	var order []int
	total := map[bool]float64{}
	for i := range samples {
		if !math.IsNaN(scores[i]) {
			order = append(order, i)
			total[samples[i].Mine] += samples[i].Weight
		}
	}
	sort.Slice(order, func(a, b int) bool { return scores[order[a]] > scores[order[b]] })
	passed := map[bool]float64{}
	for _, i := range order {
		passed[samples[i].Mine] += samples[i].Weight / total[samples[i].Mine]
		if passed[false] > share {
			break
		}
	}
	return passed[true]
}

func write(out *bytes.Buffer, name, what string, card hiddenmining.Card) {
	fmt.Fprintf(out, "// %s %s.\nfunc %s() Card {\n\treturn Card{Base: %v, Rows: []Row{\n", name, what, name, card.Base)
	for _, r := range card.Rows {
		fmt.Fprintf(out, "\t\t{%q, %#v, %#v},\n", r.Factor, r.Knots, r.LogOdds)
	}
	out.WriteString("\t}}\n}\n\n")
}
