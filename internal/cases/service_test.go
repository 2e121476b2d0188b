package cases_test

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/dueprocess"
	"github.com/gridwarden/gridwarden/internal/grid"
)

func genericPolicy(t testing.TB) *dueprocess.Policy {
	t.Helper()
	data, err := os.ReadFile("../../configs/policies/generic.yaml")
	if err != nil {
		t.Fatal(err)
	}
	p, err := dueprocess.Parse("generic.yaml", data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestNewServiceNamesWhatIsMissing(t *testing.T) {
	whole := cases.Config{Store: cases.NewMemory(), Policy: genericPolicy(t), Clock: time.Now}
	for want, edit := range map[string]func(*cases.Config){
		"Config.Store":  func(c *cases.Config) { c.Store = nil },
		"Config.Policy": func(c *cases.Config) { c.Policy = nil },
		"Config.Clock":  func(c *cases.Config) { c.Clock = nil },
		"threshold 1.5": func(c *cases.Config) { c.Threshold = 1.5 },
		"share 2":       func(c *cases.Config) { c.MinGoodShare = 2 },
	} {
		config := whole
		edit(&config)
		if _, err := cases.NewService(config); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that names %s", err, want)
		}
	}
}

func TestActsNeedAPersonAndWords(t *testing.T) {
	s, _ := newService(t, nil)
	consider(t, s, run(assessment("UP-1", 0.8, "flat_load")))
	for name, tc := range map[string]struct {
		id, by, text string
		version      int
		want         error
	}{
		"nobody":       {"C-2026-0001", "", "x", 1, cases.ErrInvalid},
		"the program":  {"C-2026-0001", cases.Program, "x", 1, cases.ErrInvalid},
		"no words":     {"C-2026-0001", "lin.wei", " \n", 1, cases.ErrInvalid},
		"a novel":      {"C-2026-0001", "lin.wei", strings.Repeat("x", 10000), 1, cases.ErrInvalid},
		"old version":  {"C-2026-0001", "lin.wei", "x", 0, cases.ErrConflict},
		"next version": {"C-2026-0001", "lin.wei", "x", 2, cases.ErrConflict},
		"no such case": {"C-2026-0002", "lin.wei", "x", 1, cases.ErrNotFound},
	} {
		if _, err := s.AddNote(t.Context(), tc.id, tc.version, tc.by, tc.text); !errors.Is(err, tc.want) {
			t.Errorf("%s: note gave %v, want %v", name, err, tc.want)
		}
		if _, err := s.Review(t.Context(), tc.id, tc.version, tc.by, tc.text, true); !errors.Is(err, tc.want) {
			t.Errorf("%s: review gave %v, want %v", name, err, tc.want)
		}
	}
}

func TestMeasuresFollowTheCase(t *testing.T) {
	customer := &grid.Customer{
		ID: "C-UP-1", Class: grid.ClassResidential, Subject: "person", ContractedKVA: 8, TariffID: "res_tiered", Protected: []string{"life_support"},
	}
	s, _ := newService(t, func(c *cases.Config) {
		c.Customer = func(id string) *grid.Customer {
			if id != customer.ID {
				return nil
			}
			return customer
		}
	})
	consider(t, s, run(assessment("UP-1", 0.97, "flat_load", "use_not_declared")))
	rules := func(m dueprocess.Measure) string {
		j, err := s.Measures(t.Context(), "C-2026-0001")
		if err != nil {
			t.Fatal(err)
		}
		if len(j.Measures) != 8 || j.PolicyHash != genericPolicy(t).Hash {
			t.Fatalf("%d measures under %s", len(j.Measures), j.PolicyHash)
		}
		standing := j.Of(m)
		text := standing.State.String()
		for _, u := range standing.Unmet {
			text += "\n" + u.Rule
		}
		return text
	}
	if got := rules(dueprocess.DeskReview); got != "open" {
		t.Errorf("desk review is %s", got)
	}
	suspend := rules(dueprocess.Suspend)
	for _, want := range []string{
		"blocked\n", "never_sufficient", "contract_breach.evidence: actual_use_on_site", "floor.records_ruled_out",
		"blockers.life_support", "approvals.by_class.residential", "paths.noticed.notice_days: 7", "floor.furthest",
	} {
		if !strings.Contains(suspend, want) {
			t.Errorf("suspend does not name %q:\n%s", want, suspend)
		}
	}
	if strings.Contains(suspend, "load_record") {
		t.Errorf("the load record is on file and yet asked for:\n%s", suspend)
	}
	if _, err := s.Review(t.Context(), "C-2026-0001", 1, "lin.wei", "ratio 400/5 checked", true); err != nil {
		t.Fatal(err)
	}
	if got := rules(dueprocess.DeskReview); got != "done" {
		t.Errorf("desk review is %s after it was concluded", got)
	}
	if got := rules(dueprocess.Rectify); strings.Contains(got, "records_ruled_out") {
		t.Errorf("records were ruled out, and yet:\n%s", got)
	}
	if _, err := s.Measures(t.Context(), "C-2026-0404"); !errors.Is(err, cases.ErrNotFound) {
		t.Errorf("measures of no case: %v", err)
	}
}
