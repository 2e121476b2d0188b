package scan

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

func result() *detect.Result {
	return &detect.Result{
		RunID: "r", FirstDay: 20000, LastDay: 20059, Prior: 0.01,
		UsagePoints: []detect.Assessment{
			{
				UsagePointID: "UP-1", MeterID: "M-1", CustomerID: "C-1", TransformerID: "T-1", Risk: 0.9712345678, Priority: 12.5, Rank: 1,
				Reasons: []string{"flat_load", "base_load_step"}, Detectors: []string{"hiddenmining"}, FirstDay: 20010, LastDay: 20059,
				MeanKW: 48.61234, ExcessKWhMonth: 1234567.8, Recoverable: 1811.25,
				Findings: []detect.Finding{{Finding: sdk.Finding{Reason: "flat_load"}}},
			},
			{UsagePointID: "UP-2", MeterID: "M-2", Risk: 0.0000123456, MeanKW: detect.Unknown(), GoodShare: detect.Unknown()},
		},
		Transformers: []detect.TransformerAssessment{{
			TransformerID: "T-1", RatedKVA: 250, LoadingP95Pct: 21.5, HotSpotMaxC: detect.Unknown(), LossPct: 2, UnexplainedKWhMonth: detect.Unknown(),
			Verdicts: []string{"unmetered_load", "undersized"}, Suspects: []string{},
		}},
	}
}

func readRows(t *testing.T, path string) [][]string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestWrite(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "out")
	open := map[string][]string{"UP-1": {"watch", "desk_review"}}
	if err := Write(dir, &Outcome{Result: result(), Open: open, Seconds: Seconds{Read: 1.5, Detect: 2}}, true); err != nil {
		t.Fatal(err)
	}
	rows := readRows(t, filepath.Join(dir, "findings.csv"))
	want := []string{
		"rank,usage_point_id,meter_id,customer_id,transformer_id,risk,priority,reasons,detectors,first_day,last_day,mean_kw,excess_kwh_month,recoverable,measures_open",
		"1,UP-1,M-1,C-1,T-1,0.971235,12.5,flat_load;base_load_step,hiddenmining,2024-10-14,2024-12-02,48.612,1234600,1811.25,watch;desk_review",
		"2,UP-2,M-2,,,0.0000123456,0,,,,,,0,0,",
	}
	for i := range want {
		if got := strings.Join(rows[i], ","); got != want[i] {
			t.Errorf("row %d\n got %s\nwant %s", i, got, want[i])
		}
	}
	rows = readRows(t, filepath.Join(dir, "transformer_findings.csv"))
	if got := strings.Join(rows[1], ","); got != "T-1,250,21.5,,2,,unmetered_load;undersized," {
		t.Errorf("transformer row %s", got)
	}
	data, err := os.ReadFile(filepath.Join(dir, "findings.json"))
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		detect.Result
		Seconds Seconds
	}
	if err := json.Unmarshal(data, &back); err != nil {
		t.Fatal(err)
	}
	if back.UsagePoints[0].Risk != 0.9712345678 || back.UsagePoints[1].MeanKW.Known() || back.Prior != 0.01 || back.Seconds.Read != 1.5 {
		t.Errorf("read back %+v", back)
	}
	left, err := filepath.Glob(filepath.Join(dir, ".part-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestWriteListsOnlyFindingsWithoutAll(t *testing.T) {
	dir := t.TempDir()
	if err := Write(dir, &Outcome{Result: result()}, false); err != nil {
		t.Fatal(err)
	}
	if rows := readRows(t, filepath.Join(dir, "findings.csv")); len(rows) != 2 {
		t.Errorf("%d rows, want the header and one finding", len(rows))
	}
}

func TestWriteNamesTheFolderThatCannotBe(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(file, &Outcome{Result: result()}, false); err == nil || !strings.Contains(err.Error(), "--out") {
		t.Errorf("got %v, want the mend", err)
	}
}

// fill stores days of a flat kilowatt for a meter.
func fill(t *testing.T, store *store, meterID string, first, last curve.Date) {
	t.Helper()
	for date := first; date <= last; date++ {
		day := curve.Day{MeterID: meterID, Date: date, Start: date.Start(time.UTC), Interval: time.Hour}
		for range 24 {
			day.EnergyKWh = append(day.EnergyKWh, 1)
			day.Quality = append(day.Quality, 2)
		}
		if err := store.PutDays(context.Background(), []curve.Day{day}, []curve.Features{curve.Compute(&day)}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestErasSplitArchivesOfDifferentYears(t *testing.T) {
	store := newStore()
	fill(t, store, "old", 14000, 14060)
	fill(t, store, "old-removed", 14000, 14040) // ends within a month of the others
	fill(t, store, "new", 19000, 19500)
	list, err := eras(store)
	if err != nil {
		t.Fatal(err)
	}
	if len(list) != 2 {
		t.Fatalf("%d eras: %+v", len(list), list)
	}
	if e := list[0]; e.last != 19500 || e.first != 19500-MaxDays+1 || !e.meters["new"] || len(e.meters) != 1 {
		t.Errorf("latest era %+v", e)
	}
	if e := list[1]; e.last != 14060 || e.first != 14000 || len(e.meters) != 2 {
		t.Errorf("earlier era %+v", e)
	}
	if _, err := eras(newStore()); err == nil {
		t.Error("no days gave no error")
	}
}
