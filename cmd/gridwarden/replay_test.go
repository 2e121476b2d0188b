package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/sim"
	"github.com/gridwarden/gridwarden/internal/sqlstore"
)

// judged is an installation whose detectors have run once and opened cases.
func judged(t *testing.T) (file string, c *cases.Case) {
	t.Helper()
	dir := t.TempDir()
	exported := filepath.Join(dir, "export")
	district, err := sim.New(sim.Config{Seed: 1, Until: curve.DateOf(time.Now().UTC()) - 1, Days: 21})
	if err != nil {
		t.Fatal(err)
	}
	if err := district.Export(t.Context(), exported, nil); err != nil {
		t.Fatal(err)
	}
	file = filepath.Join(dir, "gridwarden.yaml")
	text := fmt.Sprintf("data_dir: %s\nconsole: {listen: 127.0.0.1:0}\nregistry: %s\ncases: {threshold: 0.02}\n", filepath.Join(dir, "data"), filepath.Join(exported, "registry"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	h, err := host.New(t.Context(), cfg, host.Options{Logger: testLogger(t), Drivers: linkDrivers(cfg, testLogger(t)), Profiles: []fs.FS{sim.Profiles()}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	files, err := filepath.Glob(filepath.Join(exported, "readings", "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	if _, err := h.Import(t.Context(), files, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := h.Detect(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	list, err := h.Cases().List(t.Context(), cases.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range list {
		if list[i].UsagePointID != "" && list[i].MeterID != "" {
			return file, &list[i]
		}
	}
	t.Fatalf("no case of a usage point among %d", len(list))
	return "", nil
}

// late puts a day that says something else than the one that is stored.
func late(t *testing.T, file, meterID string, date curve.Date) {
	t.Helper()
	cfg, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	where, opts := host.Database(cfg, nil)
	db, err := sqlstore.Open(t.Context(), where, opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	days, err := db.Curves().Days(t.Context(), meterID, date, date)
	if err != nil || len(days) != 1 {
		t.Fatalf("%d days (%v)", len(days), err)
	}
	d := days[0]
	d.Origin = curve.Origin{Rule: curve.OriginLate, Reason: "readings that came a week later"}
	for i := range d.EnergyKWh {
		d.EnergyKWh[i] *= 0.2
	}
	if err := db.Curves().PutDays(t.Context(), []curve.Day{d}, []curve.Features{curve.Compute(&d)}); err != nil {
		t.Fatal(err)
	}
}

func TestReplay(t *testing.T) {
	file, c := judged(t) // the host stays open: replay works beside it
	replayed := func(wantCode int, args ...string) string {
		t.Helper()
		code, out, errs := gridwarden(t, append([]string{"replay", "-c", file}, args...)...)
		if code != wantCode {
			t.Fatalf("replay %v: exit %d\n%s%s", args, code, out, errs)
		}
		return out
	}
	before := replayed(0, "--case", c.ID)
	if strings.Count(before, "the same, bit for bit") != len(c.Findings) || strings.Contains(before, "differs") {
		t.Errorf("right after the run:\n%s", before)
	}

	late(t, file, c.MeterID, c.LastDay)
	if after := replayed(0, "--case", c.ID); after != before {
		t.Errorf("after late readings:\n%s\nbefore:\n%s", after, before)
	}
	now := replayed(exitFailed, "--case", c.ID, "--current-data")
	for _, want := range []string{"NOT the same", "differs: daily features and attributes of part 1", "changed  usage_point " + c.UsagePointID, "stamp.data_version"} {
		if !strings.Contains(now, want) {
			t.Errorf("with the data of now it does not say %q:\n%s", want, now)
		}
	}
	var list []host.CaseReplay
	if err := json.Unmarshal([]byte(replayed(0, "--case", c.ID, "--json")), &list); err != nil || len(list) != len(c.Findings) || !list[0].Replayed.Same {
		t.Errorf("%+v (%v)", list, err)
	}
	replayed(exitFailed, "--case", "C-1999-0001")
	if code, _, errs := gridwarden(t, "replay", "-c", file, "--detector", c.Findings[0].Detail.Stamp.Detector); code != exitFailed || !strings.Contains(errs, "nothing to compare") {
		t.Errorf("no candidate: exit %d: %s", code, errs)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	detector := c.Findings[0].Detail.Stamp.Detector
	code, _, errs := gridwarden(t, "replay", "-c", file, "--detector", detector, "--plugin", self)
	if code != exitFailed || !strings.Contains(errs, "add --sha256 ") {
		t.Fatalf("a program that nobody pinned: exit %d: %s", code, errs)
	}
	sum := strings.TrimSpace(errs[strings.Index(errs, "--sha256 ")+len("--sha256 "):])
	var comparison detect.Comparison
	out := replayed(0, "--detector", detector, "--plugin", self, "--sha256", sum, "--days", "20", "--json")
	if err := json.Unmarshal([]byte(out), &comparison); err != nil || len(comparison.Changes) != 0 || comparison.Then != comparison.Now || comparison.Now.SHA256 != sum {
		t.Errorf("a program beside itself (%v): %s", err, out)
	}
}

func TestReplayRefuses(t *testing.T) {
	for _, tc := range []struct {
		want string
		args []string
	}{
		{"either --case ID or --detector NAME", nil},
		{"either --case ID or --detector NAME", []string{"--case", "C-2026-0001", "--detector", "x"}},
		{"belong to --detector", []string{"--case", "C-2026-0001", "--days", "3"}},
		{"belong to --case", []string{"--detector", "x", "--with-current"}},
		{"not both", []string{"--detector", "x", "--days", "3", "--from", "2026-01-01"}},
		{"is no day", []string{"--detector", "x", "--from", "yesterday"}},
		{"is after", []string{"--detector", "x", "--from", "2026-01-02", "--to", "2026-01-01"}},
	} {
		code, _, errs := gridwarden(t, append([]string{"replay", "-c", "none.yaml"}, tc.args...)...)
		if code != exitUsage || !strings.Contains(errs, tc.want) {
			t.Errorf("%v: exit %d: %q, want %q", tc.args, code, errs, tc.want)
		}
	}
}
