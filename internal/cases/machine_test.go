package cases_test

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/dueprocess"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// machine drives a service with random runs, acts and clocks, beside a plain
// model of what cases there must be.
type machine struct {
	service *cases.Service
	clock   *clock
	model   map[cases.Subject]*modelCase
	numbers map[int]int // cases opened by year
}

type modelCase struct {
	id      string
	version int
	state   cases.State
}

func (m *machine) consider(t *rapid.T) {
	r := &detect.Result{RunID: "run", FirstDay: firstDay, LastDay: lastDay}
	for i := range rapid.IntRange(0, 4).Draw(t, "usage points") {
		a := assessment(fmt.Sprintf("UP-%d", i), rapid.Float64Range(0, 1).Draw(t, "risk"))
		a.GoodShare = detect.Measured(rapid.SampledFrom([]float64{0, 0.79, 0.8, 1}).Draw(t, "good share"))
		for range rapid.IntRange(0, 3).Draw(t, "findings") {
			a.Findings = append(a.Findings, randomFinding(t, a.UsagePointID))
		}
		r.UsagePoints = append(r.UsagePoints, a)
	}
	for _, verdict := range rapid.SampledFrom([][]string{nil, {"ok"}, {"unmetered_load"}, {"undersized", "unmetered_load"}, {"overloaded"}}).Draw(t, "verdicts") {
		f := finding("T-1", verdict, firstDay, lastDay)
		f.Verdicts = []string{verdict}
		r.Transformers = append(r.Transformers, detect.TransformerAssessment{TransformerID: "T-1", Verdicts: []string{verdict}, Findings: []detect.Finding{f}})
	}
	opened, err := m.service.Consider(context.Background(), r)
	if err != nil {
		t.Fatal(err)
	}
	before := m.listed(t)
	again, err := m.service.Consider(context.Background(), r)
	if after := m.listed(t); err != nil || again != 0 || after != before {
		t.Fatalf("the same run opened %d more, %v, and turned\n%s\ninto\n%s", again, err, before, after)
	}
	m.expect(t, r, opened)
}

// listed returns all cases as text; unknown numbers are equal in it.
func (m *machine) listed(t *rapid.T) string {
	list, err := m.service.List(context.Background(), cases.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return asJSON(t, list)
}

func asJSON(t *rapid.T, v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func randomFinding(t *rapid.T, usagePoint string) detect.Finding {
	first := firstDay + curve.Date(rapid.IntRange(0, 200).Draw(t, "first day"))
	f := finding(usagePoint, rapid.SampledFrom([]string{"flat_load", "step", "records_error"}).Draw(t, "reason"), first,
		first+curve.Date(rapid.IntRange(0, 60).Draw(t, "days")))
	if rapid.Bool().Draw(t, "without evidence") {
		f.Evidence = nil
	}
	f.Suspects = []sdk.Suspect{{Subject: "UP-0"}}
	return f
}

// expect takes the model on by the run: which subjects may open, and at least
// which must be there.
func (m *machine) expect(t *rapid.T, r *detect.Result, opened int) {
	fresh := 0
	observe := func(subject cases.Subject, may bool) {
		list, err := m.service.List(context.Background(), cases.Filter{Subject: subject})
		if err != nil || len(list) > 1 {
			t.Fatalf("%v has %d cases, %v", subject, len(list), err)
		}
		have := m.model[subject]
		switch {
		case have == nil && may != (len(list) == 1):
			t.Fatalf("%v: a case may open: %v, cases: %d", subject, may, len(list))
		case have == nil && may:
			fresh++
			year := m.clock.now.Year()
			m.numbers[year]++
			if want := cases.CaseID(year, m.numbers[year]); list[0].ID != want {
				t.Fatalf("%v opened as %s, want %s", subject, list[0].ID, want)
			}
			m.model[subject] = &modelCase{list[0].ID, list[0].Version, cases.Open}
		case have != nil && list[0].Version > have.version: // findings joined
			have.version, have.state = list[0].Version, cases.Open
		}
	}
	for _, a := range r.UsagePoints {
		doubt, evidence := false, false
		for _, f := range a.Findings {
			doubt = doubt || f.Reason == "records_error"
			evidence = evidence || len(f.Evidence) > 0
		}
		observe(cases.Subject{Kind: cases.UsagePoint, ID: a.UsagePointID}, a.Risk >= 0.5 && a.GoodShare >= 0.8 && evidence && !doubt)
	}
	for _, area := range r.Transformers {
		for _, kind := range []cases.Kind{cases.UnmeteredLoad, cases.Undersized} {
			if area.Verdicts[0] == string(kind) {
				observe(cases.Subject{Kind: kind, ID: area.TransformerID}, true)
			}
		}
	}
	if fresh != opened {
		t.Fatalf("Consider counts %d opened, there are %d", opened, fresh)
	}
}

func (m *machine) act(t *rapid.T) {
	for subject, have := range m.model {
		version := have.version - rapid.IntRange(-1, 1).Draw(t, "version off by")
		review := rapid.Bool().Draw(t, "review")
		var err error
		if review {
			_, err = m.service.Review(context.Background(), have.id, version, "lin.wei", "checked", true)
		} else {
			_, err = m.service.AddNote(context.Background(), have.id, version, "lin.wei", "noted")
		}
		if (err == nil) != (version == have.version) {
			t.Fatalf("%v at version %d, act on %d: %v", subject, have.version, version, err)
		}
		if err == nil {
			have.version++
			if review {
				have.state = cases.Reviewed
			}
		}
		return // one act on one case
	}
}

// check holds after every step.
func (m *machine) check(t *rapid.T) {
	list, err := m.service.List(context.Background(), cases.Filter{})
	if err != nil || len(list) != len(m.model) {
		t.Fatalf("%d cases, %v, want %d", len(list), err, len(m.model))
	}
	for _, c := range list {
		have := m.model[c.Subject]
		if have == nil || c.ID != have.id || c.Version != have.version || c.State != have.state {
			t.Fatalf("%+v, want %+v", c, have)
		}
		full, err := m.service.Get(context.Background(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		folded, err := cases.Fold(full.Timeline)
		if err != nil || asJSON(t, folded) != asJSON(t, c) {
			t.Fatalf("the events add up to\n%+v, %v\nthe list says\n%+v", folded, err, c)
		}
		j, err := m.service.Measures(context.Background(), c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range j.Measures {
			if s.Measure > dueprocess.DeskReview && s.State != dueprocess.Blocked && s.State != dueprocess.DoesNotApply {
				t.Fatalf("%s is %s", s.Measure, s.State)
			}
		}
	}
}

func TestCasesAgreeWithAModel(t *testing.T) {
	policy := genericPolicy(t)
	rapid.Check(t, func(t *rapid.T) {
		at := &clock{time.Date(2026, 12, 30, 0, 0, 0, 0, time.UTC)}
		s, err := cases.NewService(cases.Config{Store: cases.NewMemory(), Policy: policy, Clock: at.Now})
		if err != nil {
			t.Fatal(err)
		}
		m := &machine{service: s, clock: at, model: map[cases.Subject]*modelCase{}, numbers: map[int]int{}}
		t.Repeat(map[string]func(*rapid.T){
			"consider": m.consider,
			"act":      m.act,
			"time": func(t *rapid.T) {
				at.now = at.now.Add(time.Duration(rapid.IntRange(-24, 48).Draw(t, "hours")) * time.Hour)
			},
			"": m.check,
		})
	})
}
