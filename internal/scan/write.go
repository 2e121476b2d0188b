package scan

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/gridwarden/gridwarden/internal/detect"
)

// Write writes findings.csv, transformer_findings.csv and findings.json to
// dir, creating it. With all, findings.csv and findings.json have every usage
// point; otherwise only those with a finding. Each file is complete or absent:
// it is written under another name first.
func Write(dir string, o *Outcome, all bool) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("result folder: %w; name a folder that can be written with --out", err)
	}
	r := o.Result
	points := Listed(r, all)
	files := []struct {
		name  string
		write func(io.Writer) error
	}{
		{"findings.csv", func(w io.Writer) error { return writeFindings(w, points, o.Open) }},
		{"transformer_findings.csv", func(w io.Writer) error { return writeTransformers(w, r.Transformers) }},
		{"findings.json", func(w io.Writer) error { return WriteJSON(w, o, all) }},
		{"watchlist.json", func(w io.Writer) error { return o.Watchlist.WriteJSON(w) }},
	}
	if o.Watchlist == nil {
		files = files[:3]
	}
	for _, f := range files {
		if err := writeFile(filepath.Join(dir, f.name), f.write); err != nil {
			return err
		}
	}
	return nil
}

// Listed returns the usage points to list, in queue order.
func Listed(r *detect.Result, all bool) []detect.Assessment {
	if all {
		return r.UsagePoints
	}
	n := 0
	for n < len(r.UsagePoints) && r.UsagePoints[n].Rank > 0 {
		n++
	}
	return r.UsagePoints[:n]
}

// document is findings.json: a result, and how long the scan took.
type document struct {
	*detect.Result
	Seconds Seconds `json:"seconds"`
}

// WriteJSON writes the result as one indented JSON document.
func WriteJSON(w io.Writer, o *Outcome, all bool) error {
	listed := *o.Result
	listed.UsagePoints = Listed(o.Result, all)
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(document{&listed, o.Seconds}); err != nil {
		return fmt.Errorf("encode result: %w", err)
	}
	return nil
}

func writeFindings(w io.Writer, points []detect.Assessment, open map[string][]string) error {
	rows := make([][]string, 0, len(points)+1)
	rows = append(rows, []string{
		"rank", "usage_point_id", "meter_id", "customer_id", "transformer_id", "risk", "priority", "reasons", "detectors",
		"first_day", "last_day", "mean_kw", "excess_kwh_month", "recoverable", "measures_open",
	})
	for i := range points {
		a := &points[i]
		firstDay, lastDay := "", ""
		if len(a.Findings) > 0 {
			firstDay, lastDay = a.FirstDay.String(), a.LastDay.String()
		}
		rows = append(rows, []string{
			strconv.Itoa(i + 1), a.UsagePointID, a.MeterID, a.CustomerID, a.TransformerID,
			number(a.Risk, 6), number(a.Priority, 6), strings.Join(a.Reasons, ";"), strings.Join(a.Detectors, ";"),
			firstDay, lastDay, number(float64(a.MeanKW), 5), number(a.ExcessKWhMonth, 5), number(a.Recoverable, 8),
			strings.Join(open[a.UsagePointID], ";"),
		})
	}
	return writeRows(w, rows)
}

func writeTransformers(w io.Writer, list []detect.TransformerAssessment) error {
	rows := make([][]string, 0, len(list)+1)
	rows = append(rows, []string{
		"transformer_id", "rated_kva", "loading_p95_pct", "hot_spot_max_c", "loss_pct", "unexplained_kwh_month", "verdicts", "suspects",
	})
	for i := range list {
		t := &list[i]
		rows = append(rows, []string{
			t.TransformerID, number(t.RatedKVA, 6), number(float64(t.LoadingP95Pct), 5), number(float64(t.HotSpotMaxC), 5),
			number(float64(t.LossPct), 5), number(float64(t.UnexplainedKWhMonth), 5),
			strings.Join(t.Verdicts, ";"), strings.Join(t.Suspects, ";"),
		})
	}
	return writeRows(w, rows)
}

func writeRows(w io.Writer, rows [][]string) error {
	out := csv.NewWriter(w)
	if err := out.WriteAll(rows); err != nil {
		return fmt.Errorf("write rows: %w", err)
	}
	return nil
}

// number renders v without exponent, rounded to some significant digits, "" for NaN.
func number(v float64, digits int) string {
	if math.IsNaN(v) {
		return ""
	}
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', digits, 64), 64)
	if err != nil {
		return ""
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

func writeFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".part-*")
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		_ = f.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.Chmod(f.Name(), 0o640); err != nil { //nolint:gosec // readable by the group that reads reports
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}
