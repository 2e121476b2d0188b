package sqlstore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

func TestResults(t *testing.T) { eachEngine(t, resultsOfRuns) }

func resultsOfRuns(t *testing.T, db *DB) {
	ctx, results := t.Context(), db.Results()
	if got, err := results.LatestResult(ctx); err != nil || got != nil {
		t.Fatalf("an empty store gave %v, %v", got, err)
	}
	if got, err := results.Result(ctx, "b"); err != nil || got != nil {
		t.Fatalf("an empty store gave %v, %v", got, err)
	}
	at := time.Date(2026, 3, 1, 4, 0, 0, 0, time.UTC)
	older := &detect.Result{RunID: "a", At: at}
	newer := &detect.Result{RunID: "b", At: at.Add(time.Hour), Prior: 0.02, UsagePoints: []detect.Assessment{{UsagePointID: "U1", Risk: 0.7}}}
	for _, r := range []*detect.Result{newer, older} {
		if err := results.SaveResult(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := results.LatestResult(ctx); err != nil || !reflect.DeepEqual(got, newer) {
		t.Errorf("latest result %+v, %v; want %+v", got, err, newer)
	}
	if got, err := results.Result(ctx, "a"); err != nil || !reflect.DeepEqual(got, older) {
		t.Errorf("result of run a %+v, %v; want %+v", got, err, older)
	}
	considered := func(runID string, want bool) {
		t.Helper()
		if got, err := results.Considered(ctx, runID); err != nil || got != want {
			t.Errorf("run %s considered: %v, %v; want %v", runID, got, err, want)
		}
	}
	considered("a", false)
	if err := results.MarkConsidered(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	considered("a", true)
	considered("b", false)
	considered("gone", true)
	if err := results.SaveResult(ctx, older); err != nil { // again, so to be considered again
		t.Fatal(err)
	}
	considered("a", false)
}

// Old runs keep what replaying their findings takes, very old ones nothing.
func TestOldRunsAreForgotten(t *testing.T) {
	db := openAt(t, newSQLite(t))
	results := db.Results()
	run := func(i int) *detect.Result {
		found := []detect.Finding{{Finding: sdk.Finding{Subject: "U1", Reason: "flat_load"}}}
		return &detect.Result{
			RunID: fmt.Sprint("r", i), At: time.Unix(int64(i), 0).UTC(), Inputs: &detect.Inputs{Location: "UTC"},
			UsagePoints:  []detect.Assessment{{UsagePointID: "U1", Findings: found, Contributions: []detect.Contribution{{Source: "prior"}}}, {UsagePointID: "U2"}},
			Transformers: []detect.TransformerAssessment{{TransformerID: "T1", Findings: found}, {TransformerID: "T2"}},
		}
	}
	for i := range keptRuns + 2 {
		if err := results.SaveResult(t.Context(), run(i)); err != nil {
			t.Fatal(err)
		}
	}
	for id, whole := range map[string]bool{"r0": false, "r1": false, "r2": true, fmt.Sprint("r", keptRuns+1): true} {
		got, err := results.Result(t.Context(), id)
		if err != nil || got == nil || got.Inputs == nil || len(got.UsagePoints[0].Findings) != 1 || len(got.Transformers[0].Findings) != 1 {
			t.Fatalf("run %s: %+v, %v", id, got, err)
		}
		if (len(got.UsagePoints) == 2) != whole || (len(got.Transformers) == 2) != whole || (len(got.UsagePoints[0].Contributions) == 1) != whole {
			t.Errorf("run %s: %+v", id, got)
		}
	}
	if got, err := results.ResultBefore(t.Context(), time.Unix(2, 0)); err != nil || got != nil {
		t.Errorf("a run that is not whole is taken for one that is: %+v, %v", got, err)
	}
	if done, err := results.Considered(t.Context(), "r0"); err != nil || !done {
		t.Errorf("an old run is to be considered still (%v)", err)
	}
	// So many later that the first is too old.
	err := db.Write(t.Context(), func(tx *Tx) error {
		for i := range keptSlim {
			if _, err := tx.exec(t.Context(), `INSERT INTO detection_runs (run_id, at, result, considered) VALUES (?, ?, ?, ?)`, fmt.Sprint("s", i), int64(i)+1e12, []byte("{}"), slimState); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := results.SaveResult(t.Context(), run(100_000)); err != nil {
		t.Fatal(err)
	}
	if got, err := results.Result(t.Context(), "r0"); err != nil || got != nil {
		t.Errorf("run r0 is still there: %v", err)
	}
}

// Runs are stored compressed, and those that are not are read.
func TestRunsAreCompressed(t *testing.T) {
	r := &detect.Result{RunID: "r"}
	for i := range 5000 {
		r.UsagePoints = append(r.UsagePoints, detect.Assessment{UsagePointID: fmt.Sprint("U", i), TransformerID: fmt.Sprint("T", i/50)})
	}
	plain, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	small, err := compressResult(r)
	if err != nil || len(small)*5 > len(plain) {
		t.Fatalf("%d bytes of JSON are stored in %d, %v", len(plain), len(small), err)
	}
	for _, data := range [][]byte{plain, small} {
		got, err := expandResult(data)
		if err != nil || len(got.UsagePoints) != 5000 {
			t.Errorf("read %v, %v", got, err)
		}
	}
	for _, data := range [][]byte{nil, small[:100], plain[:100], bytes.Repeat([]byte{7}, 50)} {
		if _, err := expandResult(data); err == nil {
			t.Errorf("damaged bytes %.20x were read", data)
		}
	}
}
