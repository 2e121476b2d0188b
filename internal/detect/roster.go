package detect

import (
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

// roster is who takes part in a run, in order of id.
type roster struct {
	points []*point
	areas  []area
}

// newRoster lists the usage points that were assigned on any day of the run.
func newRoster(network *grid.Network, days span, loc *time.Location) *roster {
	byID := make(map[string]*point)
	r := &roster{}
	for i := range network.UsagePoints {
		u := &network.UsagePoints[i]
		s, ok := assigned(u, days, loc)
		if !ok {
			continue
		}
		p := byID[u.ID]
		if p == nil {
			p = &point{id: u.ID}
			byID[u.ID] = p
			r.points = append(r.points, p)
		}
		p.tenures = append(p.tenures, tenure{s, u})
	}
	sort.Slice(r.points, func(i, j int) bool { return r.points[i].id < r.points[j].id })
	behind := make(map[string][]*point)
	for _, p := range r.points {
		sort.Slice(p.tenures, func(i, j int) bool { return p.tenures[i].first < p.tenures[j].first })
		p.current = p.tenures[len(p.tenures)-1].record
		for _, t := range p.tenures {
			id := t.record.TransformerID
			if members := behind[id]; len(members) == 0 || members[len(members)-1] != p {
				behind[id] = append(members, p)
			}
		}
	}
	for i := range network.Transformers {
		t := &network.Transformers[i]
		r.areas = append(r.areas, area{t, behind[t.ID]})
	}
	sort.Slice(r.areas, func(i, j int) bool { return r.areas[i].transformer.ID < r.areas[j].transformer.ID })
	return r
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
