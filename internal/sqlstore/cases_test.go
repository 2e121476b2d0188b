package sqlstore

import (
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/cases/casestest"
)

func TestCasesConform(t *testing.T) {
	onBoth(t, func(t *testing.T, empty func(testing.TB) string) {
		casestest.Conform(t, func(t *testing.T) cases.Store { return openAt(t, empty(t)).Cases() })
	})
}

// Two processes on one database must not give one number twice.
func TestCasesOfTwoProcesses(t *testing.T) { onBoth(t, casesOfTwoProcesses) }

func casesOfTwoProcesses(t *testing.T, empty func(t testing.TB) string) {
	where := empty(t)
	stores := []*Cases{openAt(t, where).Cases(), openAt(t, where).Cases()}
	done := make(chan error, len(stores))
	for n, s := range stores {
		go func() {
			for i := range 20 {
				up := string(rune('a'+n)) + string(rune('a'+i))
				if _, err := s.Create(t.Context(), 2026, cases.Subject{Kind: cases.UsagePoint, ID: up},
					func(id string) cases.Event { return casestest.Opening(id, up) }); err != nil {
					done <- err
					return
				}
			}
			done <- nil
		}()
	}
	for range stores {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	list, err := stores[0].List(t.Context(), cases.Filter{})
	if err != nil || len(list) != 40 || list[0].ID != "C-2026-0040" || list[39].ID != "C-2026-0001" {
		t.Fatalf("%d cases, %v", len(list), err)
	}
}

func TestCaseEventsCannotBeChanged(t *testing.T) { eachEngine(t, caseEventsCannotBeChanged) }

func caseEventsCannotBeChanged(t *testing.T, db *DB) {
	if _, err := db.Cases().Create(t.Context(), 2026, cases.Subject{Kind: cases.UsagePoint, ID: "UP-1"},
		func(id string) cases.Event { return casestest.Opening(id, "UP-1") }); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{`UPDATE case_events SET at = 0`, `DELETE FROM case_events`} {
		if _, err := db.SQL().ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "appended") {
			t.Errorf("%s: %v, want a refusal", statement, err)
		}
	}
}
