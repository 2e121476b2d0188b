package accuracy

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// Mix says what a trial puts into the loads.
type Mix struct {
	Mines float64 // share of the customers that get a mine
	Flats float64 // share that get a legitimate flat load
	Miner Miner
}

// Trial takes every load for so many days and adds mines and legitimate flat
// loads to some of them; the rest stay as they are. Records are mostly right:
// contracts fit the load before the mine came, flat loads are declared in four
// of five cases.
func Trial(rng *rand.Rand, hosts []Load, days int, mix Mix) []Load {
	order := rng.Perm(len(hosts))
	mines, flats := int(math.Round(mix.Mines*float64(len(hosts)))), int(math.Round(mix.Flats*float64(len(hosts))))
	out := make([]Load, len(hosts))
	kinds := FlatKinds()
	for k, h := range order {
		host := &hosts[h]
		n := min(days, host.Days)
		l := host.Segment(rng.IntN(host.Days-n+1), n)
		l.ID = host.ID
		temp := Weather(rng, l.First, l.Days)
		l.ContractedKVA = contract(&l)
		switch {
		case k < mines:
			mix.Miner(rng, &l, temp)
		case k < mines+flats:
			AddFlat(rng, kinds[(k-mines)%len(kinds)], &l, temp)
			l.ContractedKVA = contract(&l)
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

// shift moves all loads to the same days, so that one window holds them.
func shift(loads []Load) {
	for i := range loads {
		first := loads[0].First
		loads[i].First = first + (loads[i].First-first)%7
		if loads[i].First > first {
			loads[i].First -= 7
		}
	}
}

// JudgeLoads runs the built-in detectors over loads and returns the risk of
// each, as scan would with such a registry.
func JudgeLoads(ctx context.Context, loads []Load, prior float64) ([]float64, *detect.Result, error) {
	uses, err := Uses()
	if err != nil {
		return nil, nil, err
	}
	shift(loads)
	store := curve.NewMemory()
	var records grid.Records
	records.Transformers = append(records.Transformers, grid.PowerTransformer{ID: "T1", RatedKVA: 630})
	for i := range loads {
		l := &loads[i]
		id := fmt.Sprintf("UP%05d", i)
		days := l.days()
		features := make([]curve.Features, len(days))
		for d := range days {
			days[d].MeterID = id
			features[d] = curve.Compute(&days[d])
		}
		if err := store.PutDays(ctx, days, features); err != nil {
			return nil, nil, err
		}
		records.Customers = append(records.Customers, grid.Customer{
			ID: id, Category: grid.Category(l.Category), DeclaredUse: l.DeclaredUse, ContractedKVA: l.ContractedKVA, RegisteredDataCentre: l.RegisteredDC,
		})
		records.UsagePoints = append(records.UsagePoints, grid.UsagePoint{ID: id, MeterID: id, CustomerID: id, TransformerID: "T1"})
	}
	result, err := Detect(ctx, grid.NewNetwork(records), uses, store, prior)
	if err != nil {
		return nil, nil, err
	}
	risks := make([]float64, len(loads))
	for i := range result.UsagePoints {
		var k int
		if _, err := fmt.Sscanf(result.UsagePoints[i].UsagePointID, "UP%d", &k); err != nil {
			return nil, nil, fmt.Errorf("usage point %q: %w", result.UsagePoints[i].UsagePointID, err)
		}
		risks[k] = result.UsagePoints[i].Risk
	}
	return risks, result, nil
}
