package host

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/ingest"
	"github.com/gridwarden/gridwarden/internal/sqlstore"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// running lets h work until the test ends.
func running(t *testing.T, h *Host) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// within waits until something is so.
func within(t *testing.T, limit time.Duration, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// A program that dies between storing a run and telling the cases of it leaves
// the letter in the outbox: the next start makes cases of it, once.
func TestAStoredRunReachesTheCases(t *testing.T) {
	cfg := testConfig(t)
	cfg.Registry = registryOf(t)
	cfg.Plugins.BuiltIn = []string{}
	h := open(t, cfg)
	day := curve.DateOf(time.Now().UTC()) - 1
	finding := sdk.Finding{
		Subject: "U-1", Kind: sdk.UsagePoint, Reason: "base_load_step", Probability: 0.98,
		FirstDay: sdk.Date(day - 20), LastDay: sdk.Date(day),
		Evidence: []sdk.Evidence{{Text: "the base load rose by 10 kW", FirstDay: sdk.Date(day - 20), LastDay: sdk.Date(day)}},
	}
	result := &detect.Result{
		RunID: "a-run", At: time.Now().UTC(), FirstDay: day - 60, LastDay: day, Prior: 0.01,
		UsagePoints: []detect.Assessment{{
			UsagePointID: "U-1", MeterID: "M-1", CustomerID: "C-1", TransformerID: "T-1", Risk: 0.98, MeasuredRisk: 0.98, Rank: 1,
			FirstDay: day - 20, LastDay: day, GoodShare: 1, Reasons: []string{"base_load_step"}, Detectors: []string{"hiddenmining"},
			Findings: []detect.Finding{{Finding: finding}},
		}},
	}
	if err := h.db.Results().SaveResult(t.Context(), result); err != nil {
		t.Fatal(err)
	}
	running(t, h)
	within(t, 2*time.Minute, "the run is considered", func() bool {
		done, err := h.db.Results().Considered(t.Context(), "a-run")
		if err != nil {
			t.Fatal(err)
		}
		return done
	})
	list, err := h.cases.List(t.Context(), cases.Filter{})
	if err != nil || len(list) != 1 {
		t.Fatalf("%d cases, %v; want the one of U-1", len(list), err)
	}
	// The letter that comes again changes nothing.
	if err := h.consider(t.Context(), "a-run"); err != nil {
		t.Fatal(err)
	}
	within(t, 2*time.Minute, "nothing waits in the outbox", func() bool {
		letters, err := h.db.Outbox().Take(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		return len(letters) == 0
	})
}

// What another program imports into the same database is judged here.
func TestDaysThatAnotherProgramImportsAreJudged(t *testing.T) {
	cfg := testConfig(t)
	cfg.Registry = registryOf(t)
	h := open(t, cfg)
	running(t, h)

	file := filepath.Join(t.TempDir(), "a.csv")
	export(t, file, 20)
	other, err := sqlstore.Open(t.Context(), filepath.Join(cfg.DataDir, databaseFile))
	if err != nil {
		t.Fatal(err)
	}
	_, err = ingest.Into(t.Context(), ingest.Options{Files: []string{file}}, other.Curves())
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	within(t, 2*time.Minute, "there is a result", func() bool {
		r, err := h.db.Results().LatestResult(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return r != nil && r.LastDay == curve.DateOf(time.Now().UTC())-1
	})
}
