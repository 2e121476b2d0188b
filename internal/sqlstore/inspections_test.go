package sqlstore

import (
	"reflect"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/outcomes"
)

func TestInspections(t *testing.T) { eachEngine(t, keepsInspections) }

func keepsInspections(t *testing.T, db *DB) {
	ctx, store := t.Context(), db.Inspections()
	if got, err := store.Inspections(ctx); err != nil || len(got) != 0 {
		t.Fatalf("an empty store gave %v, %v", got, err)
	}
	late := outcomes.Inspection{UsagePointID: "U2", Day: 20500, Found: outcomes.Innocent, Choice: outcomes.ByLot, Propensity: 0.25}
	early := outcomes.Inspection{UsagePointID: "U1", Day: 20400, Found: outcomes.NoAccess, Choice: outcomes.BySuspicion}
	if err := store.PutInspections(ctx, time.Unix(1, 0), []outcomes.Inspection{late, early}); err != nil {
		t.Fatal(err)
	}
	early.Found, early.RunID, early.Risk = outcomes.Confirmed, "r", 0.7
	early.Detectors = []outcomes.Verdict{{Detector: "d", Version: "1.0.0", Probability: 0.7}}
	if err := store.PutInspections(ctx, time.Unix(2, 0), []outcomes.Inspection{early}); err != nil { // the second visit of the day is the one
		t.Fatal(err)
	}
	if got, err := store.Inspections(ctx); err != nil || !reflect.DeepEqual(got, []outcomes.Inspection{early, late}) {
		t.Errorf("stored %+v, %v", got, err)
	}
}

func TestResultBefore(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		results, at := db.Results(), time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
		for i, id := range []string{"a", "b"} {
			if err := results.SaveResult(t.Context(), &detect.Result{RunID: id, At: at.AddDate(0, 0, i)}); err != nil {
				t.Fatal(err)
			}
		}
		for days, want := range map[int]string{0: "", 1: "a", 2: "b", 9: "b"} {
			got, err := results.ResultBefore(t.Context(), at.AddDate(0, 0, days))
			if err != nil || (got == nil) != (want == "") || got != nil && got.RunID != want {
				t.Errorf("before day %d: %+v, %v; want run %q", days, got, err, want)
			}
		}
	})
}
