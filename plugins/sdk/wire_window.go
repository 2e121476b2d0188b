package sdk

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// PartBytes is about how large the parts are in which windows travel. Sizes
// between 1 and 4 MB make no difference to the throughput as long as a host's
// batch of usage points fits into one: what comes in several is put together.
const PartBytes = 5 << 19

// longestDay is a day of 25 hours, in seconds.
const longestDay = 90000

// maxDays bounds a window that comes over the wire.
const maxDays = 3660

// WindowParts splits a window into the messages in which it travels. It is
// the host's side of the wire; authors of detectors do not need it.
func WindowParts(w *Window, partBytes int) iter.Seq[*detectorv1.WindowPart] {
	return func(yield func(*detectorv1.WindowPart) bool) {
		at := 0
		for {
			end, size := at, 0
			for end < len(w.Subjects) && (end == at || size+subjectBytes(w, end) <= partBytes) {
				size += subjectBytes(w, end)
				end++
			}
			if !yield(windowPart(w, at, end)) || end == len(w.Subjects) {
				return
			}
			at = end
		}
	}
}

func subjectBytes(w *Window, i int) int {
	size := 400 + 4*w.Days*len(w.features) + 40*len(w.Subjects[i].Events)
	if w.Curves != nil {
		size += w.Curves[i].Intervals() * (4*len(w.Curves[i].Columns) + 1)
	}
	return size
}

func windowPart(w *Window, from, to int) *detectorv1.WindowPart {
	p := &detectorv1.WindowPart{
		WindowId: w.ID, Scope: string(w.Scope), FirstDay: int32(w.FirstDay), Days: int32(w.Days), Prior: w.Prior,
		SubjectTotal: uint32(len(w.Subjects)), SubjectOffset: uint32(from),
		Temperature: packFloats(w.TemperatureC), Holiday: packBits(w.Holiday), HasCurves: w.Curves != nil,
	}
	for i := from; i < to; i++ {
		s := &w.Subjects[i]
		packed := &detectorv1.Subject{Id: s.ID, Kind: string(s.Kind), HasMeter: s.HasMeter, Numbers: s.Numbers, Texts: s.Texts}
		for _, e := range s.Events {
			packed.Events = append(packed.Events, &detectorv1.Event{Day: int32(e.Day), Second: e.Second, Code: string(e.Code)})
		}
		p.Subjects = append(p.Subjects, packed)
	}
	present := make([]bool, (to-from)*w.Days)
	absent := len(present) // mostly none is left after the first feature
	for _, f := range w.FeatureNames() {
		column := w.features[f][from*w.Days : to*w.Days]
		for i := 0; i < len(column) && absent > 0; i++ {
			if v := column[i]; !present[i] && v == v { // not NaN
				present[i] = true
				absent--
			}
		}
		p.Features = append(p.Features, &detectorv1.FeatureColumn{Feature: string(f), Values: packFloats(column)})
	}
	p.DayPresent = packBits(present)
	if w.Curves != nil {
		for i := from; i < to; i++ {
			p.Curves = append(p.Curves, packCurve(&w.Curves[i]))
		}
	}
	return p
}

func packCurve(c *Curve) *detectorv1.Curve {
	out := &detectorv1.Curve{IntervalSeconds: int32(c.IntervalSeconds), StartUnix: c.Start.Unix(), DayStart: c.DayStart, Good: packBits(c.Good)}
	for _, q := range slices.Sorted(maps.Keys(c.Columns)) {
		out.Columns = append(out.Columns, &detectorv1.QuantityColumn{Quantity: string(q), Values: packFloats(c.Columns[q])})
	}
	return out
}

// WindowAssembler puts windows together from the parts in which they come. It
// trusts nothing: sizes, counts and kinds are checked, and no more memory is
// taken than the parts themselves took.
type WindowAssembler struct {
	window   *Window
	total    int
	names    []Feature
	features map[Feature][]float32
}

// Add takes the next part and returns the window once it is complete, nil
// before. After an error the assembler must not be used again.
func (a *WindowAssembler) Add(p *detectorv1.WindowPart) (*Window, error) {
	if p == nil {
		return nil, errors.New("a message without a window part")
	}
	if a.window == nil {
		if err := a.begin(p); err != nil {
			return nil, err
		}
	}
	w := a.window
	switch {
	case p.WindowId != w.ID:
		return nil, fmt.Errorf("a part of window %d amid window %d", p.WindowId, w.ID)
	case int(p.SubjectOffset) != len(w.Subjects):
		return nil, fmt.Errorf("window %d: a part at subject %d where %d was due", w.ID, p.SubjectOffset, len(w.Subjects))
	case len(w.Subjects)+len(p.Subjects) > a.total:
		return nil, fmt.Errorf("window %d: more subjects than the %d announced", w.ID, a.total)
	case len(p.Subjects) == 0 && a.total > 0:
		return nil, fmt.Errorf("window %d: a part without subjects", w.ID)
	case p.HasCurves != (w.Curves != nil), int(p.Days) != w.Days:
		return nil, fmt.Errorf("window %d: parts of different shape", w.ID)
	}
	if err := a.subjects(p); err != nil {
		return nil, fmt.Errorf("window %d: %w", w.ID, err)
	}
	if err := a.columns(p); err != nil {
		return nil, fmt.Errorf("window %d: %w", w.ID, err)
	}
	if err := a.curves(p); err != nil {
		return nil, fmt.Errorf("window %d: %w", w.ID, err)
	}
	if len(w.Subjects) < a.total {
		return nil, nil
	}
	for _, f := range a.names {
		w.SetFeature(f, a.features[f])
	}
	*a = WindowAssembler{}
	return w, nil
}

// Pending reports whether a window has begun that is not complete.
func (a *WindowAssembler) Pending() bool { return a.window != nil }

func (a *WindowAssembler) begin(p *detectorv1.WindowPart) error {
	w := &Window{ID: p.WindowId, Scope: Scope(p.Scope), FirstDay: Date(p.FirstDay), Days: int(p.Days), Prior: p.Prior}
	switch {
	case w.Days < 1 || w.Days > maxDays:
		return fmt.Errorf("window %d: %d days; 1 to %d are possible", w.ID, w.Days, maxDays)
	case w.Scope != ScopeUsagePoint && w.Scope != ScopeTransformerArea && w.Scope != ScopeFleet:
		return fmt.Errorf("window %d: scope %q is none of the contract's", w.ID, clip(p.Scope))
	case !(w.Prior > 0 && w.Prior < 1):
		return fmt.Errorf("window %d: prior %v does not lie between 0 and 1", w.ID, w.Prior)
	}
	var err error
	if w.TemperatureC, err = unpackFloats(p.Temperature, w.Days); err != nil && len(p.Temperature) > 0 {
		return fmt.Errorf("window %d: temperature: %w", w.ID, err)
	}
	if w.Holiday, err = unpackBits(p.Holiday, w.Days); err != nil && len(p.Holiday) > 0 {
		return fmt.Errorf("window %d: holidays: %w", w.ID, err)
	}
	if p.HasCurves {
		w.Curves = []Curve{}
	}
	a.window, a.total, a.features = w, int(p.SubjectTotal), make(map[Feature][]float32)
	for _, c := range p.Features {
		f := Feature(c.GetFeature())
		if !f.Valid() || a.features[f] != nil {
			return fmt.Errorf("window %d: feature %q is unknown or there twice", w.ID, clip(c.GetFeature()))
		}
		a.names, a.features[f] = append(a.names, f), []float32{}
	}
	return nil
}

func (a *WindowAssembler) subjects(p *detectorv1.WindowPart) error {
	for _, s := range p.Subjects {
		kind := SubjectKind(s.GetKind())
		if kind != UsagePoint && kind != Transformer {
			return fmt.Errorf("subject of kind %q; usage_point and transformer are known", clip(s.GetKind()))
		}
		subject := Subject{ID: s.GetId(), Kind: kind, HasMeter: s.GetHasMeter(), Numbers: s.GetNumbers(), Texts: s.GetTexts()}
		for _, e := range s.GetEvents() {
			event := Event{Day: Date(e.GetDay()), Second: e.GetSecond(), Code: EventCode(e.GetCode())}
			if event.Second < 0 || event.Second > longestDay || !ValidCode(string(event.Code)) {
				return fmt.Errorf("event %q at second %d of a day", clip(e.GetCode()), event.Second)
			}
			subject.Events = append(subject.Events, event)
		}
		a.window.Subjects = append(a.window.Subjects, subject)
	}
	return nil
}

func (a *WindowAssembler) columns(p *detectorv1.WindowPart) error {
	if len(p.Features) != len(a.names) {
		return fmt.Errorf("%d feature columns where %d began", len(p.Features), len(a.names))
	}
	n := len(p.Subjects) * a.window.Days
	if len(p.DayPresent) != (n+7)/8 {
		return fmt.Errorf("day bitmap of %d bytes for %d days", len(p.DayPresent), n)
	}
	for i, c := range p.Features {
		if Feature(c.GetFeature()) != a.names[i] {
			return fmt.Errorf("feature %q where %q was due", clip(c.GetFeature()), a.names[i])
		}
		values, err := unpackFloats(c.GetValues(), n)
		if err != nil {
			return fmt.Errorf("feature %s: %w", a.names[i], err)
		}
		if existing := a.features[a.names[i]]; len(existing) > 0 {
			values = append(existing, values...)
		}
		a.features[a.names[i]] = values
	}
	return nil
}

func (a *WindowAssembler) curves(p *detectorv1.WindowPart) error {
	want := 0
	if p.HasCurves {
		want = len(p.Subjects)
	}
	if len(p.Curves) != want {
		return fmt.Errorf("%d curves for %d subjects", len(p.Curves), len(p.Subjects))
	}
	for _, c := range p.Curves {
		curve, err := unpackCurve(c, a.window.Days)
		if err != nil {
			return fmt.Errorf("curve: %w", err)
		}
		a.window.Curves = append(a.window.Curves, curve)
	}
	return nil
}

func unpackCurve(c *detectorv1.Curve, days int) (Curve, error) {
	out := Curve{IntervalSeconds: int(c.GetIntervalSeconds()), Start: time.Unix(c.GetStartUnix(), 0).UTC(), DayStart: c.GetDayStart()}
	if out.IntervalSeconds < 1 || len(out.DayStart) != days+1 || out.DayStart[0] != 0 || !slices.IsSorted(out.DayStart) {
		return Curve{}, fmt.Errorf("interval of %d s with the starts of %d days; %d days from 0 rising were due", out.IntervalSeconds, len(out.DayStart)-1, days)
	}
	n := out.Intervals()
	var err error
	if out.Good, err = unpackBits(c.GetGood(), n); err != nil {
		return Curve{}, err
	}
	out.Columns = make(map[meter.Quantity][]float32, len(c.GetColumns()))
	for _, column := range c.GetColumns() {
		q := meter.Quantity(column.GetQuantity())
		if !q.Valid() || out.Columns[q] != nil {
			return Curve{}, fmt.Errorf("quantity %q is unknown or there twice", clip(column.GetQuantity()))
		}
		if out.Columns[q], err = unpackFloats(column.GetValues(), n); err != nil {
			return Curve{}, fmt.Errorf("%s: %w", q, err)
		}
	}
	return out, nil
}

func packFloats(values []float32) []byte {
	if values == nil {
		return nil
	}
	out := make([]byte, 4*len(values))
	rest := out
	for len(values) >= 2 && len(rest) >= 8 { // two at a time, with one check of bounds
		binary.LittleEndian.PutUint64(rest, uint64(math.Float32bits(values[0]))|uint64(math.Float32bits(values[1]))<<32)
		values, rest = values[2:], rest[8:]
	}
	if len(values) == 1 {
		binary.LittleEndian.PutUint32(rest, math.Float32bits(values[0]))
	}
	return out
}

// unpackFloats returns n values. The error leaves nil, which stands for a
// column that is not there.
func unpackFloats(data []byte, n int) ([]float32, error) {
	if len(data) != 4*n {
		return nil, fmt.Errorf("%d bytes for %d values of 4 bytes", len(data), n)
	}
	out := make([]float32, n)
	rest := out
	for len(rest) >= 2 && len(data) >= 8 { // two at a time, with one check of bounds
		both := binary.LittleEndian.Uint64(data)
		rest[0], rest[1] = math.Float32frombits(uint32(both)), math.Float32frombits(uint32(both>>32))
		rest, data = rest[2:], data[8:]
	}
	if len(rest) == 1 {
		rest[0] = math.Float32frombits(binary.LittleEndian.Uint32(data))
	}
	return out, nil
}

func packBits(values []bool) []byte {
	if values == nil {
		return nil
	}
	out := make([]byte, (len(values)+7)/8)
	for i, v := range values {
		if v {
			out[i/8] |= 1 << (i % 8)
		}
	}
	return out
}

func unpackBits(data []byte, n int) ([]bool, error) {
	if len(data) != (n+7)/8 {
		return nil, fmt.Errorf("%d bytes for %d bits", len(data), n)
	}
	out := make([]bool, n)
	for i := range out {
		out[i] = data[i/8]>>(i%8)&1 == 1
	}
	return out, nil
}
