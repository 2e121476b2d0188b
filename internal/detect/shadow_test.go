package detect

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// loud finds something everywhere, scores everybody, measures every
// transformer and provides an attribute: all that could weigh.
type loud struct {
	name  string
	scope sdk.Scope
	fail  bool
}

func (l loud) Describe() sdk.Description {
	return sdk.Description{Name: l.name, Version: "0.1.0", Scope: l.scope, Features: []sdk.Feature{sdk.EnergyKWh}, Provides: []string{sdk.AttrMappingDoubt}}
}

func (l loud) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	if l.fail && w.FirstDay > 0 {
		return errors.New("not today")
	}
	for i := range w.Subjects {
		s := &w.Subjects[i]
		if s.Kind == sdk.Transformer {
			out.Measure(s.ID, sdk.MetricLoadingP95Pct, 400)
			out.Add(sdk.Finding{Subject: s.ID, Kind: s.Kind, Reason: "overloaded", Probability: 0.99, Verdicts: []string{sdk.VerdictOverloaded}})
			continue
		}
		out.Measure(s.ID, sdk.AttrMappingDoubt, 1)
		out.Score(s.ID, 0.97)
		if i%2 == 0 {
			out.Add(sdk.Finding{Subject: s.ID, Kind: s.Kind, Reason: "mining", Probability: 0.97, ExcessKWhMonth: 1e6,
				Evidence: []sdk.Evidence{{Code: "loud", Text: "It is loud.", LogOdds: 9}}})
		}
	}
	return nil
}

// A detector in shadow mode changes nothing of what a run says, whatever it
// looks at and however it fares; and what it says is kept.
func TestAShadowWeighsNothing(t *testing.T) {
	in := district(t)
	in.Evaluators = []Evaluator{Local(stepper{}), Local(balance{})}
	plain, err := Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	for _, scope := range []sdk.Scope{sdk.ScopeUsagePoint, sdk.ScopeTransformerArea, sdk.ScopeFleet} {
		for _, fail := range []bool{false, true} {
			t.Run(string(scope), func(t *testing.T) {
				shadowed := in
				shadowed.Evaluators = append(slices.Clone(in.Evaluators), Local(loud{"loud", scope, fail}))
				shadowed.Shadow = []string{"loud"}
				got, err := Run(t.Context(), shadowed)
				if err != nil {
					t.Fatal(err)
				}
				if len(got.Shadow) != 1 {
					t.Fatalf("shadow %+v", got.Shadow)
				}
				s := got.Shadow[0]
				got.Shadow = nil
				if a, b := asJSON(t, got), asJSON(t, plain); a != b {
					t.Errorf("with a shadow:\n%s\nwithout:\n%s", a, b)
				}
				if fail {
					if s.Failure == "" || s.Scored != 0 || len(s.UsagePoints) != 0 || len(s.Transformers) != 0 {
						t.Errorf("a shadow that failed: %+v", s)
					}
					return
				}
				if s.Failure != "" || s.Scored != 30 || s.Expected < 29 || len(s.UsagePoints) < 10 {
					t.Errorf("shadow: scored %d, expected %v, %d with findings, failure %q", s.Scored, s.Expected, len(s.UsagePoints), s.Failure)
				}
				if scope == sdk.ScopeTransformerArea && len(s.Transformers) != 2 {
					t.Errorf("transformers %+v", s.Transformers)
				}
				for _, p := range s.UsagePoints {
					stamp := p.Findings[0].Stamp
					if stamp.Detector != "loud" || stamp.SHA256 == "" || stamp.ConfigHash == "" || stamp.DataVersion != plain.DataVersion || !p.Findings[0].EstimatedShare.Known() {
						t.Errorf("%s: stamp %+v", p.UsagePointID, stamp)
					}
				}
				got.Shadow = []Shadow{s}
				if at := got.ShadowsAt(s.UsagePoints[3].UsagePointID); len(at) != 1 || at[0].Probability != 0.97 {
					t.Errorf("looked up: %+v", at)
				}
				if at := got.ShadowsAt("nowhere"); at != nil {
					t.Errorf("looked up: %+v", at)
				}
			})
		}
	}
}

// Parts carry the shadow from host to host, and merge in any order.
func TestShadowsMergeFromParts(t *testing.T) {
	in := district(t)
	in.Evaluators = []Evaluator{Local(stepper{}), Local(balance{}), Local(loud{"loud", sdk.ScopeTransformerArea, false})}
	in.Shadow = []string{"loud", "not_there"}
	whole, err := Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	plan := planned(t, in, 12)
	if plan.Parts() < 2 || !slices.Equal(plan.Shadow, []string{"loud"}) {
		t.Fatalf("%d parts, shadow %v", plan.Parts(), plan.Shadow)
	}
	raw, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := in
	elsewhere.Shadow = nil // the plan says who is in shadow mode, not the host
	w := NewWorker(func() Input { return elsewhere })
	defer w.Close()
	var parts []*Part
	for i := range plan.Parts() {
		data, err := w.Do(t.Context(), raw, i)
		if err != nil {
			t.Fatal(err)
		}
		p, err := DecodePart(data)
		if err != nil {
			t.Fatal(err)
		}
		parts = append([]*Part{p}, parts...)
	}
	got, err := Merge(in, plan, parts)
	if err != nil {
		t.Fatal(err)
	}
	for i := range whole.Shadow {
		// Parts are other data in other pieces: only their version differs.
		whole.Shadow[i].finish(got.DataVersion)
		whole.Shadow[i].Stamp.DataVersion = got.DataVersion
		if a, b := got.Shadow[i].Expected, whole.Shadow[i].Expected; math.Abs(a-b) > 1e-9 {
			t.Errorf("expected %v, in one %v", a, b)
		}
		whole.Shadow[i].Expected = got.Shadow[i].Expected // added up in another order
	}
	if a, b := asJSON(t, got.Shadow), asJSON(t, whole.Shadow); a != b {
		t.Errorf("from parts:\n%s\nin one:\n%s", a, b)
	}
}
