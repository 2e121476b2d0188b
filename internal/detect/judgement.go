package detect

import (
	"maps"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// judgement is what one detector made of a run, under real ids.
type judgement struct {
	builder     *builder
	description sdk.Description
	stamp       Stamp
	failure     error
	shadow      bool

	scores   map[string]float64            // by usage point
	points   map[string][]Finding          // by usage point
	areas    map[string][]Finding          // by transformer
	measures map[string]map[string]float64 // by pseudonym and name
}

func newJudgement(b *builder, d sdk.Description) *judgement {
	return &judgement{
		builder: b, description: d, stamp: Stamp{Detector: d.Name, Version: d.Version},
		scores: make(map[string]float64), points: make(map[string][]Finding), areas: make(map[string][]Finding),
		measures: make(map[string]map[string]float64),
	}
}

// take adds a report. What it says of a subject replaces what was said of it
// before; a usage point that has moved is judged by the area it belongs to now.
func (j *judgement) take(r *seenReport) {
	foreign := j.foreign(r.batch)
	j.takeMeasures(r, foreign)
	if r.batch.halo {
		return // another part takes the rest
	}
	for name, p := range r.report.Scores() {
		if id := j.builder.names.id(name); !foreign[id] {
			j.scores[id] = p
			delete(j.points, id)
		}
	}
	fresh := make(map[string]bool)
	for _, f := range r.report.Findings() {
		name := f.Subject
		id := j.builder.names.id(name)
		into := j.points
		if f.Kind == sdk.Transformer {
			into = j.areas
		} else if foreign[id] {
			continue
		}
		if !fresh[name] {
			fresh[name] = true
			delete(into, id)
			if _, scored := r.report.Scores()[name]; f.Kind == sdk.UsagePoint && !scored {
				delete(j.scores, id)
			}
		}
		f.Subject = id
		f.Suspects = slices.Clone(f.Suspects)
		for i := range f.Suspects {
			f.Suspects[i].Subject = j.builder.names.id(f.Suspects[i].Subject)
		}
		j.builder.names.named(&f)
		into[id] = append(into[id], Finding{Finding: f, Stamp: j.stamp, EstimatedShare: Unknown(), Corroborates: j.description.Corroborates})
	}
}

func (j *judgement) takeMeasures(r *seenReport, foreign map[string]bool) {
	for name, values := range r.report.Measures() {
		if foreign[j.builder.names.id(name)] {
			continue
		}
		if j.measures[name] == nil {
			j.measures[name] = make(map[string]float64)
		}
		maps.Copy(j.measures[name], values)
	}
}

// foreign returns the points of an area window that belong elsewhere by now.
func (j *judgement) foreign(p batch) map[string]bool {
	out := make(map[string]bool)
	for _, m := range p.members {
		if p.area != "" && m.point != nil && m.point.current.TransformerID != p.area {
			out[m.point.id] = true
		}
	}
	return out
}

// score returns the detector's probability for a usage point: the score given,
// else the highest of its findings.
func (j *judgement) score(id string) (p float64, ok bool) {
	if p, ok = j.scores[id]; ok {
		return p, true
	}
	for _, f := range j.points[id] {
		p, ok = max(p, f.Probability), true
	}
	return p, ok
}

// doubt is how doubtful it is that a judgement of the area is one of this
// point: it may hang on another transformer.
func (j *judgement) doubt(id string) float64 {
	if j.description.Scope != sdk.ScopeTransformerArea {
		return 0
	}
	return j.builder.points[id].numbers[sdk.AttrMappingDoubt]
}

// measured returns the values measured under one name by id.
func (j *judgement) measured(name string) map[string]float64 {
	out := make(map[string]float64)
	for pseudonym, values := range j.measures {
		if v, ok := values[name]; ok {
			out[j.builder.names.id(pseudonym)] = v
		}
	}
	return out
}
