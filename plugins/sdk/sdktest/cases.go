package sdktest

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Cases runs a detector over the case folders below dir and compares what it
// reports with each folder's expected.out. A case holds
//
//	subjects.csv   id, kind, then attributes by name; kind is usage_point, transformer
//	               or, for one without a meter, transformer_unmetered
//	readings.csv   id, day, p1 … pN: mean power of the intervals in kW (N divides 96);
//	               day counts from 0, empty cells are missing
//	events.csv     optional: id, day, second (of the day) and code of what the meters logged
//	expected.out   the report: scores, findings, explanations, measured values
//
// The window is the one that a host would send, and the curves that the
// detector asks for follow in a second one. With the environment variable
// UPDATE_CASES set, expected.out is written instead of compared; look at the
// difference before it is committed.
func Cases(t *testing.T, d sdk.Detector, dir string) {
	t.Helper()
	folders, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(folders) == 0 {
		t.Fatalf("no cases below %s (%v)", dir, err)
	}
	for _, folder := range folders {
		t.Run(filepath.Base(folder), func(t *testing.T) {
			s, err := readCase(folder)
			if err != nil {
				t.Fatal(err)
			}
			got, err := judgeCase(d, s)
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(folder, "expected.out")
			if os.Getenv("UPDATE_CASES") != "" {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(file) //nolint:gosec // a file of the test's own
			if errors.Is(err, fs.ErrNotExist) {
				t.Fatalf("%s is missing; run with UPDATE_CASES=1 and look at what it writes", file)
			}
			if string(want) != got {
				t.Errorf("report differs from %s\n--- want\n%s--- got\n%s", file, want, got)
			}
		})
	}
}

// readCase reads subjects and readings into a scene.
func readCase(folder string) (Scene, error) {
	subjects, err := readCSV(filepath.Join(folder, "subjects.csv"))
	if err != nil {
		return Scene{}, err
	}
	readings, err := readCSV(filepath.Join(folder, "readings.csv"))
	if err != nil {
		return Scene{}, err
	}
	var s Scene
	power := map[string]map[int][]float64{}
	for line, row := range readings[1:] {
		day, err := strconv.Atoi(row[1])
		if err != nil || day < 0 || 96%(len(row)-2) != 0 {
			return s, fmt.Errorf("readings.csv:%d: day %q with %d values; give days from 0 and 24, 48 or 96 values", line+2, row[1], len(row)-2)
		}
		if power[row[0]] == nil {
			power[row[0]] = map[int][]float64{}
		}
		s.Days = max(s.Days, day+1)
		for _, cell := range row[2:] {
			kw := math.NaN()
			if cell != "" {
				if kw, err = strconv.ParseFloat(cell, 64); err != nil {
					return s, fmt.Errorf("readings.csv:%d: %q is no number", line+2, cell)
				}
			}
			power[row[0]][day] = append(power[row[0]][day], kw)
		}
	}
	logged, err := readEvents(folder)
	if err != nil {
		return s, err
	}
	s.NoReference = true
	for _, row := range subjects[1:] {
		days := power[row[0]]
		subject := subjectOf(subjects[0], row)
		subject.Events = logged[row[0]]
		s.Members = append(s.Members, Member{subject, func(day, quarter int) float64 {
			if len(days[day]) == 0 {
				return math.NaN()
			}
			return days[day][min(quarter, 95)*len(days[day])/96]
		}})
	}
	return s, nil
}

// readEvents reads what the meters of a case logged, in order of time.
func readEvents(folder string) (map[string][]sdk.Event, error) {
	file := filepath.Join(folder, "events.csv")
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	rows, err := readCSV(file)
	if err != nil {
		return nil, err
	}
	out := map[string][]sdk.Event{}
	for line, row := range rows[1:] {
		day, err := strconv.Atoi(row[1])
		second, err2 := strconv.Atoi(row[2])
		if err != nil || err2 != nil {
			return nil, fmt.Errorf("events.csv:%d: day %q, second %q; give whole numbers from 0", line+2, row[1], row[2])
		}
		out[row[0]] = append(out[row[0]], sdk.Event{Day: firstDay + sdk.Date(day), Second: int32(second), Code: sdk.EventCode(row[3])})
	}
	for _, events := range out {
		sort.SliceStable(events, func(i, j int) bool {
			return events[i].Day < events[j].Day || events[i].Day == events[j].Day && events[i].Second < events[j].Second
		})
	}
	return out, nil
}

func subjectOf(header, row []string) sdk.Subject {
	s := sdk.Subject{ID: row[0], Kind: sdk.SubjectKind(row[1]), HasMeter: true, Numbers: map[string]float64{}, Texts: map[string]string{}}
	if row[1] == "transformer_unmetered" {
		s.Kind, s.HasMeter = sdk.Transformer, false
	}
	for i := 2; i < len(row); i++ {
		if v, err := strconv.ParseFloat(row[i], 64); err == nil {
			s.Numbers[header[i]] = v
		} else if row[i] != "" {
			s.Texts[header[i]] = row[i]
		}
	}
	return s
}

func readCSV(file string) ([][]string, error) {
	f, err := os.Open(file) //nolint:gosec // a file of the test's own
	if err != nil {
		return nil, fmt.Errorf("reading a curve: %w", err)
	}
	defer func() { _ = f.Close() }()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		return nil, fmt.Errorf("%s: %d rows (%w)", file, len(rows), err)
	}
	return rows, nil
}

// judgeCase has the detector judge the scene as a host would, and renders the
// report with the rounding that a reader needs and no more.
func judgeCase(d sdk.Detector, s Scene) (string, error) {
	description := d.Describe()
	w := s.Window(description, false)
	report, err := sdk.Judge(context.Background(), d, w)
	if err != nil {
		return "", err
	}
	scores, measures := report.Scores(), report.Measures()
	findings := report.Findings()
	if asked := report.Requests(); len(asked) > 0 {
		second, err := sdk.Judge(context.Background(), d, s.asked(asked).Window(description, true))
		if err != nil {
			return "", fmt.Errorf("with the curves: %w", err)
		}
		findings = replaced(findings, asked, second.Findings())
		scores, measures = merged(scores, second.Scores()), merged(measures, second.Measures())
	}
	return render(w, scores, measures, findings), nil
}

// replaced drops what was found before about subjects whose curves were seen since.
func replaced(before []sdk.Finding, asked []string, after []sdk.Finding) []sdk.Finding {
	seen := map[string]bool{}
	for _, id := range asked {
		seen[id] = true
	}
	var out []sdk.Finding
	for _, f := range before {
		if !seen[f.Subject] {
			out = append(out, f)
		}
	}
	return append(out, after...)
}

func merged[V any](before, after map[string]V) map[string]V {
	out := map[string]V{}
	for k, v := range before {
		out[k] = v
	}
	for k, v := range after {
		out[k] = v
	}
	return out
}

func render(w *sdk.Window, scores map[string]float64, measures map[string]map[string]float64, findings []sdk.Finding) string {
	var lines []string
	found := map[string]bool{}
	for i := range findings {
		f := &findings[i]
		found[f.Subject] = found[f.Subject] || f.Kind == sdk.UsagePoint
		line := fmt.Sprintf("%s: %s, probability %.1f, day %d to %d", f.Subject, strings.Join(append([]string{f.Reason}, f.AlsoReasons...), " "),
			f.Probability, f.FirstDay-w.FirstDay, f.LastDay-w.FirstDay)
		if len(f.Verdicts) > 0 {
			line += ", verdicts " + strings.Join(f.Verdicts, " ")
		}
		for _, s := range f.Suspects {
			line += fmt.Sprintf(", suspect %s %.1f", s.Subject, s.Probability)
		}
		for _, e := range f.Innocent {
			line += fmt.Sprintf("\n%s:   %s %s", f.Subject, e.Code, e.Outcome)
		}
		lines = append(lines, line)
	}
	for id, p := range scores {
		if !found[id] {
			lines = append(lines, fmt.Sprintf("%s: score %s", id, coarse(p)))
		}
	}
	for id, values := range measures {
		for name, v := range values {
			lines = append(lines, fmt.Sprintf("%s: measured %s %.0f", id, name, v))
		}
	}
	sort.Strings(lines)
	return strings.Join(lines, "\n") + "\n"
}

// coarse renders a probability so that a change of its class shows.
func coarse(p float64) string {
	switch {
	case p < 0.01:
		return "below 0.01"
	case p < 0.1:
		return "below 0.1"
	}
	return fmt.Sprintf("%.1f", p)
}
