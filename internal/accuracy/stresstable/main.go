// Command stresstable shows where hiddenmining breaks: it judges stress scenes and
// prints how well mines stand out, by length of the window, resolution, gaps,
// host, start, size, habit and look-alike:
//
//	go run ./internal/accuracy/stresstable -homes FILE -others FILE
//
// Recall is at the score that one innocent in twenty exceeds, look-alikes
// being 8 % of the innocent; "above" is the share of a kind at or over a
// probability of a half at the prior.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/accuracy/stress"
	"github.com/gridwarden/gridwarden/plugins/hiddenmining"
)

func main() {
	homes := flag.String("homes", "", "wide CSV of homes")
	others := flag.String("others", "", "wide CSV of business and public buildings")
	part := flag.String("part", "all", "hosts to take: all, even or odd")
	repeats := flag.Int("repeats", 4, "scenes on each home; buildings take three times as many")
	seed := flag.Uint64("seed", 101, "seed of the scenes")
	prior := flag.Float64("prior", 0.01, "base rate of abnormal use")
	flag.Parse()
	if err := run(*homes, *others, accuracy.Part(*part), *repeats, *seed, *prior); err != nil {
		fmt.Fprintln(os.Stderr, "stresstable:", err)
		os.Exit(1)
	}
}

func run(homes, others string, part accuracy.Part, repeats int, seed uint64, prior float64) error {
	hosts, err := accuracy.ReadHosts(homes, others, part)
	if err != nil {
		return err
	}
	uses, err := accuracy.Uses()
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(seed, 11))
	var results []stress.Result
	detector := hiddenmining.New()
	for number := range hosts {
		n := repeats
		if hosts[number].DeclaredUse != "dwelling" {
			n *= 3
		}
		for range n {
			s := stress.New(rng, &hosts[number], number, stress.Options{})
			p, err := s.Judge(context.Background(), detector, s.Window(rng, uses, prior))
			if err != nil {
				return err
			}
			results = append(results, s.Result(p))
		}
	}
	fmt.Print(stress.Table(results))
	return nil
}
