package accuracy

import (
	"math"
	"math/rand/v2"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// Mix says what a trial puts into the loads.
type Mix struct {
	Mines    float64 // share of the customers that get a mine
	Flats    float64 // share that get a legitimate flat load
	Injector Injector
}

// firstDay is the first day of every trial, 2026-03-01.
const firstDay curve.Date = 20513

// Trial takes every host for some days and adds mines and legitimate flat
// loads to some of them; the rest stay as they are. Records are mostly right:
// contracts fit the load before the mine came.
func Trial(rng *rand.Rand, hosts []Load, c Condition, mix Mix) []Load {
	order := rng.Perm(len(hosts))
	mines, flats := int(math.Round(mix.Mines*float64(len(hosts)))), int(math.Round(mix.Flats*float64(len(hosts))))
	out := make([]Load, len(hosts))
	temp := Weather(rng, firstDay, c.Days)
	for k, h := range order {
		l := c.cut(rng, &hosts[h], int(firstDay))
		l.First = firstDay
		l.ContractedKVA = contract(&l)
		before, business := l.KWh(), l.Category != "residential"
		switch {
		case k < mines:
			mix.Injector.Mine(rng, &l, temp)
		case k < mines+flats:
			mix.Injector.Flats[(k-mines)%len(mix.Injector.Flats)].Add(rng, &l, temp)
			l.ContractedKVA = contract(&l)
		}
		if l.Truth.Mine || l.Truth.Flat != "" {
			l.Truth.Business, l.Truth.KWh = business, l.KWh()-before
		}
		c.measure(rng, &l)
		if rng.Float64() < c.Records {
			mistake(rng, &l)
		}
		out[h] = l
	}
	return out
}

// contract is the next usual capacity above the load's own peak.
func contract(l *Load) float64 {
	peak := 0.0
	for _, v := range l.KW {
		if v > peak {
			peak = v
		}
	}
	for _, kva := range []float64{5, 8, 10, 15, 20, 30, 50, 80, 100, 160, 250, 400, 630, 1000, 1600, 2500} {
		if kva >= 1.1*peak/0.95 {
			return kva
		}
	}
	return math.Ceil(peak/1000+1) * 1000
}
