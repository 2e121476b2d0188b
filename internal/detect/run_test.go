package detect

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// stepper finds points whose mean rises; it asks for curves before it says so.
type stepper struct{}

func (stepper) Describe() sdk.Description {
	return sdk.Description{Name: "stepper", Version: "1.0.0", Scope: sdk.ScopeUsagePoint, MinimumQuality: meter.Uncertain,
		Features: []sdk.Feature{sdk.EnergyKWh, sdk.NightKW}, Quantities: []meter.Quantity{meter.ActivePower}}
}

func (stepper) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	for i, s := range w.Subjects {
		energy := w.Feature(sdk.EnergyKWh, i)
		before, after := float64(energy[0]), float64(energy[len(energy)-1])
		if after < before+24 {
			out.Score(s.ID, 0.002)
			continue
		}
		if w.Curves == nil {
			out.RequestCurves(s.ID)
			out.Score(s.ID, 0.5)
			continue
		}
		out.Add(sdk.Finding{Subject: s.ID, Kind: sdk.UsagePoint, Reason: "base_step", Probability: 0.9, ExcessKWhMonth: 30 * (after - before),
			Evidence: []sdk.Evidence{{Code: "step", Text: "the base load rose", Value: (after - before) / 24, Unit: "kW"}},
			Innocent: []sdk.Explanation{{Code: "ev_charging", Text: "no charging hours", Outcome: sdk.RuledOut}}})
	}
	return nil
}

// balance sums an area.
type balance struct{}

func (balance) Describe() sdk.Description {
	return sdk.Description{Name: "balance", Version: "0.2.0", Scope: sdk.ScopeTransformerArea, LookbackDays: 5, MinimumQuality: meter.Uncertain}
}

func (balance) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	transformer := &w.Subjects[0]
	if !transformer.HasMeter {
		return nil
	}
	var input, sum float64
	for i := range w.Subjects {
		for _, v := range w.Feature(sdk.EnergyKWh, i) {
			if i == 0 {
				input += float64(v)
			} else {
				sum += float64(v)
			}
		}
	}
	out.Measure(transformer.ID, sdk.MetricLossPct, 100*(input-sum)/input)
	if input-sum > 0.05*input {
		out.Add(sdk.Finding{Subject: transformer.ID, Kind: sdk.Transformer, Reason: "energy_missing", Probability: 0.6,
			Verdicts: []string{sdk.VerdictTheft}, Suspects: []sdk.Suspect{{Subject: w.Subjects[1].ID, Probability: 0.2}}})
	}
	return nil
}

func mustRun(t testing.TB, in Input, evaluators ...Evaluator) *Result {
	t.Helper()
	in.Evaluators = evaluators
	r, err := Run(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestRunJudgesEverybodyAndRanksWhatWasFound(t *testing.T) {
	r := mustRun(t, district(t), Local(stepper{}), Local(balance{}))
	if len(r.UsagePoints) != 30 || len(r.Transformers) != 2 || len(r.Failed) != 0 {
		t.Fatalf("%d points, %d transformers, failed %v", len(r.UsagePoints), len(r.Transformers), r.Failed)
	}
	top := r.UsagePoints[0]
	if top.UsagePointID != "UP-0007" || top.Rank != 1 || top.Risk < 0.85 || len(top.Findings) != 1 {
		t.Errorf("top of the queue is %s", asJSON(t, top))
	}
	f := top.Findings[0]
	if f.Subject != "UP-0007" || f.Stamp.DataVersion != r.DataVersion || len(f.Stamp.SHA256) != 64 || f.Evidence[0].FirstDay != sdk.Date(firstDay) {
		t.Errorf("finding %+v", f)
	}
	for _, a := range r.UsagePoints[1:] {
		if a.Rank != 0 || a.Risk >= 0.01 || len(a.Findings) != 0 || !a.MeanKW.Known() || a.GoodShare != 1 {
			t.Errorf("innocent %s", asJSON(t, a))
		}
	}
	east, west := r.Transformers[0], r.Transformers[1]
	if east.Verdicts[0] != "theft" || len(east.Suspects) != 1 || east.Suspects[0] != "UP-0001" || !east.LossPct.Known() {
		t.Errorf("east: %s", asJSON(t, east))
	}
	if len(west.Verdicts) != 1 || west.Verdicts[0] != "no_meter" || west.LossPct.Known() {
		t.Errorf("west: %s", asJSON(t, west))
	}
}

func TestAResultSurvivesItsJSON(t *testing.T) {
	r := mustRun(t, district(t), Local(stepper{}), Local(balance{}))
	text := asJSON(t, r)
	for _, want := range []string{`"first_day": "2024-10-04"`, `"reason": "base_step"`, `"data_version":`, `"loss_pct": null`} {
		if !strings.Contains(text, want) {
			t.Errorf("the JSON has no %s", want)
		}
	}
	var back Result
	if err := json.Unmarshal([]byte(text), &back); err != nil {
		t.Fatal(err)
	}
	if again := asJSON(t, &back); again != text {
		t.Errorf("a result read back differs:\n%s\n%s", text, again)
	}
}
