package sdk

import (
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	detectorv1 "github.com/gridwarden/gridwarden/plugins/sdk/proto/detector/v1"
)

// FuzzWindowParts feeds the assembler two messages of any content. What it
// takes must be a window whose columns and curves can be walked through.
func FuzzWindowParts(f *testing.F) {
	w := &Window{ID: 5, Scope: ScopeTransformerArea, FirstDay: 10, Days: 2, Prior: 0.01,
		Subjects: []Subject{{ID: "a", Kind: Transformer}, {ID: "b", Kind: UsagePoint, Numbers: map[string]float64{"x": 1}, Texts: map[string]string{"y": "z"}}}}
	for range w.Subjects {
		w.Curves = append(w.Curves, Curve{IntervalSeconds: 3600, DayStart: []int32{0, 1, 3}, Good: []bool{true, false, true}, Columns: map[meter.Quantity][]float32{meter.ActivePower: {1, 2, 3}}})
	}
	w.SetFeature(NightKW, []float32{1, 2, 3, 4})
	var parts [][]byte
	for part := range WindowParts(w, 1) {
		data, err := proto.Marshal(part)
		if err != nil {
			f.Fatal(err)
		}
		parts = append(parts, data)
	}
	f.Add(parts[0], parts[1])
	f.Add(parts[1], parts[0])
	f.Fuzz(func(t *testing.T, one, two []byte) {
		var assembler WindowAssembler
		for _, data := range [][]byte{one, two} {
			var part detectorv1.WindowPart
			if proto.Unmarshal(data, &part) != nil {
				return
			}
			w, err := assembler.Add(&part)
			if err != nil {
				return
			}
			if w == nil {
				continue
			}
			for i := range w.Subjects {
				for _, name := range w.FeatureNames() {
					if got := len(w.Feature(name, i)); got != w.Days {
						t.Fatalf("%d values of %s for %d days", got, name, w.Days)
					}
				}
			}
			for i := range w.Curves {
				for q := range w.Curves[i].Columns {
					for d := range w.Days {
						_ = w.Curves[i].Day(q, d)
					}
				}
			}
		}
	})
}

// FuzzReplies feeds the host's side three messages of any content. A report
// that it takes must hold what Check promises.
func FuzzReplies(f *testing.F) {
	w := &Window{ID: 9, Scope: ScopeUsagePoint, FirstDay: 100, Days: 30, Prior: 0.01, Subjects: []Subject{{ID: "u-1", Kind: UsagePoint}, {ID: "t-1", Kind: Transformer}}}
	r := new(Report)
	r.Score("u-1", 0.5)
	r.Measure("t-1", MetricLossPct, 4)
	r.RequestCurves("u-1")
	r.Add(Finding{Subject: "u-1", Kind: UsagePoint, Reason: "x", Probability: 0.9, FirstDay: 101, LastDay: 102, Evidence: []Evidence{{Code: "y", Text: "z"}}})
	var seeds [][]byte
	for _, m := range append(ReportMessages(9, r), &detectorv1.EvaluateResponse{Message: &detectorv1.EvaluateResponse_Done{Done: &detectorv1.Done{}}}) {
		data, err := proto.Marshal(m)
		if err != nil {
			f.Fatal(err)
		}
		seeds = append(seeds, data)
	}
	done := seeds[len(seeds)-1]
	for _, one := range seeds {
		f.Add(one, seeds[0], done)
	}
	f.Fuzz(func(t *testing.T, one, two, three []byte) {
		assembler := NewReportAssembler(w)
		for _, data := range [][]byte{one, two, three} {
			var m detectorv1.EvaluateResponse
			if proto.Unmarshal(data, &m) != nil {
				return
			}
			got, err := assembler.Add(&m)
			if err != nil {
				return
			}
			if got == nil {
				continue
			}
			if err := got.Check(w); err != nil {
				t.Fatalf("taken, but: %v", err)
			}
			return
		}
	})
}

// FuzzDescriptions feeds the host a description of any content.
func FuzzDescriptions(f *testing.F) {
	d := Description{Name: "x", Version: "1", Scope: ScopeFleet, Features: []Feature{NightKW}, Quantities: []meter.Quantity{meter.ActivePower}}
	data, err := proto.Marshal(PackDescription(&d, false))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		var p detectorv1.Description
		if proto.Unmarshal(data, &p) != nil {
			return
		}
		if d, err := UnpackDescription(&p); err == nil {
			if err := d.Check(); err != nil {
				t.Fatalf("taken, but: %v", err)
			}
		}
	})
}
