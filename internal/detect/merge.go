package detect

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

func compareNames(x, y string) int { return strings.Compare(x, y) }

// failures names the detectors that failed in any part, with what the first of
// the parts says.
func failures(plan *Plan, parts []*Part) map[string]string {
	out := make(map[string]string)
	for _, p := range parts {
		for _, d := range p.Detectors {
			if _, known := out[d.Stamp.Detector]; !known && d.Failure != "" {
				out[d.Stamp.Detector] = d.Failure
			}
		}
	}
	maps.Copy(out, plan.Without)
	return out
}

// Again returns the plan to run once more, nil where parts can be merged. A
// detector that measures attributes for the others and failed in a part has
// been heard in other parts: the run is done without it, so that all parts
// are judged alike.
func (p *Plan) Again(parts []*Part) *Plan {
	failed := failures(p, parts)
	without := maps.Clone(p.Without)
	for _, d := range p.Providers {
		if reason, ok := failed[d]; ok && p.Without[d] == "" && !failedEverywhere(d, parts) {
			if without == nil {
				without = make(map[string]string)
			}
			without[d] = reason
		}
	}
	if len(without) == len(p.Without) {
		return nil
	}
	next := *p
	next.Without = without
	return &next
}

func failedEverywhere(detector string, parts []*Part) bool {
	for _, p := range parts {
		for _, d := range p.Detectors {
			if d.Stamp.Detector == detector && d.Failure == "" {
				return false
			}
		}
	}
	return true
}

// Merge draws all parts of a plan together. They may come in any order, and
// one may come twice.
func Merge(in Input, plan *Plan, parts []*Part) (*Result, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	parts, err := inOrder(plan, parts)
	if err != nil {
		return nil, err
	}
	failed := failures(plan, parts)
	r := &Result{
		At: in.now(), FirstDay: plan.First, LastDay: plan.Last, Prior: plan.Prior, Calibration: in.Calibration,
		DataVersion: dataVersion(plan, parts), Failed: []DetectorFailure{},
	}
	for _, name := range slices.Sorted(maps.Keys(failed)) {
		r.Failed = append(r.Failed, DetectorFailure{name, failed[name]})
	}
	judged := stamps(parts, failed)
	r.RunID = runID(r.At, r.DataVersion, judged)
	r.Inputs = inputsOf(&in, plan, parts, judged)
	m := merger{in: &in, failed: failed, version: r.DataVersion}
	if plan.Fleet {
		m.readFleet(parts[len(parts)-1])
	}
	r.Transformers = m.transformers(parts[:len(plan.Shares)])
	r.UsagePoints = m.usagePoints(parts[:len(plan.Shares)], plan.Prior, hazards(r.Transformers))
	r.Shadow = mergeShadows(r.DataVersion, parts)
	return r, nil
}

// inOrder sorts the parts and drops those that came twice.
func inOrder(plan *Plan, parts []*Part) ([]*Part, error) {
	out := make([]*Part, plan.Parts())
	for _, p := range parts {
		if p == nil || p.Index < 0 || p.Index >= len(out) {
			return nil, errors.New("a part that is none of the plan's")
		}
		out[p.Index] = p
	}
	for i, p := range out {
		if p == nil {
			return nil, fmt.Errorf("part %d of %d is missing", i, len(out))
		}
	}
	return out, nil
}

// stamps lists who judged, by name.
func stamps(parts []*Part, failed map[string]string) []Stamp {
	byName := make(map[string]Stamp)
	for _, p := range parts {
		for _, d := range p.Detectors {
			if _, known := byName[d.Stamp.Detector]; known {
				continue
			}
			if _, out := failed[d.Stamp.Detector]; out {
				d.Stamp.SHA256, d.Stamp.ConfigHash = "", ""
			}
			byName[d.Stamp.Detector] = d.Stamp
		}
	}
	out := make([]Stamp, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		out = append(out, byName[name])
	}
	return out
}

func runID(at time.Time, version string, stamps []Stamp) string {
	h := newHasher()
	h.text(at.Format(time.RFC3339Nano), version)
	for _, s := range stamps {
		h.text(s.Detector, s.Version, s.SHA256, s.ConfigHash)
	}
	return h.sum()[:16]
}

// merger draws together what the parts say of points and transformers.
type merger struct {
	in      *Input
	failed  map[string]string
	version string

	fleet       *Part // of the detectors that look at the whole fleet
	fleetPoints map[string]*partPoint
	fleetAreas  map[string]*partArea
}

func (m *merger) readFleet(p *Part) {
	points, areas := p.without(m.failed)
	m.fleet, m.fleetPoints, m.fleetAreas = p, make(map[string]*partPoint), make(map[string]*partArea)
	for i := range points {
		m.fleetPoints[points[i].ID] = &points[i]
	}
	for i := range areas {
		m.fleetAreas[areas[i].ID] = &areas[i]
	}
}

// stamped gives findings the version of the whole run's data.
func (m *merger) stamped(findings ...[]Finding) []Finding {
	out := slices.Concat(findings...)
	for i := range out {
		out[i].Stamp.DataVersion = m.version
	}
	slices.SortStableFunc(out, func(x, y Finding) int { return compareNames(x.Stamp.Detector, y.Stamp.Detector) })
	return out
}

func (m *merger) transformers(parts []*Part) []TransformerAssessment {
	out := []TransformerAssessment{}
	for _, p := range parts {
		_, areas := p.without(m.failed)
		for i := range areas {
			out = append(out, m.transformer(p, &areas[i]))
		}
	}
	slices.SortFunc(out, func(x, y TransformerAssessment) int { return compareNames(x.TransformerID, y.TransformerID) })
	return out
}

// measuredBy is what one detector measured of a transformer.
type measuredBy struct {
	detector string
	values   map[string]float64
}

func (m *merger) transformer(p *Part, area *partArea) TransformerAssessment {
	a := TransformerAssessment{
		TransformerID: area.ID,
		LoadingP95Pct: Unknown(), HotSpotMaxC: Unknown(), LossPct: Unknown(), UnexplainedKWhMonth: Unknown(),
		Verdicts: []string{}, Suspects: []string{},
	}
	if t := m.in.Network.Transformer(area.ID); t != nil {
		a.RatedKVA = t.RatedKVA
	}
	var measures []measuredBy
	add := func(from *Part, list []partMeasures) {
		for _, v := range list {
			measures = append(measures, measuredBy{from.Detectors[v.Detector].Stamp.Detector, v.Values})
		}
	}
	add(p, area.Measures)
	var more []Finding
	if f := m.fleetAreas[area.ID]; f != nil {
		add(m.fleet, f.Measures)
		more = f.Findings
	}
	slices.SortStableFunc(measures, func(x, y measuredBy) int { return compareNames(x.detector, y.detector) })
	for _, v := range measures {
		a.measure(v.values)
	}
	if a.Findings = m.stamped(area.Findings, more); a.Findings == nil {
		a.Findings = []Finding{}
	}
	sortFindings(a.Findings)
	a.summarise(area.Metered)
	return a
}

func (m *merger) usagePoints(parts []*Part, prior float64, hazards map[string]float64) []Assessment {
	n := 0
	for _, p := range parts {
		n += len(p.Points)
	}
	out := make([]Assessment, 0, n)
	for _, p := range parts {
		points, _ := p.without(m.failed)
		for i := range points {
			out = append(out, m.usagePoint(p, &points[i], prior, hazards))
		}
	}
	RankQueue(out)
	return out
}

func (m *merger) usagePoint(p *Part, point *partPoint, prior float64, hazards map[string]float64) Assessment {
	a := Assessment{
		UsagePointID: point.ID, MeterID: point.Meter, CustomerID: point.Customer, TransformerID: point.Transformer,
		FirstDay: m.in.First, LastDay: m.in.Last, MeanKW: point.MeanKW, GoodShare: point.GoodShare, EstimatedShare: Unknown(),
		Reasons: []string{}, Detectors: []string{},
	}
	scores := scoresOf(p, point)
	var more []Finding
	if f := m.fleetPoints[point.ID]; f != nil {
		scores = append(scores, scoresOf(m.fleet, f)...)
		more = f.Findings
	}
	if a.Findings = m.stamped(point.Findings, more); a.Findings == nil {
		a.Findings = []Finding{}
	}
	a.weigh(m.in, prior, scores, hazards)
	return a
}
