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
	Shape   string // of the theft: constant_share, by_hours, night_only, capped …
	Culprit string // usage point of the thief, "" for a direct tap
	KW      float64
	Share   float64  // of KW in the energy of the area
	FromDay int      // 0: from the first day
	Records []string // what the records hold wrongly: member_elsewhere, missing_customer, swapped, street_light …
}

// Areas builds transformers with real loads behind them: losses by nameplate
// and in the lines, meters of several classes with clocks that are off, gaps
// and estimates, lamps, errors in the records and theft.
type Areas struct {
	Network   *grid.Network
	Store     *curve.Memory
	Truth     map[string]AreaTruth
	Elsewhere map[string]string // usage points that hang on another transformer than recorded, and on which
	Rephased  map[string]bool   // usage points on another phase than recorded
	Loss      map[string]float64
}

// AreaOptions is what a trial is made of.
type AreaOptions struct {
	Areas       int
	Days        int
	StepMinutes int
	Voltage     bool // meters give the voltage
}

// TrialOptions varies length and resolution from trial to trial.
func TrialOptions(seed, areas int) AreaOptions {
	steps := [...]int{60, 30, 60, 15, 60}
	lengths := [...]int{60, 90, 30, 60, 45, 60, 120}
	return AreaOptions{Areas: areas, Days: lengths[seed%len(lengths)], StepMinutes: steps[seed%len(steps)], Voltage: seed%4 == 3}
}

// site is one transformer as it really is.
type site struct {
	id       string
	loads    []*resident // what really hangs here
	recorded []*resident // what the records say hangs here
	extra    []float64   // load behind no meter
	truth    AreaTruth
	plate    [3]float64
	listed   []grid.UnmeteredLoad
}

// resident is one customer.
type resident struct {
	load  Load      // what its meter shows
	taken []float64 // what it takes
	phase int       // 0, 1, 2; 3 for three phases
	thief bool
}

// trial is what one call of NewAreas works with.
type trial struct {
	AreaOptions
	rng    *rand.Rand
	homes  []*Load
	firms  []*Load
	perDay int
	n      int
	mv     []float64 // the feeder's voltage, V about 230
	season float64   // hour of sunset on the first day
}

// areaNameplates are rated kVA with no-load and load loss in W.
var areaNameplates = [...][3]float64{{25, 90, 600}, {50, 130, 870}, {100, 200, 1500}, {160, 280, 2200}, {250, 400, 3050}, {400, 570, 4300}}

// firstAreaDay is the first day of the trials.
const firstAreaDay = curve.Date(20000)

// NewAreas draws areas of 5 to 60 members from the hosts.
func NewAreas(ctx context.Context, rng *rand.Rand, hosts []Load, o AreaOptions) (*Areas, error) {
	t := &trial{AreaOptions: o, rng: rng, perDay: 1440 / o.StepMinutes}
	t.n = o.Days * t.perDay
	t.season = 16.5 + 4*rng.Float64()
	for i := range hosts {
		if hosts[i].DeclaredUse == "dwelling" {
			t.homes = append(t.homes, &hosts[i])
		} else {
			t.firms = append(t.firms, &hosts[i])
		}
	}
	t.mv = t.feederVoltage()
	sites := make([]*site, o.Areas)
	for k := range sites {
		sites[k] = t.site(k)
	}
	out := &Areas{
		Store: curve.NewMemory(), Truth: map[string]AreaTruth{}, Elsewhere: map[string]string{},
		Rephased: map[string]bool{}, Loss: map[string]float64{},
	}
	for k, s := range sites {
		t.misplace(s, sites[(k+1)%len(sites)], out)
	}
	var records grid.Records
	for _, s := range sites {
		if err := out.write(ctx, t, s, &records); err != nil {
			return nil, err
		}
	}
	out.Network = grid.NewNetwork(records)
	return out, nil
}

// site draws the customers of one transformer, and a theft in four areas of ten.
func (t *trial) site(k int) *site {
	s := &site{id: fmt.Sprintf("T%03d", k), extra: make([]float64, t.n)}
	members := 5 + int(56*math.Pow(t.rng.Float64(), 1.4))
	homes, firms := t.rng.Perm(len(t.homes)), t.rng.Perm(len(t.firms)) // nobody twice: the same curve behind two meters tells nobody apart
	share := 0.0
	if t.rng.IntN(2) == 0 {
		share = 0.15 * t.rng.Float64()
	}
	for m := range members {
		var r *resident
		if len(firms) > 0 && t.rng.Float64() < share {
			r = t.resident(t.firms[firms[0]], 0.4*math.Exp(3*t.rng.Float64()))
			firms = firms[1:]
		} else if m < len(homes) {
			r = t.resident(t.homes[homes[m]], 0)
		} else {
			break
		}
		r.load.ID = fmt.Sprintf("%s-%02d", s.id, m)
		r.phase = t.rng.IntN(3)
		if r.load.Category == "commercial" {
			r.phase = 3
		}
		s.loads = append(s.loads, r)
	}
	s.recorded = append([]*resident(nil), s.loads...)
	if t.rng.Float64() < 0.4 {
		t.steal(s)
	}
	return s
}

// resident takes a stretch of a host's load, with that mean power where meanKW > 0.
func (t *trial) resident(host *Load, meanKW float64) *resident {
	l := *host
	if l.StepMinutes < t.StepMinutes {
		l = l.Coarser(t.StepMinutes)
	}
	finer := l.StepMinutes / t.StepMinutes
	weeks := l.Days / 7 * 7
	from := t.rng.IntN(max(weeks-t.Days, 0)/7+1) * 7
	scale := 1.0
	if mean := l.MeanKW(); meanKW > 0 {
		scale = meanKW / mean
	}
	r := &resident{taken: make([]float64, t.n)}
	last := 0.1 * scale
	for i := range r.taken {
		d, at := i/t.perDay, i%t.perDay
		v := l.KW[(from+d)%weeks*l.PerDay()+at/finer]
		if math.IsNaN(v) {
			v = last
		}
		last = v
		if finer > 1 {
			v *= math.Exp(0.15*t.rng.NormFloat64() - 0.011)
		}
		r.taken[i] = v * scale
	}
	r.load = Load{
		ID: l.ID, StepMinutes: t.StepMinutes, First: firstAreaDay, Days: t.Days, KW: append([]float64(nil), r.taken...),
		Category: l.Category, DeclaredUse: l.DeclaredUse, ContractedKVA: l.ContractedKVA,
	}
	return r
}

func (t *trial) hour(i int) float64 { return float64(i%t.perDay) * 24 / float64(t.perDay) }

// input is what passes the transformer before losses, kW.
func (s *site) input() []float64 {
	out := append([]float64(nil), s.extra...)
	for _, r := range s.loads {
		for i, v := range r.taken {
			out[i] += v
		}
	}
	return out
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
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
