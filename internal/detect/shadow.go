package detect

import (
	"context"
	"fmt"
	"slices"
)

// Shadow is what a detector in shadow mode said in a run: stamped and kept, so
// that it can be compared with the others and with what came of it, while it
// weighs nothing. It enters no risk, no priority and no case, and gives other
// detectors no attribute.
type Shadow struct {
	Stamp        Stamp               `json:"stamp"`
	Failure      string              `json:"failure,omitempty"` // why it did not finish; what it said until then is dropped
	Scored       int                 `json:"scored"`            // usage points that it gave a probability
	Expected     float64             `json:"expected"`          // sum of these probabilities: how many it takes to be abnormal
	UsagePoints  []ShadowPoint       `json:"usage_points"`      // with a finding, by id
	Transformers []ShadowTransformer `json:"transformers"`      // with a finding, by id
}

// ShadowPoint is what a detector in shadow mode found at a usage point.
type ShadowPoint struct {
	UsagePointID string    `json:"usage_point_id"`
	Probability  float64   `json:"probability"` // its own, of abnormal use, 0 … 1
	Findings     []Finding `json:"findings"`
}

// ShadowTransformer is what a detector in shadow mode found at a transformer.
type ShadowTransformer struct {
	TransformerID string    `json:"transformer_id"`
	Findings      []Finding `json:"findings"`
}

// ShadowsAt returns what detectors in shadow mode found at a usage point, by
// the detector's name.
func (r *Result) ShadowsAt(usagePointID string) []ShadowPoint {
	var out []ShadowPoint
	for i := range r.Shadow {
		points := r.Shadow[i].UsagePoints
		at, ok := slices.BinarySearchFunc(points, usagePointID, func(p ShadowPoint, id string) int { return compareNames(p.UsagePointID, id) })
		if ok {
			out = append(out, points[at])
		}
	}
	return out
}

// shadowNames returns those of the run's detectors that are in shadow mode.
func (in *Input) shadowNames() []string {
	var out []string
	for _, e := range byName(in.Evaluators) {
		if name := e.Describe().Name; slices.Contains(in.Shadow, name) {
			out = append(out, name)
		}
	}
	return out
}

// apart sets the judgements of detectors in shadow mode apart from those that
// count.
func apart(judged []*judgement) (counted, shadows []*judgement) {
	for _, j := range judged {
		if j.shadow {
			shadows = append(shadows, j)
		} else {
			counted = append(counted, j)
		}
	}
	return counted, shadows
}

// shadows draws together what detectors in shadow mode said in one part.
func (b *builder) shadows(ctx context.Context, judged []*judgement) ([]Shadow, error) {
	var out []Shadow
	for _, j := range judged {
		s := Shadow{Stamp: j.stamp}
		if j.failure != nil {
			s.Failure = j.failure.Error()
			out = append(out, s)
			continue
		}
		for _, p := range b.roster.points {
			score, ok := j.score(p.id)
			if !ok {
				continue
			}
			s.Scored++
			s.Expected += score
			if findings := j.points[p.id]; len(findings) > 0 {
				if err := b.estimates(ctx, findings, member{point: p, tenures: p.own()}); err != nil {
					return nil, err
				}
				sortFindings(findings)
				s.UsagePoints = append(s.UsagePoints, ShadowPoint{p.id, score, findings})
			}
		}
		for _, a := range b.roster.areas {
			if findings := j.areas[a.transformer.ID]; len(findings) > 0 {
				if err := b.estimates(ctx, findings, member{transformer: a.transformer}); err != nil {
					return nil, err
				}
				sortFindings(findings)
				s.Transformers = append(s.Transformers, ShadowTransformer{a.transformer.ID, findings})
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// mergeShadows draws together what detectors in shadow mode said in all parts,
// by name. One that failed in any part is heard in none.
func mergeShadows(version string, parts []*Part) []Shadow {
	at := make(map[string]int)
	var out []Shadow
	for _, p := range parts {
		for i := range p.Shadow {
			s := p.Shadow[i]
			s.Stamp.DataVersion = version
			k, known := at[s.Stamp.Detector]
			if !known {
				at[s.Stamp.Detector] = len(out)
				s.UsagePoints, s.Transformers = slices.Clone(s.UsagePoints), slices.Clone(s.Transformers)
				out = append(out, s)
				continue
			}
			into := &out[k]
			if into.Failure == "" {
				into.Failure = s.Failure
			}
			into.Scored += s.Scored
			into.Expected += s.Expected
			into.UsagePoints = append(into.UsagePoints, s.UsagePoints...)
			into.Transformers = append(into.Transformers, s.Transformers...)
		}
	}
	for i := range out {
		out[i].finish(version)
	}
	slices.SortFunc(out, func(x, y Shadow) int { return compareNames(x.Stamp.Detector, y.Stamp.Detector) })
	return out
}

// finish drops what a failed detector said, and stamps and sorts the rest.
func (s *Shadow) finish(version string) {
	if s.Failure != "" {
		s.Scored, s.Expected, s.UsagePoints, s.Transformers = 0, 0, nil, nil
	}
	if s.UsagePoints == nil {
		s.UsagePoints = []ShadowPoint{}
	}
	if s.Transformers == nil {
		s.Transformers = []ShadowTransformer{}
	}
	for i := range s.UsagePoints {
		s.UsagePoints[i].Findings = stampedWith(version, s.UsagePoints[i].Findings)
	}
	for i := range s.Transformers {
		s.Transformers[i].Findings = stampedWith(version, s.Transformers[i].Findings)
	}
	slices.SortFunc(s.UsagePoints, func(x, y ShadowPoint) int { return compareNames(x.UsagePointID, y.UsagePointID) })
	slices.SortFunc(s.Transformers, func(x, y ShadowTransformer) int { return compareNames(x.TransformerID, y.TransformerID) })
}

// stampedWith returns the findings with the version of the whole run's data.
func stampedWith(version string, findings []Finding) []Finding {
	out := slices.Clone(findings)
	for i := range out {
		out[i].Stamp.DataVersion = version
	}
	return out
}

// check returns an error where a part's shadow cannot be taken.
func (s *Shadow) check() error {
	if s.Scored < 0 || !(s.Expected >= 0) {
		return fmt.Errorf("shadow of %s: %d scored, %v expected", s.Stamp.Detector, s.Scored, s.Expected)
	}
	for i := range s.UsagePoints {
		if p := s.UsagePoints[i].Probability; !(p >= 0 && p <= 1) {
			return fmt.Errorf("shadow of %s: a score of %v", s.Stamp.Detector, p)
		}
	}
	return nil
}
