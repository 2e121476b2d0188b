package casestest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

var morning = time.Date(2026, 11, 24, 6, 12, 0, 123456789, time.UTC)

// Conform runs the suite; open returns an empty store for each test.
func Conform(t *testing.T, open func(t *testing.T) cases.Store) {
	for name, test := range map[string]func(*testing.T, cases.Store){
		"a case comes back as it went in":           roundTrip,
		"one case for a subject":                    oneForSubject,
		"numbers have no gaps":                      noGaps,
		"a lost update is refused":                  conflict,
		"several events come in one step":           severalEvents,
		"what does not fit is refused whole":        refusedWhole,
		"lists are filtered, newest first":          lists,
		"concurrent openings keep numbers in order": concurrentOpenings,
		"one of two concurrent acts succeeds":       concurrentActs,
		"nothing is found in an empty store":        empty,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// Opening returns the opening event of a case about a usage point.
func Opening(id, usagePoint string) cases.Event {
	subject := cases.Subject{Kind: cases.UsagePoint, ID: usagePoint}
	return cases.Event{
		CaseID: id, Seq: 1, Type: cases.Opened, At: morning, By: cases.Program,
		Opened: &cases.OpenedBody{
			Subject: subject, UsagePointID: usagePoint, MeterID: "M1", CustomerID: "C1", TransformerID: "T1", PolicyHash: "abc",
			Assessment: cases.Snapshot{
				RunID: "r1", Risk: 0.97, Priority: 3.5, Reasons: []string{"flat_load", "listed_ip"},
				FirstDay: 20000, LastDay: 20059, ExcessKWhMonth: 33640.5, GoodShare: 0.99,
			},
			Findings: []cases.Finding{finding("flat_load")},
		},
	}
}

func finding(reason string) cases.Finding {
	return cases.Finding{
		ID: "F-" + reason, Reason: reason, Probability: 0.9, FirstDay: 20000, LastDay: 20059,
		Detail: detect.Finding{
			Finding: sdk.Finding{Subject: "UP-1", Kind: sdk.UsagePoint, Reason: reason, Probability: 0.9, Evidence: []sdk.Evidence{
				{Code: "flat_share", Text: "94 % of hours within 3 %", Value: 0.94, LogOdds: 2.5},
			}},
			Stamp: detect.Stamp{Detector: "hiddenmining", Version: "1.0.0"},
		},
	}
}

func note(id string, seq int, text string) cases.Event {
	return cases.Event{CaseID: id, Seq: seq, Type: cases.Noted, At: morning.Add(time.Hour), By: "lin.wei", Note: &cases.NoteBody{Text: text}}
}

func review(id string, seq int) cases.Event {
	return cases.Event{
		CaseID: id, Seq: seq, Type: cases.DeskReviewed, At: morning.Add(2 * time.Hour), By: "lin.wei",
		Reviewed: &cases.ReviewedBody{Text: "ratio 400/5 checked", RecordsRuledOut: true},
	}
}

func mustOpen(t *testing.T, s cases.Store, usagePoint string) *cases.Case {
	t.Helper()
	c, err := s.Create(t.Context(), 2026, cases.Subject{Kind: cases.UsagePoint, ID: usagePoint},
		func(id string) cases.Event { return Opening(id, usagePoint) })
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func mustAppend(t *testing.T, s cases.Store, id string, version int, events ...cases.Event) *cases.Case {
	t.Helper()
	c, err := s.Append(t.Context(), id, version, events)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func roundTrip(t *testing.T, s cases.Store) {
	opened := mustOpen(t, s, "UP-1")
	if opened.ID != "C-2026-0001" || opened.Version != 1 || opened.State != cases.Open {
		t.Fatalf("opened as %s, version %d, state %s", opened.ID, opened.Version, opened.State)
	}
	events := []cases.Event{Opening(opened.ID, "UP-1"), note(opened.ID, 2, "tariff checked"), review(opened.ID, 3)}
	mustAppend(t, s, opened.ID, 1, events[1])
	after := mustAppend(t, s, opened.ID, 2, events[2])

	got, err := s.Get(t.Context(), opened.ID)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Timeline, events) {
		t.Errorf("timeline\n%+v\nwant\n%+v", got.Timeline, events)
	}
	want, err := cases.Fold(events)
	if err != nil {
		t.Fatal(err)
	}
	bySubject, err := s.BySubject(t.Context(), opened.Subject)
	if err != nil {
		t.Fatal(err)
	}
	list, err := s.List(t.Context(), cases.Filter{})
	if err != nil || len(list) != 1 {
		t.Fatalf("list has %d cases, %v", len(list), err)
	}
	got.Timeline = nil
	for name, c := range map[string]*cases.Case{"Get": got, "Append": after, "BySubject": bySubject, "List": &list[0]} {
		if !reflect.DeepEqual(c, want) {
			t.Errorf("%s returned\n%+v\nwant\n%+v", name, c, want)
		}
	}
}

func oneForSubject(t *testing.T, s cases.Store) {
	mustOpen(t, s, "UP-1")
	_, err := s.Create(t.Context(), 2026, cases.Subject{Kind: cases.UsagePoint, ID: "UP-1"},
		func(id string) cases.Event { return Opening(id, "UP-1") })
	if !errors.Is(err, cases.ErrExists) {
		t.Fatalf("got %v, want ErrExists", err)
	}
	if c := mustOpen(t, s, "UP-2"); c.ID != "C-2026-0002" {
		t.Fatalf("the next case is %s; the refused one took a number", c.ID)
	}
}

func noGaps(t *testing.T, s cases.Store) {
	mustOpen(t, s, "UP-1")
	_, err := s.Create(t.Context(), 2026, cases.Subject{Kind: cases.UsagePoint, ID: "UP-2"}, func(id string) cases.Event {
		return note(id, 1, "a case cannot begin with a note")
	})
	if err == nil {
		t.Fatal("a case that begins with a note was opened")
	}
	cancelled, cancel := context.WithCancel(t.Context())
	_, _ = s.Create(cancelled, 2026, cases.Subject{Kind: cases.UsagePoint, ID: "UP-3"}, func(id string) cases.Event {
		cancel()
		return note(id, 1, "nor so")
	})
	if c := mustOpen(t, s, "UP-2"); c.ID != "C-2026-0002" {
		t.Fatalf("the next case is %s, want C-2026-0002", c.ID)
	}
	c, err := s.Create(t.Context(), 2027, cases.Subject{Kind: cases.Undersized, ID: "T1"}, func(id string) cases.Event {
		e := Opening(id, "")
		e.Opened.Subject = cases.Subject{Kind: cases.Undersized, ID: "T1"}
		return e
	})
	if err != nil || c.ID != "C-2027-0001" {
		t.Fatalf("the first case of the next year is %+v, %v", c, err)
	}
}

func conflict(t *testing.T, s cases.Store) {
	c := mustOpen(t, s, "UP-1")
	mustAppend(t, s, c.ID, 1, note(c.ID, 2, "first"))
	if _, err := s.Append(t.Context(), c.ID, 1, []cases.Event{note(c.ID, 2, "second")}); !errors.Is(err, cases.ErrConflict) {
		t.Fatalf("got %v, want ErrConflict", err)
	}
	if _, err := s.Append(t.Context(), "C-2026-9999", 1, []cases.Event{note("C-2026-9999", 2, "x")}); !errors.Is(err, cases.ErrNotFound) {
		t.Fatalf("got %v, want ErrNotFound", err)
	}
}

func severalEvents(t *testing.T, s cases.Store) {
	c := mustOpen(t, s, "UP-1")
	if c = mustAppend(t, s, c.ID, 1, note(c.ID, 2, "a"), note(c.ID, 3, "b"), review(c.ID, 4)); c.Version != 4 || c.State != cases.Reviewed {
		t.Fatalf("version %d, state %s", c.Version, c.State)
	}
}

func refusedWhole(t *testing.T, s cases.Store) {
	c := mustOpen(t, s, "UP-1")
	for name, second := range map[string]cases.Event{
		"a gap":                note(c.ID, 4, "x"),
		"another case's event": note("C-2026-0002", 3, "x"),
		"no body":              {CaseID: c.ID, Seq: 3, Type: cases.Noted},
		"a second opening":     Opening(c.ID, "UP-1"),
	} {
		if _, err := s.Append(t.Context(), c.ID, 1, []cases.Event{note(c.ID, 2, "x"), second}); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	got, err := s.Get(t.Context(), c.ID)
	if err != nil || got.Version != 1 || len(got.Timeline) != 1 {
		t.Fatalf("after refusals the case has %d events, %v", len(got.Timeline), err)
	}
}

func lists(t *testing.T, s cases.Store) {
	for _, up := range []string{"UP-1", "UP-2", "UP-3"} {
		mustOpen(t, s, up)
	}
	mustAppend(t, s, "C-2026-0002", 1, review("C-2026-0002", 2))
	for _, tc := range []struct {
		filter cases.Filter
		want   []string
	}{
		{cases.Filter{}, []string{"C-2026-0003", "C-2026-0002", "C-2026-0001"}},
		{cases.Filter{State: cases.Open}, []string{"C-2026-0003", "C-2026-0001"}},
		{cases.Filter{State: cases.Reviewed}, []string{"C-2026-0002"}},
		{cases.Filter{Limit: 2}, []string{"C-2026-0003", "C-2026-0002"}},
		{cases.Filter{State: cases.Open, Limit: 1}, []string{"C-2026-0003"}},
		{cases.Filter{Subject: cases.Subject{ID: "UP-1"}}, []string{"C-2026-0001"}},
		{cases.Filter{Subject: cases.Subject{Kind: cases.Undersized}}, nil},
	} {
		list, err := s.List(t.Context(), tc.filter)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for _, c := range list {
			ids = append(ids, c.ID)
			if len(c.Timeline) > 0 {
				t.Errorf("%s comes with its timeline", c.ID)
			}
		}
		if !slices.Equal(ids, tc.want) {
			t.Errorf("%+v lists %v, want %v", tc.filter, ids, tc.want)
		}
	}
	counts, err := s.Count(t.Context())
	if want := map[cases.State]int{cases.Open: 2, cases.Reviewed: 1}; err != nil || !reflect.DeepEqual(counts, want) {
		t.Errorf("counted %v, %v, want %v", counts, err, want)
	}
}

func concurrentOpenings(t *testing.T, s cases.Store) {
	const subjects, writers = 25, 4
	var wg sync.WaitGroup
	var mu sync.Mutex
	opened := 0
	for w := range writers {
		wg.Go(func() {
			for i := range subjects {
				up := fmt.Sprintf("UP-%d", (i+w*7)%subjects)
				_, err := s.Create(t.Context(), 2026, cases.Subject{Kind: cases.UsagePoint, ID: up},
					func(id string) cases.Event { return Opening(id, up) })
				switch {
				case err == nil:
					mu.Lock()
					opened++
					mu.Unlock()
				case !errors.Is(err, cases.ErrExists):
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	list, err := s.List(t.Context(), cases.Filter{})
	if err != nil || len(list) != subjects || opened != subjects {
		t.Fatalf("%d cases are listed and %d were opened, %v; want %d", len(list), opened, err, subjects)
	}
	for i, c := range list {
		if want := cases.CaseID(2026, subjects-i); c.ID != want {
			t.Fatalf("case %d is %s, want %s", i, c.ID, want)
		}
	}
}

func concurrentActs(t *testing.T, s cases.Store) {
	c := mustOpen(t, s, "UP-1")
	var wg sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wg.Go(func() {
			_, results[i] = s.Append(t.Context(), c.ID, 1, []cases.Event{note(c.ID, 2, fmt.Sprint(i))})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else if !errors.Is(err, cases.ErrConflict) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Fatalf("%d of %d acts on the same version succeeded, want 1", won, len(results))
	}
}

func empty(t *testing.T, s cases.Store) {
	if _, err := s.Get(t.Context(), "C-2026-0001"); !errors.Is(err, cases.ErrNotFound) {
		t.Errorf("Get: %v, want ErrNotFound", err)
	}
	if c, err := s.BySubject(t.Context(), cases.Subject{Kind: cases.UsagePoint, ID: "UP-1"}); c != nil || err != nil {
		t.Errorf("BySubject: %v, %v", c, err)
	}
	if list, err := s.List(t.Context(), cases.Filter{}); len(list) != 0 || err != nil {
		t.Errorf("List: %v, %v", list, err)
	}
	if counts, err := s.Count(t.Context()); len(counts) != 0 || err != nil {
		t.Errorf("Count: %v, %v", counts, err)
	}
}
