package detect

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Plan says how a run is divided into parts, and holds what every part must
// know of the whole: how the fleet spreads, under which seed pseudonyms are
// made. Parts of the same plan give the same whatever host runs them, in
// whatever order and however often.
//
// It names real ids and the seed; it is for hosts and never for detectors.
type Plan struct {
	First     curve.Date    `json:"first"`
	Last      curve.Date    `json:"last"`
	Prior     float64       `json:"prior"`
	Began     time.Time     `json:"began"`
	Seed      []byte        `json:"seed"` // of the pseudonyms
	Detectors []string      `json:"detectors"`
	Providers []string      `json:"providers,omitempty"` // of the detectors, those that measure attributes for others
	Shadow    []string      `json:"shadow,omitempty"`    // of the detectors, those in shadow mode
	Fleet     bool          `json:"fleet,omitempty"`     // the last part is that of detectors which look at the whole fleet
	Shares    []share       `json:"shares"`
	Groups    []groupSpread `json:"groups"`

	// Without names detectors that are left out, with the reason: they measure
	// attributes for the others and failed in a part.
	Without map[string]string `json:"without,omitempty"`
	// Provided holds what detectors that look at the whole fleet have measured
	// for the others, by name and usage point.
	Provided map[string]map[string]float64 `json:"provided,omitempty"`

	spreads peers
}

// share is what one part judges. A usage point belongs to the part of the
// transformer that it hangs on now; the windows of a transformer's area show
// those that have left it too.
type share struct {
	Transformers []string `json:"t,omitempty"`
	Points       []string `json:"p,omitempty"`
	Records      string   `json:"r"` // digest of what the records say of them
}

// A part holds about so many usage points and transformers: this many days of
// load, which is some 15 MB of features, within bounds.
const (
	shareDays               = 150_000
	leastPoints, mostPoints = 300, 2500
)

// Parts returns the number of parts of the run.
func (p *Plan) Parts() int {
	if p.Fleet {
		return len(p.Shares) + 1
	}
	return len(p.Shares)
}

// fleetPart reports whether a part is the one that looks at the whole fleet.
func (p *Plan) fleetPart(part int) bool { return p.Fleet && part == len(p.Shares) }

func (p *Plan) peers() peers {
	if p.spreads == nil {
		p.spreads = make(peers, len(p.Groups))
		for i := range p.Groups {
			p.spreads[p.Groups[i].group] = &p.Groups[i]
		}
	}
	return p.spreads
}

// NewPlan divides the run. It goes through the daily features once and keeps
// a few numbers of each usage point meanwhile, and of the fleet in the end.
func NewPlan(ctx context.Context, in Input) (*Plan, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	return newPlan(ctx, in, partSize(&in))
}

// partSize is about how many points and transformers a part of the run holds.
func partSize(in *Input) int {
	return min(max(shareDays/(int(in.Last-in.First)+1), leastPoints), mostPoints)
}

// newPlan plans parts of about size points and transformers each.
func newPlan(ctx context.Context, in Input, size int) (*Plan, error) {
	p := &Plan{First: in.First, Last: in.Last, Prior: in.Prior, Began: in.now(), Shadow: in.shadowNames()}
	for _, e := range byName(in.Evaluators) {
		d := e.Describe()
		p.Detectors = append(p.Detectors, d.Name+" "+d.Version)
		if len(d.Provides) > 0 && !slices.Contains(p.Shadow, d.Name) {
			p.Providers = append(p.Providers, d.Name)
		}
		p.Fleet = p.Fleet || d.Scope == sdk.ScopeFleet
	}
	ref := newReference(&in)
	all := ref.records()
	points := all.everybody()
	if err := p.survey(ctx, all, points); err != nil {
		return nil, err
	}
	p.divide(in.Network, points, size)
	for i := range p.Shares {
		if i%64 == 0 && ctx.Err() != nil {
			return nil, fmt.Errorf("detection was given up: %w", context.Cause(ctx))
		}
		p.Shares[i].Records = all.digest(&p.Shares[i])
	}
	p.Seed = p.seed(in.PseudonymKey)
	p.peers()
	return p, p.provide(ctx, in)
}

// byName sorts detectors by name.
func byName(evaluators []Evaluator) []Evaluator {
	out := slices.Clone(evaluators)
	sort.SliceStable(out, func(i, j int) bool { return out[i].Describe().Name < out[j].Describe().Name })
	return out
}

// everybody lists the points that take part in the run, by id.
func (r *register) everybody() []*point {
	var out []*point
	seen := make(map[string]bool, len(r.network.UsagePoints))
	for i := range r.network.UsagePoints {
		id := r.network.UsagePoints[i].ID
		if seen[id] {
			continue
		}
		seen[id] = true
		if p := r.point(id); p != nil {
			out = append(out, p)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].id < out[j].id })
	return out
}

// survey goes through the features of all meters and finds out how the habits
// of each group of peers spread.
func (p *Plan) survey(ctx context.Context, all *records, points []*point) error {
	// A meter's days belong to one of its points or to none.
	type stay struct {
		span
		point, next int32
	}
	var stays []stay
	first := make(map[string]int32, len(points))
	for i, point := range points {
		for _, t := range point.tenures {
			if t.record.CustomerID != point.current.CustomerID || t.record.MeterID == "" {
				continue
			}
			next, ok := first[t.record.MeterID]
			if !ok {
				next = -1
			}
			first[t.record.MeterID] = int32(len(stays))
			stays = append(stays, stay{t.span, int32(i), next})
		}
	}
	habits := make([]habit, len(points))
	energy, night := columnOf(sdk.EnergyKWh), columnOf(sdk.NightKW)
	err := all.in.Curves.Features(ctx, p.First, p.Last, func(meterID string, date curve.Date, f *curve.Features) error {
		at, ok := first[meterID]
		for ; ok && at >= 0; at = stays[at].next {
			if s := &stays[at]; date >= s.first && date <= s.last {
				habits[s.point].energy.add(f[energy])
				habits[s.point].night.add(f[night])
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading daily features: %w", err)
	}
	p.Groups = spreadsOf(all.network, points, habits)
	return nil
}

func spreadsOf(network *grid.Network, points []*point, habits []habit) []groupSpread {
	energies, nights := make(map[group][]float64), make(map[group][]float64)
	for i, point := range points {
		if habits[i].energy.count == 0 {
			continue
		}
		for _, g := range groupsOf(network, point) {
			energies[g] = append(energies[g], habits[i].energy.mean())
			if habits[i].night.count > 0 {
				nights[g] = append(nights[g], habits[i].night.mean())
			}
		}
	}
	out := make([]groupSpread, 0, len(energies))
	for g, values := range energies {
		out = append(out, groupSpread{g, newSpread(values, bandLow, bandMedian, bandHigh), newSpread(nights[g], bandHigh)})
	}
	sort.Slice(out, func(i, j int) bool {
		if out[i].Category != out[j].Category {
			return out[i].Category < out[j].Category
		}
		return out[i].Use < out[j].Use
	})
	return out
}

// divide makes shares of about so many points each: whole transformer areas in
// order of id, and then the points behind no transformer of the records.
func (p *Plan) divide(network *grid.Network, points []*point, size int) {
	behind := make(map[string][]string, len(network.Transformers))
	var loose []string
	for _, point := range points {
		if id := point.current.TransformerID; network.Transformer(id) != nil {
			behind[id] = append(behind[id], point.id)
		} else {
			loose = append(loose, point.id)
		}
	}
	ids := make([]string, len(network.Transformers))
	for i := range network.Transformers {
		ids[i] = network.Transformers[i].ID
	}
	sort.Strings(ids)
	ids = slices.Compact(ids)
	total := len(points) + len(ids)
	count := max(1, (total+size-1)/size)
	each := max(1, (total+count-1)/count)
	var s share
	held := 0
	flush := func() {
		if held > 0 {
			slices.Sort(s.Points)
			p.Shares = append(p.Shares, s)
			s, held = share{}, 0
		}
	}
	for _, id := range ids {
		more := 1 + len(behind[id])
		if held > 0 && held+more/2 > each {
			flush()
		}
		s.Transformers = append(s.Transformers, id)
		s.Points = append(s.Points, behind[id]...)
		if held += more; held >= each {
			flush()
		}
	}
	for _, id := range loose {
		s.Points = append(s.Points, id)
		if held++; held >= each {
			flush()
		}
	}
	flush()
}

// digest is a hash of what the records say of a share: a part is run only by
// a host whose records say the same as those of the host that planned.
func (r *records) digest(s *share) string {
	h := newHasher()
	h.number(float64(r.days.first), float64(r.days.last))
	roster := r.share(s, false)
	for _, p := range slices.Concat(roster.points, roster.guests) {
		h.point(p)
		h.attributes(r.ofPoint(p))
		h.events(eventsOf(r.network, p.tenures, r.days, r.loc))
	}
	for _, a := range roster.areas {
		h.text("transformer", a.transformer.ID, a.transformer.MeterID)
		h.attributes(r.ofTransformer(a.transformer))
		h.events(eventsOf(r.network, ofTransformer(a.transformer, r.days), r.days, r.loc))
	}
	h.floats(r.temperature)
	for _, holiday := range r.holiday {
		h.number(oneIf(holiday))
	}
	return h.sum()[:32]
}

// seed makes the pseudonyms' seed: from the installation's key, so that it is
// the same in every run, else from the data of the run, which no detector
// sees whole.
func (p *Plan) seed(key []byte) []byte {
	if len(key) == 0 {
		key = []byte(p.id())
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("pseudonyms of subjects"))
	return mac.Sum(nil)
}

// id is a hash over all that the plan says of the data.
func (p *Plan) id() string {
	h := newHasher()
	h.number(float64(p.First), float64(p.Last), p.Prior)
	for _, s := range p.Shares {
		h.text(s.Records)
	}
	for i := range p.Groups {
		g := &p.Groups[i]
		h.text("group", g.Category, g.Use)
		for _, s := range []*spread{&g.Energy, &g.Night} {
			h.number(float64(s.Count))
			for _, c := range s.Cuts {
				h.number(c.Quantile, float64(c.First))
				h.number(c.Values...)
			}
		}
	}
	return h.sum()
}
