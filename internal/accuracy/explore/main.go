package main

import (
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

func main() {
	hosts, err := accuracy.ReadHosts("/work/shared/data/households-halfhourly.csv.gz", "/work/shared/data/buildings-hourly.csv.gz")
	if err != nil {
		panic(err)
	}
	raw := len(os.Args) > 1 && os.Args[1] == "raw"
	rng := rand.New(rand.NewPCG(1, 7))
	all := accuracy.HostSamples(rng, hosts, 6, raw)
	accuracy.Weigh(all)
	score := make([]float64, len(all))
	for fold := range 3 {
		var tr []accuracy.Example
		for i := range all {
			if all[i].Host%3 != fold {
				tr = append(tr, all[i].Example)
			}
		}
		card := accuracy.Train(tr, accuracy.Directions(), 2e-4)
		for i := range all {
			if all[i].Host%3 == fold {
				score[i] = card.Score(all[i].Factors)
			}
		}
		if fold == 0 && len(os.Args) > 2 {
			fmt.Println("base", card.Base)
			for _, r := range card.Rows {
				fmt.Println(r.Factor, r.Knots, r.LogOdds)
			}
		}
	}
	sel := func(f func(e *accuracy.Sample) bool) []float64 {
		var o []float64
		for i := range all {
			if f(&all[i]) {
				o = append(o, score[i])
			}
		}
		return o
	}
	flatf := func(e *accuracy.Sample) bool { return e.Kind != "none" && e.Kind != "mine" }
	for _, b := range []bool{true, false} {
		none := sel(func(e *accuracy.Sample) bool { return e.Kind == "none" && e.Big != b })
		flat := sel(func(e *accuracy.Sample) bool { return flatf(e) && e.Big != b })
		mine := sel(func(e *accuracy.Sample) bool { return e.Mine && e.Big != b })
		step := sel(func(e *accuracy.Sample) bool { return e.Mine && e.Big != b && e.Truth.FromDay > 0 })
		day0 := sel(func(e *accuracy.Sample) bool { return e.Mine && e.Big != b && e.Truth.FromDay == 0 })
		small := sel(func(e *accuracy.Sample) bool {
			return e.Mine && e.Big != b && e.Truth.FromDay > 0 && e.Truth.Ratio < .25
		})
		big := sel(func(e *accuracy.Sample) bool {
			return e.Mine && e.Big != b && e.Truth.FromDay > 0 && e.Truth.Ratio > .25
		})
		fmt.Printf("home %v: mine/none %.3f  step %.3f (small %.3f big %.3f) day0 %.3f | mine/flat %.3f", b, accuracy.AUC(mine, none), accuracy.AUC(step, none), accuracy.AUC(small, none), accuracy.AUC(big, none), accuracy.AUC(day0, none), accuracy.AUC(mine, flat))
		over := func(v []float64) int {
			n := 0
			for _, s := range v {
				if s > 4.6 {
					n++
				}
			}
			return n
		}
		fmt.Printf(" | none>4.6 %d/%d flats %d/%d mines %d/%d\n", over(none), len(none), over(flat), len(flat), over(mine), len(mine))
		for _, k := range accuracy.FlatKinds() {
			fl := sel(func(e *accuracy.Sample) bool { return e.Kind == k && e.Big != b })
			fmt.Printf("   %s %.3f", k, accuracy.AUC(mine, fl))
		}
		fmt.Println()
	}
	var aucs, p, f float64
	const R = 60
	for range R {
		var mine, rest, flat []float64
		for i := range all {
			e := &all[i]
			group := 311.0
			if !e.Home {
				group = 60
			}
			share := .87 / .92
			switch {
			case e.Mine:
				share = .05
			case flatf(e):
				share = 1
			}
			if rng.Float64() > group*share*e.Weight {
				continue
			}
			switch {
			case e.Mine:
				mine = append(mine, score[i])
			case flatf(e):
				flat = append(flat, score[i])
				rest = append(rest, score[i])
			default:
				rest = append(rest, score[i])
			}
		}
		aucs += accuracy.AUC(mine, rest) / R
		p += accuracy.PrecisionAt(len(mine), mine, rest) / R
		f += accuracy.AUC(mine, flat) / R
	}
	fmt.Printf("pooled: AUC %.3f  P@k %.3f  AUC flats %.3f\n", aucs, p, f)
}
