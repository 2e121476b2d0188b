package detect

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/tariff"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// says is a detector that reports what a test wants said.
type says struct {
	name  string
	scope sdk.Scope
	do    func(w *sdk.Window, out *sdk.Report)
}

func (s says) Describe() sdk.Description {
	return sdk.Description{Name: s.name, Version: "1.0.0", Scope: s.scope, Features: []sdk.Feature{sdk.EnergyKWh}}
}

func (s says) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	s.do(w, out)
	return nil
}

// find returns the pseudonym of usage point i of a window.
func find(w *sdk.Window, i int) string {
	at := 0
	for k := range w.Subjects {
		if w.Subjects[k].Kind != sdk.UsagePoint {
			continue
		}
		if at == i {
			return w.Subjects[k].ID
		}
		at++
	}
	return ""
}

func (a *Assessment) reasons() string { return strings.Join(a.Reasons, ";") }

func TestFindingsOfSeveralDetectorsAreDrawnTogether(t *testing.T) {
	in := district(t)
	book, err := tariff.Load(os.DirFS("../../configs/tariffs"))
	if err != nil {
		t.Fatal(err)
	}
	in.Tariffs = book
	customers := slices.Clone(in.Network.Customers)
	for i := range customers {
		customers[i].TariffID = "res_tiered"
	}
	in.Network = grid.NewNetwork(grid.Records{Transformers: in.Network.Transformers, Customers: customers, UsagePoints: in.Network.UsagePoints})
	finding := func(subject, reason string, p, excess float64) sdk.Finding {
		return sdk.Finding{Subject: subject, Kind: sdk.UsagePoint, Reason: reason, Probability: p, ExcessKWhMonth: excess}
	}
	one := says{"one", sdk.ScopeFleet, func(w *sdk.Window, out *sdk.Report) {
		f := finding(find(w, 3), "flat_load", 0.6, 900)
		f.AlsoReasons = []string{"night_load"}
		f.FirstDay, f.LastDay = sdk.Date(firstDay+4), sdk.Date(firstDay+8)
		out.Add(f)
		out.Add(finding(find(w, 5), "flat_load", 0.3, 100))
	}}
	two := says{"two", sdk.ScopeFleet, func(w *sdk.Window, out *sdk.Report) {
		f := finding(find(w, 3), "use_not_declared", 0.7, 700)
		f.FirstDay, f.LastDay = sdk.Date(firstDay+6), sdk.Date(lastDay)
		out.Add(f)
		out.Add(finding(find(w, 9), sdk.ReasonBypassTheft, 0.8, 900))
	}}
	r := mustRun(t, in, Local(two), Local(one))
	byID := make(map[string]*Assessment)
	for i := range r.UsagePoints {
		byID[r.UsagePoints[i].UsagePointID] = &r.UsagePoints[i]
	}
	a := byID["UP-0003"]
	if a.reasons() != "use_not_declared;flat_load;night_load" || strings.Join(a.Detectors, ";") != "two;one" {
		t.Errorf("reasons %s by %v", a.reasons(), a.Detectors)
	}
	if a.FirstDay != firstDay+4 || a.LastDay != lastDay || a.ExcessKWhMonth != 900 || a.Risk < 0.7 || a.Risk > 0.95 {
		t.Errorf("days %s to %s, excess %v, risk %v", a.FirstDay, a.LastDay, a.ExcessKWhMonth, a.Risk)
	}
	theft := byID["UP-0009"]
	if theft.Recoverable <= 0 || theft.Currency == "" {
		t.Errorf("stolen energy is worth %v %s", theft.Recoverable, theft.Currency)
	}
	ranked := 0
	for i, a := range r.UsagePoints {
		if a.Rank != 0 && a.Rank != i+1 {
			t.Errorf("%s stands at %d with the rank %d", a.UsagePointID, i+1, a.Rank)
		}
		if a.Rank != 0 {
			ranked++
			if i > 0 && a.Priority > r.UsagePoints[i-1].Priority {
				t.Errorf("rank %d has a higher priority than rank %d", a.Rank, i)
			}
		}
	}
	if ranked != 3 {
		t.Errorf("%d are ranked", ranked)
	}
}

func TestAnOverloadedTransformerRaisesThePriority(t *testing.T) {
	in := district(t)
	accuse := says{"accuse", sdk.ScopeFleet, func(w *sdk.Window, out *sdk.Report) {
		for i := range w.Subjects {
			out.Add(sdk.Finding{Subject: w.Subjects[i].ID, Kind: sdk.UsagePoint, Reason: "flat_load", Probability: 0.5, ExcessKWhMonth: 100})
		}
	}}
	overload := says{"overload", sdk.ScopeTransformerArea, func(w *sdk.Window, out *sdk.Report) {
		if w.Subjects[0].HasMeter {
			out.Add(sdk.Finding{Subject: w.Subjects[0].ID, Kind: sdk.Transformer, Reason: "loading", Probability: 1, Verdicts: []string{sdk.VerdictUndersized, sdk.VerdictOverloaded},
				Metrics: map[string]float64{sdk.MetricLoadingP95Pct: 160}})
		}
	}}
	r := mustRun(t, in, Local(accuse), Local(overload))
	if v := strings.Join(r.Transformers[0].Verdicts, ";"); v != "overloaded;undersized" || r.Transformers[0].LoadingP95Pct != 160 {
		t.Errorf("verdicts %s, loading %v", v, r.Transformers[0].LoadingP95Pct)
	}
	for i, a := range r.UsagePoints[:20] {
		if a.TransformerID != "TX-EAST-1" {
			t.Errorf("rank %d stands behind %s, which is in no danger", i+1, a.TransformerID)
		}
	}
}

func TestCurvesOverruleWhatDaysSaid(t *testing.T) {
	in := district(t)
	second := says{"second", sdk.ScopeFleet, func(w *sdk.Window, out *sdk.Report) {
		id := find(w, 0) // of the answer: the only one
		if w.Curves == nil {
			id = find(w, 4)
			out.Add(sdk.Finding{Subject: id, Kind: sdk.UsagePoint, Reason: "flat_load", Probability: 0.9})
			out.Score(find(w, 6), 0.4)
			out.RequestCurves(id, find(w, 6))
			return
		}
		out.Score(id, 0.001)
	}}
	r := mustRun(t, in, Local(second))
	for _, a := range r.UsagePoints {
		want := 0.01
		switch a.UsagePointID {
		case "UP-0004":
			want = 0.001
		case "UP-0006":
			want = 0.4
		}
		if len(a.Findings) != 0 || a.Risk < want*0.99 || a.Risk > want*1.01 {
			t.Errorf("%s has the risk %v with %d findings; want %v and none", a.UsagePointID, a.Risk, len(a.Findings), want)
		}
	}
}

func TestAFormerAreaDoesNotScoreAPoint(t *testing.T) {
	in := district(t)
	points := slices.Clone(in.Network.UsagePoints)
	moved := points[1] // behind TX-EAST-1 until the tenth day
	points[1].ValidTo = (firstDay + 10).Start(in.location())
	moved.TransformerID, moved.ValidFrom = "TX-WEST-2", points[1].ValidTo
	in.Network = grid.NewNetwork(grid.Records{Transformers: in.Network.Transformers, Customers: in.Network.Customers, UsagePoints: append(points, moved)})
	accuse := says{"accuse", sdk.ScopeTransformerArea, func(w *sdk.Window, out *sdk.Report) {
		p := 0.9
		if !w.Subjects[0].HasMeter {
			p = 0.2
		}
		for i := range w.Subjects[1:] {
			out.Score(w.Subjects[i+1].ID, p)
		}
	}}
	for _, a := range mustRun(t, in, Local(accuse)).UsagePoints {
		want := 0.9
		if a.TransformerID == "TX-WEST-2" {
			want = 0.2
		}
		if a.Risk < want-0.01 || a.Risk > want+0.01 {
			t.Errorf("%s behind %s has the risk %v; want %v", a.UsagePointID, a.TransformerID, a.Risk, want)
		}
	}
}

func TestTheOrderOfRecordsDoesNotMatter(t *testing.T) {
	in := district(t)
	want := mustRun(t, in, Local(stepper{}), Local(balance{}))
	turned := grid.Records{Transformers: slices.Clone(in.Network.Transformers), Customers: slices.Clone(in.Network.Customers), UsagePoints: slices.Clone(in.Network.UsagePoints),
		Weather: in.Network.Weather, Calendar: in.Network.Calendar, Unmetered: in.Network.Unmetered}
	slices.Reverse(turned.Transformers)
	slices.Reverse(turned.Customers)
	slices.Reverse(turned.UsagePoints)
	in.Network = grid.NewNetwork(turned)
	if got := mustRun(t, in, Local(balance{}), Local(stepper{})); asJSON(t, got) != asJSON(t, want) {
		t.Error("the order of records changes the result")
	}
	in.Curves.(*memory).put(t, "MTR-00003", lastDay, in.location(), func(int) float64 { return 0.4 })
	if got := mustRun(t, in, Local(stepper{})); got.DataVersion == want.DataVersion {
		t.Error("other data have the same data version")
	}
}

func TestRunRefusesWhatCannotBe(t *testing.T) {
	good := district(t)
	for name, spoil := range map[string]func(*Input){
		"no network":    func(in *Input) { in.Network = nil },
		"no curves":     func(in *Input) { in.Curves = nil },
		"days reversed": func(in *Input) { in.First, in.Last = in.Last, in.First },
		"eleven years":  func(in *Input) { in.First = in.Last - 4000 },
		"prior":         func(in *Input) { in.Prior = 1 },
		"two of a name": func(in *Input) { in.Evaluators = []Evaluator{Local(stepper{}), Local(stepper{})} },
	} {
		in := good
		spoil(&in)
		if _, err := Run(context.Background(), in); err == nil {
			t.Errorf("%s: run", name)
		}
	}
}

// broken is a store that fails.
type broken struct {
	*memory
	features, days error
}

func (b broken) Features(ctx context.Context, first, last curve.Date, fn func(string, curve.Date, *curve.Features) error) error {
	if b.features != nil {
		return b.features
	}
	return b.memory.Features(ctx, first, last, fn)
}

func (b broken) Days(ctx context.Context, meterID string, first, last curve.Date) ([]curve.Day, error) {
	if b.days != nil {
		return nil, b.days
	}
	return b.memory.Days(ctx, meterID, first, last)
}

func TestAStoreThatFailsIsNotTheDetectorsFault(t *testing.T) {
	in := district(t)
	fault := errors.New("disk is full")
	for _, store := range []broken{{in.Curves.(*memory), fault, nil}, {in.Curves.(*memory), nil, fault}} {
		in := in
		in.Curves, in.Evaluators = store, []Evaluator{Local(stepper{})}
		if _, err := Run(context.Background(), in); !errors.Is(err, fault) {
			t.Errorf("error %v", err)
		}
	}
}

func TestAWindowThatIsNotJudgedFailsItsDetectorOnly(t *testing.T) {
	panics := says{"panics", sdk.ScopeFleet, func(*sdk.Window, *sdk.Report) { panic("no such feeder") }}
	r := mustRun(t, district(t), Local(stepper{}), Local(panics))
	if len(r.Failed) != 1 || !strings.Contains(r.Failed[0].Error, "no such feeder") || r.UsagePoints[0].UsagePointID != "UP-0007" {
		t.Errorf("failed %+v", r.Failed)
	}
}
