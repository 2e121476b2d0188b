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

// AreaTruth says what is wrong behind a transformer.
type AreaTruth struct {
	Theft   string // fractional, bypass, direct_tap; "" for none
	Culprit string // usage point of the thief, "" for a direct tap
	KW      float64
	Records string // mapping, missing_customer, street_light; "" for none
}

// Areas builds transformers with real loads behind them: losses by nameplate,
// class errors of the meters, gaps, lamps on some, errors in the records on
// some and theft on some.
type Areas struct {
	Network *grid.Network
	Store   *curve.Memory
	Truth   map[string]AreaTruth
}

// areaNameplates are rated kVA with no-load and load loss in W.
var areaNameplates = [...][3]float64{{50, 130, 870}, {100, 200, 1500}, {160, 280, 2200}, {250, 400, 3050}, {400, 570, 4300}}

// NewAreas draws so many areas of 8 to 40 members from the hosts, over days.
func NewAreas(ctx context.Context, rng *rand.Rand, hosts []Load, areas, days int) (*Areas, error) {
	out := &Areas{Store: curve.NewMemory(), Truth: map[string]AreaTruth{}}
	var records grid.Records
	for k := range areas {
		if err := out.area(ctx, rng, hosts, k, days, &records); err != nil {
			return nil, err
		}
	}
	out.Network = grid.NewNetwork(records)
	return out, nil
}

func (a *Areas) area(ctx context.Context, rng *rand.Rand, hosts []Load, k, days int, records *grid.Records) error {
	id := fmt.Sprintf("T%03d", k)
	n := days * 24
	input := make([]float64, n)
	var truth AreaTruth
	members := 8 + rng.IntN(33)
	loads := make([]Load, 0, members)
	for m, h := range rng.Perm(len(hosts)) { // no host twice: the same curve behind two meters tells nobody apart
		host := &hosts[h]
		if len(loads) == members {
			break
		}
		if host.MeanKW() > 8 || host.Days < days {
			continue
		}
		l := host.Segment(rng.IntN(max(host.Days-days, 0)+1), min(days, host.Days))
		if l.StepMinutes < 60 {
			l = l.Coarser(60)
		}
		l.ID, l.First = fmt.Sprintf("%s-%02d", id, m), 20000
		for i, v := range l.KW {
			if math.IsNaN(v) {
				l.KW[i] = 0.1
			}
			input[i] += l.KW[i]
		}
		loads = append(loads, l)
	}
	truth.inject(rng, loads, input, days)
	a.records(rng, &truth, &loads, input)
	plate := fitPlate(input)
	unmetered := a.lamps(rng, &truth, input, id)
	gain := 1 + 0.003*rng.NormFloat64()
	meter := Load{ID: id + "-M", StepMinutes: 60, First: 20000, Days: days, KW: make([]float64, n)}
	line := 0.4 + 1.2*rng.Float64()
	for i := range input {
		s := input[i] / 0.94 / plate[0]
		meter.KW[i] = (input[i] + plate[1]/1000 + (1+line)*plate[2]/1000*s*s) * gain * (1 + 0.002*rng.NormFloat64())
	}
	records.Transformers = append(records.Transformers, grid.PowerTransformer{ID: id, RatedKVA: plate[0], NoLoadLossW: plate[1], LoadLossW: plate[2], MeterID: meter.ID})
	records.Unmetered = append(records.Unmetered, unmetered...)
	for i := range loads {
		l := &loads[i]
		g := 1 + 0.004*rng.NormFloat64()
		for t := range l.KW {
			l.KW[t] *= g
		}
		if rng.IntN(6) == 0 {
			lose(rng, l)
		}
		records.Customers = append(records.Customers, grid.Customer{ID: l.ID, Category: grid.Category(l.Category), DeclaredUse: l.DeclaredUse})
		records.UsagePoints = append(records.UsagePoints, grid.UsagePoint{ID: l.ID, MeterID: l.ID, CustomerID: l.ID, TransformerID: id})
		if err := put(ctx, a.Store, l); err != nil {
			return err
		}
	}
	a.Truth[id] = truth
	return put(ctx, a.Store, &meter)
}

func put(ctx context.Context, store *curve.Memory, l *Load) error {
	days := l.days()
	features := make([]curve.Features, len(days))
	for d := range days {
		features[d] = curve.Compute(&days[d])
	}
	return store.PutDays(ctx, days, features)
}

// inject adds a theft to four areas in ten.
func (t *AreaTruth) inject(rng *rand.Rand, loads []Load, input []float64, days int) {
	from := 0
	if rng.Float64() < 0.8 {
		from = int(float64(days) * (0.2 + 0.5*rng.Float64()))
	}
	culprit := &loads[rng.IntN(len(loads))]
	noise := func() float64 { return 1 + 0.01*rng.NormFloat64() }
	switch rng.IntN(10) {
	case 0:
		t.Theft, t.Culprit = "fractional", culprit.ID
		share := 0.3 + 0.5*rng.Float64()
		for i := from * 24; i < len(culprit.KW); i++ {
			culprit.KW[i] *= 1 - share
		}
		t.KW = share * culprit.MeanKW()
	case 1: // a part of the load is moved to before the meter
		t.Theft, t.Culprit = "bypass", culprit.ID
		limit := culprit.MeanKW() * (0.4 + 0.8*rng.Float64())
		for i := from * 24; i < len(culprit.KW); i++ {
			moved := math.Max(culprit.KW[i]-limit, 0) // what is large is on the other wire
			culprit.KW[i] -= moved
			t.KW += moved / float64(len(culprit.KW))
		}
	case 2: // a new load before the meter, on the same fuse
		t.Theft, t.Culprit, t.KW = "bypass", culprit.ID, 1+6*rng.Float64()
		dark := map[int]bool{}
		for range 2 + rng.IntN(3) {
			at := from*24 + rng.IntN(len(input)-from*24)
			for i := at; i < min(at+1+rng.IntN(3), len(input)); i++ {
				dark[i] = true
			}
		}
		for i := from * 24; i < len(input); i++ {
			if dark[i] {
				input[i] -= culprit.KW[i]
				culprit.KW[i] = 0
				continue
			}
			input[i] += t.KW * noise()
		}
	case 3:
		t.Theft, t.KW = "direct_tap", 1+8*rng.Float64()
		for i := from * 24; i < len(input); i++ {
			input[i] += t.KW * noise()
		}
	}
}

// records makes the records wrong for one area in four.
func (a *Areas) records(rng *rand.Rand, t *AreaTruth, loads *[]Load, input []float64) {
	k := rng.IntN(len(*loads))
	if (*loads)[k].ID == t.Culprit {
		return
	}
	switch rng.IntN(8) {
	case 0: // this member hangs elsewhere
		t.Records = "mapping"
		for i, v := range (*loads)[k].KW {
			input[i] -= v
		}
	case 1: // this one hangs here and is recorded elsewhere
		t.Records = "missing_customer"
		*loads = append((*loads)[:k:k], (*loads)[k+1:]...)
	}
}

func (a *Areas) lamps(rng *rand.Rand, t *AreaTruth, input []float64, id string) []grid.UnmeteredLoad {
	if rng.IntN(2) == 0 {
		return nil
	}
	kw := 0.3 + 1.5*rng.Float64()
	for i := range input {
		if h := i % 24; h < 5 || h >= 20 {
			input[i] += kw * 0.97
		}
	}
	if rng.IntN(5) == 0 {
		t.Records += " street_light"
		return nil
	}
	return []grid.UnmeteredLoad{{TransformerID: id, Kind: "street_light", KW: kw, Hours: "dusk_to_dawn"}}
}

// fitPlate is the smallest nameplate that carries the load.
func fitPlate(input []float64) [3]float64 {
	peak := 0.0
	for _, v := range input {
		peak = math.Max(peak, v)
	}
	for _, p := range areaNameplates {
		if p[0] > peak/0.8 {
			return p
		}
	}
	return areaNameplates[len(areaNameplates)-1]
}

// Judge runs the built-in detectors over the areas.
func (a *Areas) Judge(ctx context.Context, prior float64) (*detect.Result, error) {
	uses, err := Uses()
	if err != nil {
		return nil, err
	}
	return Detect(ctx, a.Network, uses, a.Store, prior)
}
