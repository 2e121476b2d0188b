// Command fit obtains the score cards of hiddenmining and prints them as the
// Go file that the detector ships with:
//
//	go run ./internal/accuracy/fit -homes FILE -others FILE > plugins/hiddenmining/weights.go
//
// The files are wide CSV exports (meter_id, date, p1 …) of loads presumed
// normal: homes, and business or public buildings.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"math/rand/v2"
	"os"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/plugins/hiddenmining"
)

func main() {
	homes := flag.String("homes", "", "wide CSV of homes")
	others := flag.String("others", "", "wide CSV of business and public buildings")
	seed := flag.Uint64("seed", 1, "seed of the injections")
	repeats := flag.Int("repeats", 8, "injections into each home; buildings take four times as many")
	ridge := flag.Float64("ridge", 2e-4, "penalty that keeps weights small where the data say little")
	part := flag.String("part", "development", "hosts to take: development, final or all")
	flag.Parse()
	if err := run(*homes, *others, accuracy.Part(*part), *seed, *repeats, *ridge); err != nil {
		fmt.Fprintln(os.Stderr, "fit:", err)
		os.Exit(1)
	}
}

func run(homes, others string, part accuracy.Part, seed uint64, repeats int, ridge float64) error {
	hosts, err := accuracy.ReadHosts(homes, others, part)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "package hiddenmining\n\n// Written by \"go run ./internal/accuracy/fit\" (seed %d, %d repeats, ridge %g)\n// from %d hosts. Do not edit; fit again.\n\n", seed, repeats, ridge, len(hosts))
	for _, card := range []struct {
		name, what string
		curves     bool
		weigh      func([]accuracy.Sample)
	}{
		{"dailyCard", "weighs daily features where the declared use is not flat by nature", false, accuracy.Weigh},
		{"hourlyCard", "weighs daily features and raw curve where the declared use is not flat by nature", true, accuracy.Weigh},
		{"declaredDailyCard", "weighs daily features against other loads of flat declared uses", false, accuracy.WeighDeclared},
		{"declaredHourlyCard", "weighs daily features and raw curve against other loads of flat declared uses", true, accuracy.WeighDeclared},
	} {
		rng := rand.New(rand.NewPCG(seed, 7))
		samples := accuracy.HostSamples(rng, hosts, repeats, card.curves)
		card.weigh(samples)
		var examples []accuracy.Example
		for i := range samples {
			if samples[i].Weight > 0 {
				examples = append(examples, samples[i].Example)
			}
		}
		write(&out, card.name, card.what, accuracy.Train(examples, accuracy.Directions(), ridge))
	}
	source, err := format.Source(out.Bytes())
	if err != nil {
		return fmt.Errorf("format the cards: %w", err)
	}
	if _, err := os.Stdout.Write(source); err != nil {
		return fmt.Errorf("write the cards: %w", err)
	}
	return nil
}

func write(out *bytes.Buffer, name, what string, card hiddenmining.Card) {
	fmt.Fprintf(out, "// %s %s.\nfunc %s() Card {\n\treturn Card{Base: %v, Rows: []Row{\n", name, what, name, card.Base)
	for _, r := range card.Rows {
		fmt.Fprintf(out, "\t\t{%q, %s, %s},\n", r.Factor, list(r.Knots), list(r.LogOdds))
	}
	out.WriteString("\t}}\n}\n\n")
}

func list(values []float64) string {
	return fmt.Sprintf("%#v", values)
}
