package detect

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"math"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// builder makes the windows of one run. After newBuilder it only reads, but
// for provide, which the run calls between its phases.
type builder struct {
	days         span
	prior        float64
	roster       *roster
	frame        *frame
	curves       *curveReader
	points       map[string]attributes
	transformers map[string]attributes
	temperature  []float32
	holiday      []bool
	names        *pseudonyms
	pointName    map[string]string // id → pseudonym
	areaName     map[string]string
	version      string
}

func newBuilder(ctx context.Context, in *Input) (*builder, error) {
	days, loc := span{in.First, in.Last}, in.location()
	b := &builder{days: days, prior: in.Prior, roster: newRoster(in.Network, days, loc)}
	var err error
	if b.frame, err = loadFrame(ctx, in.Curves, b.roster, days); err != nil {
		return nil, fmt.Errorf("reading daily features: %w", err)
	}
	b.curves = &curveReader{store: in.Curves, loc: loc}
	b.points = pointAttributes(in, b.roster, b.frame)
	b.transformers = transformerAttributes(in.Network)
	b.temperature = dailyTemperature(in.Network.Weather, days, loc)
	b.holiday = holidays(in.Network.Calendar, days)
	b.version = b.dataVersion()

	key := in.PseudonymKey
	if len(key) == 0 {
		if key, err = hex.DecodeString(b.version); err != nil {
			return nil, fmt.Errorf("deriving the pseudonyms' key: %w", err)
		}
	}
	b.names = newPseudonyms(key)
	b.pointName = make(map[string]string, len(b.roster.points))
	for _, p := range b.roster.points {
		b.pointName[p.id] = b.names.of(sdk.UsagePoint, p.id)
	}
	b.areaName = make(map[string]string, len(b.roster.areas))
	for _, a := range b.roster.areas {
		b.areaName[a.transformer.ID] = b.names.of(sdk.Transformer, a.transformer.ID)
	}
	return b, nil
}

// member is one subject of a window to be.
type member struct {
	point       *point
	transformer *grid.PowerTransformer // set for a transformer itself
	tenures     []tenure               // a point's: whose meter on which days
}

// plan is a window to be.
type plan struct {
	id      uint64
	area    string // the transformer's id in an area window
	members []member
}

// plans lists the windows that a detector gets, in a fixed order.
func (b *builder) plans(d *sdk.Description) []plan {
	if d.Scope == sdk.ScopeTransformerArea {
		return b.areaPlans()
	}
	size := len(b.roster.points)
	if d.Scope == sdk.ScopeUsagePoint {
		perSubject := max(1, len(wanted(d))*b.length(d))
		size = min(max(1, windowValues/perSubject), windowSubjects)
	}
	var out []plan
	for at := 0; at < len(b.roster.points); at += size {
		p := plan{id: uint64(2*len(out) + 1)}
		for _, point := range b.roster.points[at:min(at+size, len(b.roster.points))] {
			p.members = append(p.members, member{point: point, tenures: point.own()})
		}
		out = append(out, p)
	}
	return out
}

func (b *builder) areaPlans() []plan {
	var out []plan
	for _, a := range b.roster.areas {
		p := plan{id: uint64(2*len(out) + 1), area: a.transformer.ID, members: []member{{transformer: a.transformer}}}
		for _, point := range a.points {
			p.members = append(p.members, member{point: point, tenures: point.behind(a.transformer.ID)})
		}
		out = append(out, p)
	}
	return out
}

// answer is the plan of the window that answers a request for curves.
func (b *builder) answer(p plan, requested []string) plan {
	asked := make(map[string]bool, len(requested))
	for _, name := range requested {
		asked[name] = true
	}
	out := plan{id: p.id + 1, area: p.area}
	for _, m := range p.members {
		if asked[b.name(m)] {
			out.members = append(out.members, m)
		}
	}
	return out
}

func (b *builder) name(m member) string {
	if m.transformer != nil {
		return b.areaName[m.transformer.ID]
	}
	return b.pointName[m.point.id]
}

// length is how many days a detector's windows hold.
func (b *builder) length(d *sdk.Description) int {
	n := b.frame.n()
	if d.LookbackDays > 0 {
		n = min(n, d.LookbackDays)
	}
	return n
}

// window builds one window with features, without curves.
func (b *builder) window(d *sdk.Description, p plan) *sdk.Window {
	n := b.length(d)
	days := span{b.days.last - curve.Date(n) + 1, b.days.last}
	w := &sdk.Window{
		ID: p.id, Scope: d.Scope, FirstDay: sdk.Date(days.first), Days: n, Prior: b.prior,
		Subjects: make([]sdk.Subject, len(p.members)),
	}
	skip := b.frame.n() - n
	if b.temperature != nil {
		w.TemperatureC = b.temperature[skip:]
	}
	if b.holiday != nil {
		w.Holiday = b.holiday[skip:]
	}
	for i, m := range p.members {
		w.Subjects[i] = b.subject(m)
	}
	for _, feature := range wanted(d) {
		column, at := nanRow(n*len(p.members)), columnOf(feature)
		for i, m := range p.members {
			row := column[i*n : (i+1)*n]
			if m.transformer != nil {
				b.frame.copyMeter(row, at, days, days, m.transformer.MeterID)
			} else {
				b.frame.copyInto(row, at, days, m.tenures)
			}
		}
		w.SetFeature(feature, column)
	}
	if d.MinimumQuality == meter.Good {
		b.blankEstimated(w, p, days)
	}
	return w
}

// blankEstimated takes out the days that rest on estimated intervals.
func (b *builder) blankEstimated(w *sdk.Window, p plan, days span) {
	n, at := w.Days, columnOf(sdk.EstimatedShare)
	for i, m := range p.members {
		estimated := nanRow(n)
		if m.transformer != nil {
			b.frame.copyMeter(estimated, at, days, days, m.transformer.MeterID)
		} else {
			b.frame.copyInto(estimated, at, days, m.tenures)
		}
		for _, feature := range w.FeatureNames() {
			if feature == sdk.GoodShare || feature == sdk.EstimatedShare {
				continue
			}
			row := w.Feature(feature, i)
			for day, share := range estimated {
				if share > 0 {
					row[day] = float32(math.NaN())
				}
			}
		}
	}
}

func (b *builder) subject(m member) sdk.Subject {
	if m.transformer != nil {
		a := b.transformers[m.transformer.ID]
		return sdk.Subject{
			ID: b.areaName[m.transformer.ID], Kind: sdk.Transformer, HasMeter: b.frame.seen(m.transformer.MeterID),
			Numbers: a.numbers, Texts: a.texts,
		}
	}
	a := b.points[m.point.id]
	texts := maps.Clone(a.texts)
	if id, ok := texts[sdk.AttrTransformer]; ok {
		texts[sdk.AttrTransformer] = b.areaName[id]
	}
	return sdk.Subject{ID: b.pointName[m.point.id], Kind: sdk.UsagePoint, HasMeter: true, Numbers: a.numbers, Texts: texts}
}

// provide makes what one detector measured an attribute for those after it.
func (b *builder) provide(name string, values map[string]float64) {
	for id, v := range values {
		a, ok := b.points[id]
		if !ok {
			continue
		}
		a.numbers = maps.Clone(a.numbers)
		a.numbers[name] = v
		b.points[id] = a
	}
}

// wanted returns the features that a detector asks for, in the stored order.
func wanted(d *sdk.Description) []sdk.Feature {
	if d.Features == nil {
		return sdk.Features()
	}
	asked := make(map[sdk.Feature]bool, len(d.Features))
	for _, f := range d.Features {
		asked[f] = true
	}
	var out []sdk.Feature
	for _, f := range sdk.Features() {
		if asked[f] {
			out = append(out, f)
		}
	}
	return out
}
