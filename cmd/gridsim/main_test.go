package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/sim"
)

// gridsim runs the command as on 1 July 2026.
func gridsim(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var o, e bytes.Buffer
	code = run(ctx, args, &o, &e, func() time.Time { return time.Date(2026, 7, 1, 9, 0, 0, 0, time.UTC) })
	return code, o.String(), e.String()
}

func TestExportCommand(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "district")
	code, stdout, stderr := gridsim(context.Background(), "export", "--out", dir, "--days", "3", "--seed", "4")
	if code != 0 || !strings.Contains(stdout, "2026-06-28 to 2026-06-30") || !strings.Contains(stderr, "day 3 of 3") {
		t.Fatalf("%d: %s%s", code, stdout, stderr)
	}
	for _, f := range []string{"registry/usage_points.csv", "readings/usage_points.csv", "readings/transformers.csv", "truth.json"} {
		if _, err := os.Stat(filepath.Join(dir, f)); err != nil {
			t.Error(err)
		}
	}
}

func TestTruthCommand(t *testing.T) {
	code, stdout, stderr := gridsim(context.Background(), "truth", "--until", "2026-03-31")
	var out struct {
		Planted    []sim.Planted
		Lookalikes []sim.Lookalike
	}
	if err := json.Unmarshal([]byte(stdout), &out); code != 0 || err != nil || len(out.Planted) != 16 || len(out.Lookalikes) < 10 {
		t.Errorf("%d, %v, %d stories: %s", code, err, len(out.Planted), stderr)
	}
}

func TestStatsCommand(t *testing.T) {
	file := filepath.Join(t.TempDir(), "real.csv")
	data := "meter_id,date" + strings.Repeat(",p", 24) + "\na,2026-01-01" + strings.Repeat(",.5", 24) + "\n"
	if err := os.WriteFile(file, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := gridsim(context.Background(), "stats", "--days", "3", "--compare", file)
	if code != 0 || !strings.Contains(stdout, "after-diversity") || !strings.Contains(stdout, "12.00") {
		t.Errorf("%d: %s%s", code, stdout, stderr)
	}
}

// TestServeCommand serves until it is interrupted.
func TestServeCommand(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	code, stdout, stderr := gridsim(ctx, "serve", "--days", "2", "--transformer", "T-1012", "--without-opcua", "--json")
	var devices []sim.Device
	if err := json.Unmarshal([]byte(stdout), &devices); code != 0 || err != nil || len(devices) < 2 || !strings.HasPrefix(devices[0].URL, "modbus://127.0.0.1:") {
		t.Errorf("%d, %v: %s%s", code, err, stdout, stderr)
	}
}

func TestUsage(t *testing.T) {
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{}, 0, ""},
		{[]string{"serve", "--help"}, 0, ""},
		{[]string{"nonsense"}, 2, "see gridsim --help"},
		{[]string{"truth", "more"}, 2, `"more" is not known`},
		{[]string{"truth", "--sede", "3"}, 2, "see gridsim truth --help"},
		{[]string{"truth", "--until", "30.6.2026"}, 2, "write it as YYYY-MM-DD"},
		{[]string{"truth", "--days", "1"}, 2, "ask for 2 to"},
		{[]string{"export"}, 2, "give --out DIR"},
		{[]string{"stats", "--compare", "nowhere.csv"}, 2, "nowhere.csv"},
		{[]string{"serve", "--fault", "M-60001=asleep"}, 2, "write METER=silent"},
		{[]string{"serve", "--fault", "M-60001=delay:soon"}, 2, "write METER=silent"},
		{[]string{"serve", "--base-port", "99999"}, 2, "choose 1024"},
		{[]string{"serve", "--days", "2", "--transformer", "T-1"}, 1, "no transformer is named"},
	} {
		code, stdout, stderr := gridsim(context.Background(), tc.args...)
		if code != tc.code || !strings.Contains(stderr, tc.want) || code == 0 && !strings.Contains(stdout, "Examples:") {
			t.Errorf("%v: exit %d, %s%s", tc.args, code, stdout, stderr)
		}
	}
}

func TestFaultsParse(t *testing.T) {
	got, err := parseFaults([]string{"a=silent", "b=delay:2s", "b=exception:6", "c=truncated", "d=wrong-transaction"})
	want := map[string]sim.Fault{
		"a": {Silent: true}, "b": {Delay: 2 * time.Second, Exception: 6}, "c": {Truncated: true}, "d": {WrongTransaction: true},
	}
	if err != nil || len(got) != len(want) {
		t.Fatal(got, err)
	}
	for id := range want {
		if got[id] != want[id] {
			t.Errorf("%s: %+v", id, got[id])
		}
	}
}
