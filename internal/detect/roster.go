package detect

import (
	"slices"
	"sort"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// span is a run of days, both inclusive.
type span struct{ first, last curve.Date }

// tenure is an assignment of a usage point during the days of a run.
type tenure struct {
	span
	record *grid.UsagePoint
}

// point is a usage point with its assignments during the run, in order of time.
type point struct {
	id      string
	current *grid.UsagePoint // the last assignment
	tenures []tenure
}

// own returns the tenures under the current customer: what a predecessor used
// is not held against him.
func (p *point) own() []tenure {
	var out []tenure
	for _, t := range p.tenures {
		if t.record.CustomerID == p.current.CustomerID {
			out = append(out, t)
		}
	}
	return out
}

// meterExchanged returns the day from which the current customer has had the
// last meter that came in another's place.
func (p *point) meterExchanged() (day curve.Date, ok bool) {
	own := p.own()
	for i := 1; i < len(own); i++ {
		if own[i].record.MeterID != own[i-1].record.MeterID {
			day, ok = own[i].first, true
		}
	}
	return day, ok
}

// behind returns the tenures behind one transformer.
func (p *point) behind(transformerID string) []tenure {
	var out []tenure
	for _, t := range p.tenures {
		if t.record.TransformerID == transformerID {
			out = append(out, t)
		}
	}
	return out
}

// area is a transformer with the usage points that were behind it in the run.
type area struct {
	transformer *grid.PowerTransformer
	points      []*point
}

// roster is who takes part in a part of a run, in order of id.
type roster struct {
	points []*point // judged in this part
	areas  []area   // judged in this part, with guests among their points
	guests []*point // were behind one of the areas, and belong to another part

	// halo are the areas that guests belong to now, and the points behind them
	// that are neither points nor guests. Detectors that measure attributes for
	// others look at them, so that the attributes of guests are right here too.
	halo      []area
	neighbour []*point
}

// register makes points and areas from the records, each once.
type register struct {
	network *grid.Network
	days    span
	loc     *time.Location
	points  map[string]*point // nil: not assigned on any day of the run
}

func newRegister(network *grid.Network, days span, loc *time.Location) *register {
	return &register{network, days, loc, make(map[string]*point)}
}

// point returns a usage point that was assigned on any day of the run, else nil.
func (r *register) point(id string) *point {
	p, known := r.points[id]
	if known {
		return p
	}
	for _, u := range r.network.Assignments(id) {
		if s, ok := assigned(u, r.days, r.loc); ok {
			if p == nil {
				p = &point{id: id}
			}
			p.tenures = append(p.tenures, tenure{s, u})
		}
	}
	if p != nil {
		sort.SliceStable(p.tenures, func(i, j int) bool { return p.tenures[i].first < p.tenures[j].first })
		p.current = p.tenures[len(p.tenures)-1].record
	}
	r.points[id] = p
	return p
}

// behind returns the points that were behind a transformer during the run.
func (r *register) behind(transformerID string) []*point {
	var out []*point
	seen := make(map[string]bool)
	for _, u := range r.network.AssignmentsBehind(transformerID) {
		if seen[u.ID] {
			continue
		}
		seen[u.ID] = true
		if p := r.point(u.ID); p != nil && len(p.behind(transformerID)) > 0 {
			out = append(out, p)
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i].id < out[j].id })
	return out
}

// belonging counts the points that belong to a transformer now.
func (r *register) belonging(transformerID string) int {
	n := 0
	for _, p := range r.behind(transformerID) {
		if p.current.TransformerID == transformerID {
			n++
		}
	}
	return n
}

// share makes the roster of one part; halo says whether to look at the areas
// of guests too. Records that are not there any more are left out.
func (r *register) share(s *share, halo bool) *roster {
	out := &roster{}
	known := make(map[string]bool)
	for _, id := range s.Points {
		if p := r.point(id); p != nil && !known[id] {
			known[id] = true
			out.points = append(out.points, p)
		}
	}
	join := func(into []*point, members []*point) []*point {
		for _, p := range members {
			if !known[p.id] {
				known[p.id] = true
				into = append(into, p)
			}
		}
		return into
	}
	areas := make(map[string]bool)
	for _, id := range s.Transformers {
		if t := r.network.Transformer(id); t != nil && !areas[id] {
			areas[id] = true
			a := area{t, r.behind(id)}
			out.areas = append(out.areas, a)
			out.guests = join(out.guests, a.points)
		}
	}
	if halo {
		for _, g := range out.guests {
			if t := r.network.Transformer(g.current.TransformerID); t != nil && !areas[t.ID] {
				areas[t.ID] = true
				a := area{t, r.behind(t.ID)}
				out.halo = append(out.halo, a)
				out.neighbour = join(out.neighbour, a.points)
			}
		}
	}
	byID := func(list []*point) { sort.Slice(list, func(i, j int) bool { return list[i].id < list[j].id }) }
	byID(out.points)
	byID(out.guests)
	byID(out.neighbour)
	for _, list := range [][]area{out.areas, out.halo} {
		sort.Slice(list, func(i, j int) bool { return list[i].transformer.ID < list[j].transformer.ID })
	}
	return out
}

// all lists every point of the roster.
func (r *roster) all() []*point { return slices.Concat(r.points, r.guests, r.neighbour) }

// meters lists the meters whose load the roster's windows show.
func (r *roster) meters() []string {
	var out []string
	for _, p := range r.all() {
		for _, t := range p.tenures {
			if t.record.MeterID != "" {
				out = append(out, t.record.MeterID)
			}
		}
	}
	for _, a := range slices.Concat(r.areas, r.halo) {
		if a.transformer.MeterID != "" {
			out = append(out, a.transformer.MeterID)
		}
	}
	return out
}

// assigned returns the days on which the assignment holds at noon.
func assigned(u *grid.UsagePoint, days span, loc *time.Location) (span, bool) {
	s := days
	if !u.ValidFrom.IsZero() {
		d := curve.DateOf(u.ValidFrom.In(loc))
		if noon(d, loc).Before(u.ValidFrom) {
			d++
		}
		s.first = max(s.first, d)
	}
	if !u.ValidTo.IsZero() {
		d := curve.DateOf(u.ValidTo.In(loc))
		if !noon(d, loc).Before(u.ValidTo) {
			d--
		}
		s.last = min(s.last, d)
	}
	return s, s.first <= s.last
}

func noon(d curve.Date, loc *time.Location) time.Time {
	return d.Start(loc).Add(12 * time.Hour)
}
