package detect

import (
	"context"
	"maps"
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// builder makes the windows of one part of a run. After newBuilder it only
// reads, but for provide, which the run calls between its phases.
type builder struct {
	days         span
	prior        float64
	roster       *roster
	frame        *frame
	curves       *curveReader
	network      *grid.Network
	points       map[string]attributes
	transformers map[string]attributes
	temperature  []float32
	holiday      []bool
	names        *pseudonyms
	pointName    map[string]string // id → pseudonym
	areaName     map[string]string
	firstID      uint64 // of the windows, so that no two of a run have the same
}

// newBuilder reads what the windows of a roster show. columns says which
// features, nil all of them.
func newBuilder(ctx context.Context, records *records, p *Plan, r *roster, columns []sdk.Feature) (*builder, error) {
	in := records.in
	b := &builder{
		days: records.days, prior: p.Prior, roster: r, temperature: records.temperature, holiday: records.holiday,
		curves: &curveReader{store: in.Curves, loc: in.location()}, network: in.Network,
		points: make(map[string]attributes), transformers: make(map[string]attributes),
		names: newPseudonyms(p.Seed), pointName: make(map[string]string), areaName: make(map[string]string),
	}
	var err error
	if b.frame, err = loadFrame(ctx, in.Curves, r.meters(), b.days, columns); err != nil {
		return nil, err
	}
	peers := p.peers()
	for _, point := range r.all() {
		a := records.ofPoint(point)
		if band, ok := peers.band(groupsOf(in.Network, point), b.frame.habitOf(point)); ok {
			a.peers(band)
		}
		a.bills(in, b.frame, point)
		b.points[point.id] = a
		b.pointName[point.id] = b.names.of(sdk.UsagePoint, point.id)
		if id := point.current.TransformerID; in.Network.Transformer(id) != nil && b.areaName[id] == "" {
			b.areaName[id] = b.names.of(sdk.Transformer, id)
		}
	}
	for _, a := range slices.Concat(r.areas, r.halo) {
		b.transformers[a.transformer.ID] = records.ofTransformer(a.transformer)
		b.areaName[a.transformer.ID] = b.names.of(sdk.Transformer, a.transformer.ID)
	}
	for name, values := range p.Provided {
		b.provide(name, values)
	}
	return b, nil
}

// member is one subject of a window to be.
type member struct {
	point       *point
	transformer *grid.PowerTransformer // set for a transformer itself
	tenures     []tenure               // a point's: whose meter on which days
}

// batch is a window to be.
type batch struct {
	id      uint64
	area    string // the transformer's id in an area window
	members []member
	halo    bool // of another part: only what is measured there counts
}

// batches lists the windows that a detector gets, in a fixed order.
func (b *builder) batches(d *sdk.Description) []batch {
	var out []batch
	add := func(next batch) {
		next.id = b.firstID + uint64(2*len(out)+1)
		out = append(out, next)
	}
	r := b.roster
	if d.Scope == sdk.ScopeTransformerArea {
		for _, a := range r.areas {
			add(areaBatch(a, false))
		}
		for _, a := range r.halo {
			if len(d.Provides) > 0 {
				add(areaBatch(a, true))
			}
		}
		return out
	}
	size := max(1, len(r.points))
	if d.Scope == sdk.ScopeUsagePoint {
		size = batchSize(d, b.length(d))
	}
	for points := range slices.Chunk(b.only(d, r.points), size) {
		add(pointBatch(points, false))
	}
	if len(d.Provides) > 0 {
		for points := range slices.Chunk(b.only(d, r.guests), size) {
			add(pointBatch(points, true))
		}
	}
	return out
}

// only leaves the points that bear one of the attributes which the detector
// asks for. What other detectors measure is known only when they have run: a
// plan therefore counts windows as if every point bore one.
func (b *builder) only(d *sdk.Description, points []*point) []*point {
	if d.OnlyWith == nil {
		return points
	}
	var out []*point
	for _, p := range points {
		if a := b.points[p.id]; a.bearsAny(d.OnlyWith) {
			out = append(out, p)
		}
	}
	return out
}

// batchSize is how many usage points a window of so many days holds.
func batchSize(d *sdk.Description, days int) int {
	return min(max(1, windowValues/max(1, len(wanted(d))*days)), windowSubjects)
}

func pointBatch(points []*point, halo bool) batch {
	out := batch{halo: halo}
	for _, p := range points {
		out.members = append(out.members, member{point: p, tenures: p.own()})
	}
	return out
}

func areaBatch(a area, halo bool) batch {
	out := batch{area: a.transformer.ID, members: []member{{transformer: a.transformer}}, halo: halo}
	for _, p := range a.points {
		out.members = append(out.members, member{point: p, tenures: p.behind(a.transformer.ID)})
	}
	return out
}

// answer is the batch of the window that answers a request for curves.
func (b *builder) answer(p batch, requested []string) batch {
	asked := make(map[string]bool, len(requested))
	for _, name := range requested {
		asked[name] = true
	}
	out := batch{id: p.id + 1, area: p.area, halo: p.halo}
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
	return windowDays(d, b.frame.n())
}

func windowDays(d *sdk.Description, days int) int {
	if d.LookbackDays > 0 {
		return min(days, d.LookbackDays)
	}
	return days
}

// window builds one window with features, without curves.
func (b *builder) window(d *sdk.Description, p batch) *sdk.Window {
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
		w.Subjects[i] = b.subject(d, m)
		if d.Events {
			w.Subjects[i].Events = b.events(m, days)
		}
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
func (b *builder) blankEstimated(w *sdk.Window, p batch, days span) {
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

// subject says of a member what the detector declared that it needs.
func (b *builder) subject(d *sdk.Description, m member) sdk.Subject {
	if m.transformer != nil {
		a := b.transformers[m.transformer.ID].declared(d)
		return sdk.Subject{
			ID: b.areaName[m.transformer.ID], Kind: sdk.Transformer, HasMeter: b.frame.seen(m.transformer.MeterID),
			Numbers: a.numbers, Texts: a.texts,
		}
	}
	a := b.points[m.point.id].declared(d)
	if id, ok := a.texts[sdk.AttrTransformer]; ok {
		a.texts = maps.Clone(a.texts)
		a.texts[sdk.AttrTransformer] = b.areaName[id]
	}
	return sdk.Subject{ID: b.pointName[m.point.id], Kind: sdk.UsagePoint, HasMeter: true, Numbers: a.numbers, Texts: a.texts}
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
