package detect

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// stored is a result as it comes back from where it was kept.
func stored(t *testing.T, r *Result) *Result {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	out := new(Result)
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
	return out
}

func replayed(t *testing.T, in Input, run *Result, kind sdk.SubjectKind, subject, detector string) *Replayed {
	t.Helper()
	r, err := Replay(context.Background(), in, run, kind, subject, detector)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func said(differences []Difference, what string) bool {
	for _, d := range differences {
		if strings.Contains(d.What, what) && d.Then != d.Now {
			return true
		}
	}
	return false
}

func TestReplayIsTheSameBitForBit(t *testing.T) {
	in := district(t)
	in.PseudonymKey = []byte("the installation's secret")
	in.Evaluators = []Evaluator{Local(stepper{}), Local(balance{})}
	run := stored(t, mustRun(t, in, in.Evaluators...))
	in.Prior, in.First = 0.5, in.First+3 // the run's own are taken
	for _, c := range []struct {
		kind     sdk.SubjectKind
		subject  string
		detector string
	}{{sdk.UsagePoint, "UP-0007", "stepper"}, {sdk.Transformer, "TX-EAST-1", "balance"}} {
		r := replayed(t, in, run, c.kind, c.subject, c.detector)
		if !r.Same || len(r.Then) == 0 || len(r.Differences) != 0 || len(r.Changes) != 0 {
			t.Errorf("%s: %+v", c.subject, r)
		}
	}
	if r := replayed(t, in, run, sdk.UsagePoint, "UP-0008", "stepper"); !r.Same || len(r.Now) != 0 {
		t.Errorf("a point without a finding: %+v", r)
	}
}

func TestReplaySaysWhatDiffers(t *testing.T) {
	in := district(t)
	in.PseudonymKey = []byte("the installation's secret")
	in.Evaluators = []Evaluator{Local(stepper{}), Local(balance{})}
	run := stored(t, mustRun(t, in, in.Evaluators...))

	with := func(change func(in *Input)) *Replayed {
		other := district(t)
		other.PseudonymKey, other.Evaluators = in.PseudonymKey, in.Evaluators
		change(&other)
		return replayed(t, other, run, sdk.UsagePoint, "UP-0007", "stepper")
	}
	late := with(func(in *Input) {
		in.Curves.(*memory).put(t, "MTR-00007", lastDay, in.Location, func(int) float64 { return 40 })
	})
	if late.Same || !said(late.Differences, "daily features") || len(late.Changes) != 1 || late.Changes[0].What != ChangeChanged || len(late.Changes[0].Fields) == 0 {
		t.Errorf("other data: %+v", late)
	}
	if r := with(func(in *Input) { in.PseudonymKey = []byte("another") }); !said(r.Differences, "pseudonyms") {
		t.Errorf("another key: %+v", r)
	}
	if r := with(func(in *Input) {
		in.Network.Calendar = append(in.Network.Calendar, grid.CalendarDay{Date: (firstDay + 5).String(), Kind: "holiday"})
	}); !said(r.Differences, "calendar") {
		t.Errorf("another calendar: %+v", r)
	}
	if r := with(func(in *Input) { in.Evaluators = []Evaluator{Local(renewed{})} }); !said(r.Differences, "stepper: version") {
		t.Errorf("another version: %+v", r)
	}

	gone := district(t)
	gone.PseudonymKey, gone.Evaluators = in.PseudonymKey, in.Evaluators
	if _, err := Replay(context.Background(), gone, run, sdk.UsagePoint, "UP-9999", "stepper"); err == nil || !strings.Contains(err.Error(), "not in the registry") {
		t.Errorf("a point that is gone: %v", err)
	}
	run.Inputs = nil
	if _, err := Replay(context.Background(), gone, run, sdk.UsagePoint, "UP-0007", "stepper"); !errors.Is(err, ErrNoInputs) {
		t.Errorf("a run without inputs: %v", err)
	}
}

// renewed is a later version of stepper that finds half as much.
type renewed struct{ stepper }

func (r renewed) Describe() sdk.Description {
	d := r.stepper.Describe()
	d.Version = "9.0.0"
	return d
}

func TestWhoIsNeeded(t *testing.T) {
	in := &Inputs{
		Detectors: []Stamp{{Detector: "a"}, {Detector: "b"}, {Detector: "c"}, {Detector: "d"}},
		Providers: []string{"b", "d"}, Without: map[string]string{"d": "it failed"},
	}
	stamps, ok := in.Needed("c")
	if !ok || len(stamps) != 2 || stamps[0].Detector != "b" || stamps[1].Detector != "c" {
		t.Errorf("%v %v", stamps, ok)
	}
	if _, ok := in.Needed("e"); ok {
		t.Error("who did not judge is needed")
	}
}

func TestCompare(t *testing.T) {
	then, now := compared(t, stepper{}), compared(t, eager{})
	c, err := Compare(then, now, "stepper", 0.05)
	if err != nil {
		t.Fatal(err)
	}
	if c.New == 0 || c.Gone != 1 || c.Then.Version == c.Now.Version || len(c.Changes) != c.New+c.Changed+c.Gone || len(c.Opens) == 0 {
		t.Errorf("%+v", c)
	}
	if back, err := Compare(now, then, "stepper", 0.05); err != nil || back.Gone != c.New || back.New != c.Gone || len(back.NoMore) != len(c.Opens) {
		t.Errorf("the other way round: %+v (%v)", back, err)
	}
	if same, err := Compare(then, compared(t, stepper{}), "stepper", 0.05); err != nil || len(same.Changes) != 0 || same.Same == 0 {
		t.Errorf("the same: %+v (%v)", same, err)
	}
}

func compared(t *testing.T, d sdk.Detector) *Result {
	t.Helper()
	in := district(t)
	return mustRun(t, in, Local(d))
}

// eager finds something at every point.
type eager struct{ renewed }

func (e eager) Evaluate(_ context.Context, w *sdk.Window, out *sdk.Report) error {
	for i := range w.Subjects {
		out.Add(sdk.Finding{Subject: w.Subjects[i].ID, Kind: sdk.UsagePoint, Reason: "anything", Probability: 0.4})
	}
	return nil
}
