package dueprocess

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

type fataler interface {
	Fatalf(format string, args ...any)
}

// checkJudgement holds for every judgement there can be.
func checkJudgement(t fataler, j Judgement) {
	if len(j.Measures) != len(Measures()) {
		t.Fatalf("%d measures are judged, want %d", len(j.Measures), len(Measures()))
	}
	for i, s := range j.Measures {
		if s.Measure != Measure(i) || s.Text == "" {
			t.Fatalf("measure %d is %s with the text %q", i, s.Measure, s.Text)
		}
		if s.Measure > DeskReview && s.State != Blocked && s.State != DoesNotApply {
			t.Fatalf("%s is %s", s.Measure, s.State)
		}
		if (s.State == Blocked) != (len(s.Unmet) > 0) {
			t.Fatalf("%s is %s with %d unmet conditions", s.Measure, s.State, len(s.Unmet))
		}
		for _, u := range s.Unmet {
			if u.Missing == "" || u.Supplier == "" || u.Rule == "" {
				t.Fatalf("%s: a condition lacks a part: %+v", s.Measure, u)
			}
		}
	}
}

func answers(codes []string) *rapid.Generator[map[string]Answer] {
	return rapid.Custom(func(t *rapid.T) map[string]Answer {
		m := map[string]Answer{}
		for _, code := range codes {
			m[code] = rapid.SampledFrom([]Answer{Unknown, No, Yes}).Draw(t, code)
		}
		return m
	})
}

func facts(p *Policy) *rapid.Generator[Facts] {
	var evidence, blockers, reasons []string
	for _, e := range p.Evidence {
		evidence = append(evidence, e.Code)
	}
	for _, b := range p.Blockers {
		blockers = append(blockers, b.Code)
	}
	for _, g := range p.Grounds {
		reasons = append(reasons, g.IndicatedBy...)
	}
	answer := rapid.SampledFrom([]Answer{Unknown, No, Yes})
	return rapid.Custom(func(t *rapid.T) Facts {
		f := Facts{
			Area: rapid.Bool().Draw(t, "area"), Finding: answer.Draw(t, "finding"), Tip: answer.Draw(t, "tip"),
			Reasons:    rapid.SliceOf(rapid.SampledFrom(append(reasons, "flat_load"))).Draw(t, "reasons"),
			DeskReview: answer.Draw(t, "desk review"), RecordsRuledOut: answer.Draw(t, "records"),
			Class:    rapid.SampledFrom([]string{"", "residential", "ordinary", "important", "royal"}).Draw(t, "class"),
			Subject:  rapid.SampledFrom([]string{"", "person", "enterprise"}).Draw(t, "subject"),
			Evidence: answers(evidence).Draw(t, "evidence"), Blockers: answers(blockers).Draw(t, "blockers"),
			CureEnded: answer.Draw(t, "cure"), Serious: answer.Draw(t, "serious"),
			Approved: answer.Draw(t, "approved"), Suspended: answer.Draw(t, "suspended"),
		}
		if rapid.Bool().Draw(t, "served") {
			f.NoticeServed = noon.Add(-time.Duration(rapid.IntRange(0, 60*24).Draw(t, "hours ago")) * time.Hour)
		}
		if rapid.Bool().Draw(t, "zone") {
			f.Location = time.UTC
		}
		return f
	})
}

// Whatever is known, nothing beyond the desk review is open.
func TestNothingBeyondDeskReview(t *testing.T) {
	p := generic(t)
	gen := facts(p)
	rapid.Check(t, func(t *rapid.T) {
		policy := p
		if rapid.IntRange(0, 9).Draw(t, "policy") == 0 {
			policy = nil
		}
		at := noon.Add(time.Duration(rapid.IntRange(0, 24*60).Draw(t, "minutes")) * time.Minute)
		f := gen.Draw(t, "facts")
		j := Evaluate(f, policy, at)
		checkJudgement(t, j)
		if open := j.OpenMeasures(); !slices.Contains([]string{"watch", "watch desk_review"}, strings.Join(open, " ")) {
			t.Fatalf("open are %v", open)
		}
	})
}

// proofOf returns facts under which only the stage floor blocks the measures
// that the ground opens.
func proofOf(p *Policy, g Ground) Facts {
	f := Facts{
		Finding: Yes, DeskReview: Yes, RecordsRuledOut: Yes, Class: "residential", Subject: "person",
		Evidence: map[string]Answer{"access_clause": Yes, "receiver_mandate": Yes, "legal_basis": Yes},
		Blockers: map[string]Answer{}, NoticeServed: noon.Add(-8 * 24 * time.Hour),
		CureEnded: Yes, Serious: Yes, Approved: Yes, Suspended: No, Location: time.UTC,
	}
	for _, code := range append(slices.Clone(g.Evidence), g.SuspendWith...) {
		f.Evidence[code] = Yes
	}
	if len(g.EvidenceAny) > 0 {
		f.Evidence[g.EvidenceAny[0]] = Yes
	}
	for _, b := range p.Blockers {
		f.Blockers[b.Code] = No
	}
	return f
}

func rulesOf(s Standing) []string {
	var rules []string
	for _, u := range s.Unmet {
		rules = append(rules, u.Rule)
	}
	return rules
}

const onlyFloor = "floor.furthest: desk_review"

// With everything proven, the stage floor is the one condition left: the
// reasons that a measure is blocked for are true ones.
func TestOnlyTheFloorIsLeftWhenAllIsProven(t *testing.T) {
	p := generic(t)
	for _, g := range p.Grounds {
		j := Evaluate(proofOf(p, g), p, noon)
		for _, m := range []Measure{Inspect, Rectify, TariffCorrection, Refer, Suspend} {
			rules := rulesOf(j.Of(m))
			opens := !m.restrictive() || slices.Contains(g.Opens, m.String())
			if got := slices.Equal(rules, []string{onlyFloor}); got != opens {
				t.Errorf("%s: %s lacks %v", g.Code, m, rules)
			}
		}
	}
}

// Each fact that the proof rests on is needed: without it more than the floor
// stands in the way of a suspension.
func TestAMissingFactDenies(t *testing.T) {
	whole := generic(t)
	for _, g := range whole.Grounds {
		alone := *whole
		alone.Grounds = []Ground{g} // an order proves a ground of its own beside the breach
		p := &alone
		without := map[string]func(*Facts){
			"records":  func(f *Facts) { f.RecordsRuledOut = Unknown },
			"approval": func(f *Facts) { f.Approved = Unknown },
			"refused":  func(f *Facts) { f.Approved = No },
		}
		for _, code := range append(append(slices.Clone(g.Evidence), g.SuspendWith...), g.EvidenceAny...) {
			if !slices.Contains(g.EvidenceAny, code) || code == g.EvidenceAny[0] {
				without["evidence "+code] = func(f *Facts) { f.Evidence[code] = Unknown }
				without["no evidence "+code] = func(f *Facts) { f.Evidence[code] = No }
			}
		}
		for _, b := range p.Blockers {
			if b.Kind != "protected" && g.Code == "danger" {
				continue // danger overrides timing and legal blockers
			}
			without["unknown "+b.Code] = func(f *Facts) { delete(f.Blockers, b.Code) }
			without["holding "+b.Code] = func(f *Facts) { f.Blockers[b.Code] = Yes }
		}
		if g.Code != "danger" {
			without["zone"] = func(f *Facts) { f.Location = nil }
			without["late hour"] = func(f *Facts) { f.Location = time.FixedZone("UTC+3", 3*3600) }
		}
		if g.Path == "noticed" {
			without["notice"] = func(f *Facts) { f.NoticeServed = time.Time{} }
			without["notice period"] = func(f *Facts) { f.NoticeServed = noon.Add(-7*24*time.Hour + time.Second) }
			without["lapsed notice"] = func(f *Facts) { f.NoticeServed = noon.Add(-37 * 24 * time.Hour) }
			without["class"] = func(f *Facts) { f.Class, f.Approved = "", No }
		}
		if g.SuspendAfterCure {
			without["cure"] = func(f *Facts) { f.CureEnded = Unknown }
		}
		if g.SuspendIfSerious {
			without["seriousness"] = func(f *Facts) { f.Serious = Unknown }
		}
		for _, name := range slices.Sorted(maps.Keys(without)) {
			f := proofOf(p, g)
			without[name](&f)
			if rules := rulesOf(Evaluate(f, p, noon).Of(Suspend)); len(rules) < 2 {
				t.Errorf("%s: without %s only %v blocks a suspension", g.Code, name, rules)
			}
		}
	}
}

// What the noticed path asks for holds to the day.
func TestNoticePeriodBounds(t *testing.T) {
	p := generic(t)
	ground, _ := p.ground("arrears")
	for _, tc := range []struct {
		ago     time.Duration
		blocked bool
	}{
		{7*24*time.Hour - time.Second, true},
		{7 * 24 * time.Hour, false},
		{37*24*time.Hour - time.Second, false},
		{37 * 24 * time.Hour, true},
	} {
		f := proofOf(p, ground)
		f.NoticeServed = noon.Add(-tc.ago)
		if got := len(Evaluate(f, p, noon).Of(Suspend).Unmet) > 1; got != tc.blocked {
			t.Errorf("served %s ago: blocked by the notice: %v", tc.ago, got)
		}
	}
	at := proofOf(p, ground)
	for minute, blocked := range map[int]bool{14*60 + 59: false, 15 * 60: true} {
		now := time.Date(2026, 11, 24, 0, minute, 0, 0, time.UTC)
		if got := len(Evaluate(at, p, now).Of(Suspend).Unmet) > 1; got != blocked {
			t.Errorf("minute %d: blocked by the hour: %v", minute, got)
		}
	}
}

func TestNeverSufficient(t *testing.T) {
	p := generic(t)
	f := Facts{Finding: Yes, DeskReview: Yes, RecordsRuledOut: Yes, Class: "residential", Subject: "person",
		Reasons: []string{"flat_load", "listed_ip", "use_not_declared"}, Approved: Yes, Suspended: No}
	for _, m := range []Measure{Rectify, TariffCorrection, Suspend} {
		first := Evaluate(f, p, noon).Of(m).Unmet[0]
		if !strings.Contains(first.Missing, "never sufficient") || !strings.HasPrefix(first.Rule, "never_sufficient: score, list_entry, mining") {
			t.Errorf("%s is blocked first by %+v", m, first)
		}
	}
}

func TestInspectAndRefer(t *testing.T) {
	p := generic(t)
	clause := map[string]Answer{"access_clause": Yes, "receiver_mandate": Yes, "legal_basis": Yes}
	for _, tc := range []struct {
		name  string
		facts Facts
		m     Measure
		want  string
	}{
		{"finding and clause", Facts{Finding: Yes, Evidence: clause}, Inspect, onlyFloor},
		{"tip and clause", Facts{Tip: Yes, Evidence: clause}, Inspect, onlyFloor},
		{"no trigger", Facts{Finding: No, Evidence: clause}, Inspect, "inspect.trigger " + onlyFloor},
		{"no clause", Facts{Finding: Yes}, Inspect, "inspect.requires: access_clause " + onlyFloor},
		{"a transformer needs no clause", Facts{Finding: Yes, Area: true}, Inspect, onlyFloor},
		{"subject unknown", Facts{Evidence: clause}, Refer, "refer.subject " + onlyFloor},
		{"nothing known", Facts{}, Refer, "refer.subject refer.requires: receiver_mandate refer.requires: legal_basis " + onlyFloor},
		{"state of supply unknown", Facts{}, Restore, "restore.suspended " + onlyFloor},
		{"suspended", Facts{Suspended: Yes}, Restore, onlyFloor},
	} {
		if got := strings.Join(rulesOf(Evaluate(tc.facts, p, noon).Of(tc.m)), " "); got != tc.want {
			t.Errorf("%s: %s lacks %q, want %q", tc.name, tc.m, got, tc.want)
		}
	}
	for answer, want := range map[Answer]State{Unknown: Open, No: Open, Yes: Done} {
		if got := Evaluate(Facts{DeskReview: answer}, p, noon).Of(DeskReview).State; got != want {
			t.Errorf("desk review concluded: %s, and it is %s", answer, got)
		}
	}
	if got := Evaluate(Facts{Suspended: No}, p, noon).Of(Restore).State; got != DoesNotApply {
		t.Errorf("restore is %s where nothing was suspended", got)
	}
}

// A policy that was not parsed cannot open anything by what it leaves out.
func TestAPolicyThatSaysNothingDenies(t *testing.T) {
	hollow := &Policy{Pack: "hollow", NeverSufficient: []string{"score"}, Grounds: []Ground{{Code: "whim", Text: "Whim", Path: "immediate", Opens: []string{"suspend"}}}}
	for name, p := range map[string]*Policy{"no policy": nil, "hollow policy": hollow} {
		j := Evaluate(Facts{Finding: Yes, RecordsRuledOut: Yes, Subject: "person", Approved: Yes, Suspended: No}, p, noon)
		checkJudgement(t, j)
		for m, want := range map[Measure]string{Refer: "refer.requires", Suspend: "never_sufficient: score"} {
			if rules := rulesOf(j.Of(m)); !strings.HasPrefix(rules[0], want) {
				t.Errorf("%s: %s lacks %q first, want %q", name, m, rules[0], want)
			}
		}
	}
}

func TestCodes(t *testing.T) {
	var measures, states []string
	for _, m := range Measures() {
		measures = append(measures, m.String())
	}
	for s := Blocked; s <= DoesNotApply; s++ {
		states = append(states, s.String())
	}
	got := fmt.Sprint(measures, states, Unknown, No, Yes, Measure(99), AnswerOf(true), AnswerOf(false))
	want := "[watch desk_review inspect rectify tariff_correction refer suspend restore] " +
		"[blocked open running done does_not_apply] unknown no yes unknown_measure yes no"
	if got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
