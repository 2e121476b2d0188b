// Command bench measures how well the built-in detectors find mines among
// real loads, through the same run and merge as scan:
//
//	go run ./internal/accuracy/bench -homes FILE -others FILE -seeds 10
//
// It prints, per injector, the area under the ROC curve, the precision at the
// number of mines and half of it, the area against the legitimate flat loads,
// and how many untouched customers lie above the case threshold.
package main

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"sort"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/accuracy/physics"
)

func main() {
	homes := flag.String("homes", "", "wide CSV of homes")
	others := flag.String("others", "", "wide CSV of business and public buildings")
	seeds := flag.Int("seeds", 10, "number of trials per injector")
	days := flag.Int("days", 92, "days of each trial")
	prior := flag.Float64("prior", 0.01, "base rate of abnormal use")
	part := flag.String("part", "development", "hosts to take: development, final or all")
	flag.Parse()
	if err := run(*homes, *others, accuracy.Part(*part), *seeds, *days, *prior); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(homes, others string, part accuracy.Part, seeds, days int, prior float64) error {
	hosts, err := accuracy.ReadHosts(homes, others, part)
	if err != nil {
		return err
	}
	if err := untouched(hosts, prior); err != nil {
		return err
	}
	for _, m := range []struct {
		name     string
		injector accuracy.Injector
	}{{"shapes", accuracy.Shapes()}, {"physics", physics.Injector()}} {
		var s accuracy.Summary
		for seed := range seeds {
			rng := rand.New(rand.NewPCG(uint64(seed), 1000))
			loads := accuracy.Trial(rng, hosts, accuracy.Condition{Minutes: 60, Days: days, Step: .001}, accuracy.Mix{Mines: 0.05, Flats: 0.08, Injector: m.injector})
			risks, _, err := accuracy.JudgeLoads(context.Background(), loads, prior)
			if err != nil {
				return err
			}
			s.Add(loads, risks)
		}
		fmt.Printf("injector %s\n%s", m.name, s.String())
	}
	return nil
}

// untouched judges the loads as they are.
func untouched(hosts []accuracy.Load, prior float64) error {
	loads := append([]accuracy.Load(nil), hosts...)
	for i := range loads {
		loads[i] = loads[i].Segment(0, loads[i].Days)
		loads[i].ID = hosts[i].ID
	}
	risks, result, err := accuracy.JudgeLoads(context.Background(), loads, prior)
	if err != nil {
		return err
	}
	order := make([]int, len(risks))
	above := 0
	for i := range order {
		order[i] = i
		if risks[i] >= 0.5 {
			above++
		}
	}
	sort.Slice(order, func(i, k int) bool { return risks[order[i]] > risks[order[k]] })
	fmt.Printf("untouched: %d of %d customers above 0.5; highest:", above, len(risks))
	for _, i := range order[:min(6, len(order))] {
		fmt.Printf(" %s %.3f", loads[i].ID, risks[i])
	}
	fmt.Println()
	for _, f := range result.Failed {
		fmt.Printf("  detector %s failed: %s\n", f.Detector, f.Error)
	}
	return nil
}
