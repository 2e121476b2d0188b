package sdk

import (
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// drawFloats draws values that are often NaN, of any payload.
func drawFloats(t *rapid.T, n int, label string) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = math.Float32frombits(rapid.Uint32().Draw(t, label))
		if rapid.IntRange(0, 3).Draw(t, "missing") == 0 {
			out[i] = float32(math.NaN())
		}
	}
	return out
}

func drawWindow(t *rapid.T) *Window {
	days := rapid.IntRange(1, 5).Draw(t, "days")
	w := &Window{
		ID: rapid.Uint64().Draw(t, "id"), Scope: rapid.SampledFrom([]Scope{ScopeUsagePoint, ScopeTransformerArea, ScopeFleet}).Draw(t, "scope"),
		FirstDay: Date(rapid.Int32Range(-1000, 30000).Draw(t, "first")), Days: days, Prior: rapid.Float64Range(0.001, 0.999).Draw(t, "prior"),
	}
	if rapid.Bool().Draw(t, "weather") {
		w.TemperatureC = drawFloats(t, days, "temperature")
	}
	if rapid.Bool().Draw(t, "calendar") {
		w.Holiday = rapid.SliceOfN(rapid.Bool(), days, days).Draw(t, "holiday")
	}
	n := rapid.IntRange(0, 7).Draw(t, "subjects")
	for range n {
		w.Subjects = append(w.Subjects, Subject{
			ID: rapid.String().Draw(t, "subject"), Kind: rapid.SampledFrom([]SubjectKind{UsagePoint, Transformer}).Draw(t, "kind"),
			HasMeter: rapid.Bool().Draw(t, "meter"),
			Numbers:  rapid.MapOfN(rapid.StringMatching("[a-z]{1,8}"), rapid.Float64(), 0, 3).Draw(t, "numbers"),
			Texts:    rapid.MapOfN(rapid.StringMatching("[a-z]{1,8}"), rapid.String(), 0, 3).Draw(t, "texts"),
		})
	}
	for _, f := range rapid.SliceOfNDistinct(rapid.SampledFrom(Features()), 0, 4, rapid.ID).Draw(t, "features") {
		w.SetFeature(f, drawFloats(t, n*days, "values"))
	}
	if rapid.Bool().Draw(t, "curves") {
		w.Curves = []Curve{}
		for range n {
			c := Curve{IntervalSeconds: rapid.IntRange(1, 3600).Draw(t, "interval"), Start: time.Unix(rapid.Int64Range(0, 2e9).Draw(t, "start"), 0).UTC(),
				DayStart: []int32{0}, Columns: map[meter.Quantity][]float32{}}
			for range days {
				c.DayStart = append(c.DayStart, c.DayStart[len(c.DayStart)-1]+rapid.Int32Range(0, 30).Draw(t, "length"))
			}
			c.Good = rapid.SliceOfN(rapid.Bool(), c.Intervals(), c.Intervals()).Draw(t, "good")
			for _, q := range rapid.SliceOfNDistinct(rapid.SampledFrom(meter.Quantities()), 0, 3, rapid.ID).Draw(t, "quantities") {
				c.Columns[q] = drawFloats(t, c.Intervals(), "curve")
			}
			w.Curves = append(w.Curves, c)
		}
	}
	return w
}

// bits makes columns comparable: NaN equals NaN of the same payload.
func bits(values []float32) []uint32 {
	out := make([]uint32, len(values))
	for i, v := range values {
		out[i] = math.Float32bits(v)
	}
	return out
}

// overTheWire serialises the parts as gRPC would.
func overTheWire(t interface{ Fatalf(string, ...any) }, w *Window, partBytes int) (*Window, int) {
	var assembler WindowAssembler
	parts := 0
	for part := range WindowParts(w, partBytes) {
		parts++
		data, err := proto.Marshal(part)
		if err != nil {
			t.Fatalf("marshal: %v", err)
		}
		var back detectorv1.WindowPart
		if err := proto.Unmarshal(data, &back); err != nil {
			t.Fatalf("unmarshal: %v", err)
		}
		got, err := assembler.Add(&back)
		if err != nil {
			t.Fatalf("part %d: %v", parts, err)
		}
		if got != nil {
			if assembler.Pending() {
				t.Fatalf("a complete window is still pending")
			}
			return got, parts
		}
	}
	t.Fatalf("%d parts do not complete the window", parts)
	return nil, 0
}

func TestWindowsSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWindow(t)
		got, _ := overTheWire(t, w, rapid.IntRange(1, 4000).Draw(t, "part bytes"))
		if got.ID != w.ID || got.Scope != w.Scope || got.FirstDay != w.FirstDay || got.Days != w.Days || got.Prior != w.Prior {
			t.Fatalf("head %+v became %+v", w, got)
		}
		if (got.TemperatureC == nil) != (w.TemperatureC == nil) || !slices.Equal(bits(got.TemperatureC), bits(w.TemperatureC)) || !reflect.DeepEqual(got.Holiday, w.Holiday) {
			t.Fatalf("weather or calendar changed")
		}
		if len(got.Subjects) != len(w.Subjects) || !slices.Equal(got.FeatureNames(), w.FeatureNames()) {
			t.Fatalf("%d subjects with %v became %d with %v", len(w.Subjects), w.FeatureNames(), len(got.Subjects), got.FeatureNames())
		}
		for i, s := range w.Subjects {
			g := got.Subjects[i]
			if g.ID != s.ID || g.Kind != s.Kind || g.HasMeter != s.HasMeter || len(g.Numbers) != len(s.Numbers) || len(g.Texts) != len(s.Texts) {
				t.Fatalf("subject %+v became %+v", s, g)
			}
			for name, v := range s.Numbers {
				if math.Float64bits(g.Numbers[name]) != math.Float64bits(v) {
					t.Fatalf("%s: %v became %v", name, v, g.Numbers[name])
				}
			}
			for name, v := range s.Texts {
				if g.Texts[name] != v {
					t.Fatalf("%s: %q became %q", name, v, g.Texts[name])
				}
			}
		}
		for _, f := range w.FeatureNames() {
			if !slices.Equal(bits(got.Column(f)), bits(w.Column(f))) {
				t.Fatalf("feature %s changed", f)
			}
		}
		if (got.Curves == nil) != (w.Curves == nil) || len(got.Curves) != len(w.Curves) {
			t.Fatalf("%d curves became %d", len(w.Curves), len(got.Curves))
		}
		for i, c := range w.Curves {
			g := got.Curves[i]
			if g.IntervalSeconds != c.IntervalSeconds || !g.Start.Equal(c.Start) || !slices.Equal(g.DayStart, c.DayStart) || !slices.Equal(g.Good, c.Good) || len(g.Columns) != len(c.Columns) {
				t.Fatalf("curve %+v became %+v", c, g)
			}
			for q, column := range c.Columns {
				if !slices.Equal(bits(g.Columns[q]), bits(column)) {
					t.Fatalf("%s changed", q)
				}
			}
		}
	})
}

func TestPartsStayNearTheirSize(t *testing.T) {
	w := &Window{ID: 1, Scope: ScopeUsagePoint, Days: 60, Prior: 0.01, Subjects: make([]Subject, 3000)}
	for i := range w.Subjects {
		w.Subjects[i] = Subject{ID: "u-0123456789abcdef", Kind: UsagePoint}
	}
	for _, f := range Features() {
		w.SetFeature(f, make([]float32, 3000*60))
	}
	parts := 0
	for part := range WindowParts(w, PartBytes) {
		parts++
		last := int(part.GetSubjectOffset())+len(part.GetSubjects()) == len(w.Subjects)
		if n := proto.Size(part); n < 1<<20 && !last || n > 4<<20 {
			t.Errorf("part %d has %d bytes; 1 to 4 MB are meant", parts, n)
		}
	}
	if parts < 5 || parts > 18 {
		t.Errorf("%d parts for 17 MB", parts)
	}
}

func TestReportsSurviveTheWire(t *testing.T) {
	code := rapid.StringMatching("[a-z][a-z0-9_]{0,20}")
	words := rapid.StringMatching(`[ -~é日]{0,30}`)
	probability := rapid.Float64Range(0, 1)
	number := rapid.Float64Range(-1e9, 1e9)
	rapid.Check(t, func(t *rapid.T) {
		w := &Window{ID: 9, Scope: ScopeUsagePoint, FirstDay: 100, Days: 30, Prior: 0.01, Subjects: []Subject{
			{ID: "t-1", Kind: Transformer}, {ID: "u-1", Kind: UsagePoint}, {ID: "u-2", Kind: UsagePoint}}}
		days := func() (Date, Date) {
			first := rapid.Int32Range(100, 129).Draw(t, "first")
			return Date(first), Date(rapid.Int32Range(first, 129).Draw(t, "last"))
		}
		r := new(Report)
		for _, id := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"u-1", "u-2"}), rapid.ID).Draw(t, "scored") {
			r.Score(id, probability.Draw(t, "score"))
		}
		for _, id := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"t-1", "u-2"}), rapid.ID).Draw(t, "measured") {
			r.Measure(id, code.Draw(t, "name"), number.Draw(t, "value"))
		}
		for range rapid.IntRange(0, 3).Draw(t, "findings") {
			f := Finding{Subject: "t-1", Kind: Transformer, Reason: code.Draw(t, "reason"), Probability: probability.Draw(t, "p"), ExcessKWhMonth: number.Draw(t, "excess"),
				AlsoReasons: rapid.SliceOfN(code, 1, 3).Draw(t, "also"), Verdicts: []string{VerdictTheft, VerdictOverloaded}, Suspects: []Suspect{{"u-2", probability.Draw(t, "suspect")}},
				Metrics: rapid.MapOfN(code, number, 1, 3).Draw(t, "metrics")}
			f.FirstDay, f.LastDay = days()
			e := Evidence{Code: code.Draw(t, "code"), Text: words.Draw(t, "text"), Value: number.Draw(t, "value"), Unit: words.Draw(t, "unit"), LogOdds: number.Draw(t, "weight")}
			e.FirstDay, e.LastDay = days()
			f.Evidence = []Evidence{e}
			f.Innocent = []Explanation{{code.Draw(t, "code"), words.Draw(t, "text"), rapid.SampledFrom([]Outcome{Explains, Open, Unlikely, RuledOut}).Draw(t, "outcome")}}
			r.Add(f)
		}
		r.RequestCurves(rapid.SliceOfDistinct(rapid.SampledFrom([]string{"t-1", "u-1"}), rapid.ID).Draw(t, "asked")...)
		assembler := NewReportAssembler(w)
		for _, m := range append(ReportMessages(9, r), &detectorv1.EvaluateResponse{WindowId: 9, Message: &detectorv1.EvaluateResponse_Done{Done: &detectorv1.Done{}}}) {
			got, err := assembler.Add(m)
			if err != nil {
				t.Fatalf("%v", err)
			}
			if got == nil {
				continue
			}
			if !reflect.DeepEqual(got.Scores(), r.Scores()) || !reflect.DeepEqual(got.Measures(), r.Measures()) ||
				!reflect.DeepEqual(got.Findings(), r.Findings()) || !slices.Equal(got.Requests(), r.Requests()) {
				t.Fatalf("%+v became %+v", r, got)
			}
			return
		}
		t.Fatalf("Done did not complete the report")
	})
}

func TestDescriptionsSurviveTheWire(t *testing.T) {
	d := Description{Name: "x", Version: "1.2.3", Summary: "looks", Scope: ScopeTransformerArea, Quantities: []meter.Quantity{meter.ActivePower, meter.VoltageA},
		MinimumQuality: meter.Good, LookbackDays: 30, Provides: []string{AttrMappingDoubt}, ConfigSchema: []byte("{}")}
	for _, features := range [][]Feature{nil, {}, {NightKW, P10KW}} {
		d.Features = features
		got, err := UnpackDescription(PackDescription(&d, true))
		if err != nil || !reflect.DeepEqual(got, d) {
			t.Errorf("%+v became %+v, %v", d, got, err)
		}
	}
}

func TestHostilePartsAreRefused(t *testing.T) {
	good := func() *detectorv1.WindowPart {
		w := &Window{ID: 5, Scope: ScopeUsagePoint, FirstDay: 10, Days: 2, Prior: 0.01, Subjects: []Subject{{ID: "a", Kind: UsagePoint}}, Curves: []Curve{{
			IntervalSeconds: 3600, DayStart: []int32{0, 24, 48}, Good: make([]bool, 48), Columns: map[meter.Quantity][]float32{meter.ActivePower: make([]float32, 48)}}},
			TemperatureC: []float32{1, 2}, Holiday: []bool{true, false}}
		w.SetFeature(NightKW, []float32{1, 2})
		for part := range WindowParts(w, PartBytes) {
			return part
		}
		return nil
	}
	cases := map[string]struct {
		spoil func(*detectorv1.WindowPart)
		want  string
	}{
		"no days":          {func(p *detectorv1.WindowPart) { p.Days = 0 }, "0 days"},
		"negative days":    {func(p *detectorv1.WindowPart) { p.Days = -4 }, "-4 days"},
		"a million days":   {func(p *detectorv1.WindowPart) { p.Days = 1 << 20 }, "days; 1 to"},
		"scope":            {func(p *detectorv1.WindowPart) { p.Scope = "galaxy" }, "scope"},
		"prior":            {func(p *detectorv1.WindowPart) { p.Prior = math.NaN() }, "prior"},
		"short column":     {func(p *detectorv1.WindowPart) { p.Features[0].Values = p.Features[0].Values[:5] }, "5 bytes for 2 values"},
		"unknown feature":  {func(p *detectorv1.WindowPart) { p.Features[0].Feature = "mood" }, "mood"},
		"nil feature":      {func(p *detectorv1.WindowPart) { p.Features[0] = nil }, "unknown or there twice"},
		"feature twice":    {func(p *detectorv1.WindowPart) { p.Features = append(p.Features, p.Features[0]) }, "there twice"},
		"late part":        {func(p *detectorv1.WindowPart) { p.SubjectOffset = 3 }, "where 0 was due"},
		"too many":         {func(p *detectorv1.WindowPart) { p.SubjectTotal = 0 }, "more subjects"},
		"none":             {func(p *detectorv1.WindowPart) { p.Subjects = nil }, "without subjects"},
		"kind":             {func(p *detectorv1.WindowPart) { p.Subjects[0].Kind = "ghost" }, "ghost"},
		"day bitmap":       {func(p *detectorv1.WindowPart) { p.DayPresent = nil }, "bitmap"},
		"weather":          {func(p *detectorv1.WindowPart) { p.Temperature = p.Temperature[:4] }, "temperature"},
		"calendar":         {func(p *detectorv1.WindowPart) { p.Holiday = make([]byte, 9) }, "holidays"},
		"no curve":         {func(p *detectorv1.WindowPart) { p.Curves = nil }, "0 curves for 1 subjects"},
		"nil curve":        {func(p *detectorv1.WindowPart) { p.Curves[0] = nil }, "interval of 0 s"},
		"falling days":     {func(p *detectorv1.WindowPart) { p.Curves[0].DayStart = []int32{0, 48, 24} }, "rising"},
		"long days":        {func(p *detectorv1.WindowPart) { p.Curves[0].DayStart = []int32{0, 24, math.MaxInt32} }, "bits"},
		"unknown quantity": {func(p *detectorv1.WindowPart) { p.Curves[0].Columns[0].Quantity = "mood" }, "mood"},
		"short curve":      {func(p *detectorv1.WindowPart) { p.Curves[0].Columns[0].Values = nil }, "0 bytes for 48 values"},
	}
	var assembler WindowAssembler
	if w, err := assembler.Add(good()); err != nil || w == nil {
		t.Fatalf("the good part: %v", err)
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			part := good()
			c.spoil(part)
			var assembler WindowAssembler
			if _, err := assembler.Add(part); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v; it should say %q", err, c.want)
			}
		})
	}
	if _, err := new(WindowAssembler).Add(nil); err == nil {
		t.Error("a message without a part is taken")
	}
}
