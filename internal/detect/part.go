package detect

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Part is what the detectors made of one part of a run, under real ids.
type Part struct {
	Index     int            `json:"index"`
	Version   string         `json:"version,omitempty"` // SHA-256 over what went in; "" for the fleet's part, which sees what others hold
	Detectors []partDetector `json:"detectors"`         // those that judge in this part, by name
	Points    []partPoint    `json:"points"`
	Areas     []partArea     `json:"areas"`
	Shadow    []Shadow       `json:"shadow,omitempty"` // of detectors in shadow mode, by name
}

// partDetector is a detector and how it fared.
type partDetector struct {
	Stamp        Stamp  `json:"stamp"`
	Failure      string `json:"failure,omitempty"`
	Corroborates bool   `json:"corroborates,omitempty"` // it only supports what others find
}

// partPoint is what was said of one usage point.
type partPoint struct {
	ID          string      `json:"id"`
	Meter       string      `json:"meter,omitempty"`
	Customer    string      `json:"customer,omitempty"`
	Transformer string      `json:"transformer,omitempty"`
	MeanKW      Measured    `json:"mean_kw"`
	GoodShare   Measured    `json:"good"`
	Scores      []partScore `json:"scores,omitempty"`
	Findings    []Finding   `json:"findings,omitempty"`
}

type partScore struct {
	Detector    int     `json:"d"` // place in Part.Detectors
	Probability float64 `json:"p"`
	Doubt       float64 `json:"doubt,omitempty"`
}

// partArea is what was said of one transformer.
type partArea struct {
	ID       string         `json:"id"`
	Metered  bool           `json:"metered,omitempty"` // its own meter reported in the run
	Measures []partMeasures `json:"measures,omitempty"`
	Findings []Finding      `json:"findings,omitempty"`
}

type partMeasures struct {
	Detector int                `json:"d"`
	Values   map[string]float64 `json:"v"`
}

// part draws together what the detectors said in one part. Everything that
// weighs them against each other is left to Merge, which knows who failed.
func (b *builder) part(ctx context.Context, index int, version string, judged []*judgement) (*Part, error) {
	out := &Part{Index: index, Version: version, Detectors: []partDetector{}}
	for _, j := range judged {
		d := partDetector{Stamp: j.stamp, Corroborates: j.description.Corroborates}
		if j.failure != nil {
			d.Failure = j.failure.Error()
		}
		out.Detectors = append(out.Detectors, d)
	}
	for _, p := range b.roster.points {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("detection was given up: %w", context.Cause(ctx))
		}
		point := b.partPoint(p)
		for i, j := range judged {
			if score, ok := j.score(p.id); ok {
				point.Scores = append(point.Scores, partScore{i, score, j.doubt(p.id)})
			}
			point.Findings = append(point.Findings, j.points[p.id]...)
		}
		if err := b.estimates(ctx, point.Findings, member{point: p, tenures: p.own()}); err != nil {
			return nil, err
		}
		out.Points = append(out.Points, point)
	}
	for _, a := range b.roster.areas {
		area := partArea{ID: a.transformer.ID, Metered: b.frame.seen(a.transformer.MeterID)}
		for i, j := range judged {
			if values := j.measures[b.areaName[area.ID]]; len(values) > 0 {
				area.Measures = append(area.Measures, partMeasures{i, maps.Clone(values)})
			}
			area.Findings = append(area.Findings, j.areas[area.ID]...)
		}
		if err := b.estimates(ctx, area.Findings, member{transformer: a.transformer}); err != nil {
			return nil, err
		}
		out.Areas = append(out.Areas, area)
	}
	return out, nil
}

// partPoint says what the records and the load say of a point.
func (b *builder) partPoint(p *point) partPoint {
	own := p.own()
	out := partPoint{
		ID: p.id, Meter: p.current.MeterID, Customer: p.current.CustomerID, Transformer: p.current.TransformerID,
		MeanKW: Unknown(), GoodShare: Unknown(),
	}
	if energy, days := b.frame.mean(sdk.EnergyKWh, b.days, own); days > 0 {
		out.MeanKW = Measured(energy / 24)
		good, counted := b.frame.mean(sdk.GoodShare, b.days, own)
		out.GoodShare = 0
		if counted > 0 {
			out.GoodShare = Measured(good * float64(counted) / float64(tenureDays(own)))
		}
	}
	return out
}

// without drops what the detectors of those names said.
func (p *Part) without(failed map[string]string) (points []partPoint, areas []partArea) {
	dropped := make([]bool, len(p.Detectors))
	any := false
	for i, d := range p.Detectors {
		_, dropped[i] = failed[d.Stamp.Detector]
		any = any || dropped[i]
	}
	if !any {
		return p.Points, p.Areas
	}
	gone := func(f Finding) bool { _, ok := failed[f.Stamp.Detector]; return ok }
	for _, point := range p.Points {
		point.Scores = slices.DeleteFunc(slices.Clone(point.Scores), func(s partScore) bool { return dropped[s.Detector] })
		point.Findings = slices.DeleteFunc(slices.Clone(point.Findings), gone)
		points = append(points, point)
	}
	for _, area := range p.Areas {
		area.Measures = slices.DeleteFunc(slices.Clone(area.Measures), func(m partMeasures) bool { return dropped[m.Detector] })
		area.Findings = slices.DeleteFunc(slices.Clone(area.Findings), gone)
		areas = append(areas, area)
	}
	return points, areas
}
