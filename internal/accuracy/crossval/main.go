// Command crossval fits hiddenmining's score card on two thirds of the host
// loads and scores the last third, three times over, so that no host is judged
// by a card that has seen it:
//
//	go run ./internal/accuracy/crossval -homes FILE -others FILE
//
// The declared uses of the flat loads are withheld: the shape alone must tell.
package main

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

func main() {
	homes := flag.String("homes", "", "wide CSV of homes")
	others := flag.String("others", "", "wide CSV of business and public buildings")
	repeats := flag.Int("repeats", 6, "injections into each home; buildings take four times as many")
	curves := flag.Bool("curves", true, "measure the raw curves too")
	flag.Parse()
	if err := run(*homes, *others, *repeats, *curves); err != nil {
		fmt.Fprintln(os.Stderr, "crossval:", err)
		os.Exit(1)
	}
}

const folds = 3

func run(homes, others string, repeats int, curves bool) error {
	hosts, err := accuracy.ReadHosts(homes, others, accuracy.AllHosts)
	if err != nil {
		return err
	}
	rng := rand.New(rand.NewPCG(1, 7))
	samples := accuracy.HostSamples(rng, hosts, repeats, curves)
	accuracy.Weigh(samples)
	scores := make([]float64, len(samples))
	for fold := range folds {
		var train []accuracy.Example
		for i := range samples {
			if samples[i].Host%folds != fold {
				train = append(train, samples[i].Example)
			}
		}
		card := accuracy.Train(train, accuracy.Directions(), 2e-4)
		for i := range samples {
			if samples[i].Host%folds == fold {
				scores[i] = card.Score(samples[i].Factors)
			}
		}
	}
	pick := func(keep func(s *accuracy.Sample) bool) []float64 {
		var out []float64
		for i := range samples {
			if keep(&samples[i]) {
				out = append(out, scores[i])
			}
		}
		return out
	}
	for _, big := range []bool{false, true} {
		name := "homes and small businesses"
		if big {
			name = "buildings"
		}
		none := pick(func(s *accuracy.Sample) bool { return s.Big == big && s.Kind == "none" })
		mines := func(keep func(t *accuracy.Truth) bool) []float64 {
			return pick(func(s *accuracy.Sample) bool { return s.Big == big && s.Mine && keep(&s.Truth) })
		}
		fmt.Printf("%s, AUC of mines against loads with nothing added: all %.3f", name, accuracy.AUC(mines(func(*accuracy.Truth) bool { return true }), none))
		fmt.Printf(", begun within %.3f (under 25 %% of the host %.3f, above %.3f), from day 0 %.3f\n  against",
			accuracy.AUC(mines(func(t *accuracy.Truth) bool { return t.FromDay > 0 }), none),
			accuracy.AUC(mines(func(t *accuracy.Truth) bool { return t.FromDay > 0 && t.Ratio < 0.25 }), none),
			accuracy.AUC(mines(func(t *accuracy.Truth) bool { return t.FromDay > 0 && t.Ratio >= 0.25 }), none),
			accuracy.AUC(mines(func(t *accuracy.Truth) bool { return t.FromDay == 0 }), none))
		for _, kind := range accuracy.FlatKinds() {
			flats := pick(func(s *accuracy.Sample) bool { return s.Big == big && s.Kind == kind })
			fmt.Printf("  %s %.3f", kind, accuracy.AUC(mines(func(*accuracy.Truth) bool { return true }), flats))
		}
		fmt.Println()
	}
	return nil
}
