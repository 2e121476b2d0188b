package sim

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/drivers/profile"
)

// export writes a district into a folder of the test.
func export(t *testing.T, d *District) string {
	t.Helper()
	dir := t.TempDir()
	last := 0
	if err := d.Export(context.Background(), dir, func(done, total int) {
		if done != last+1 || total != int(d.last-d.first)+1 {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// digest is a hash over all files of a folder.
func digest(t *testing.T, dir string) string {
	t.Helper()
	h := sha256.New()
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		h.Write([]byte(strings.TrimPrefix(p, dir)))
		h.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func TestDeterminism(t *testing.T) {
	a := digest(t, export(t, district(t, 7, "2026-05-31", 8)))
	if b := digest(t, export(t, district(t, 7, "2026-05-31", 8))); a != b {
		t.Error("the same seed gives two districts")
	}
	if b := digest(t, export(t, district(t, 8, "2026-05-31", 8))); a == b {
		t.Error("two seeds give one district")
	}
}

// table reads a file of the export.
func table(t *testing.T, dir, name string) (header []string, rows []map[string]string) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, rec := range all[1:] {
		row := make(map[string]string, len(rec))
		for i, v := range rec {
			row[all[0][i]] = v
		}
		rows = append(rows, row)
	}
	return all[0], rows
}

// TestExportReadsBack: records agree with the district, references hold, and
// readings are the model's, but for a few gaps.
func TestExportReadsBack(t *testing.T) {
	d := district(t, 4, "2026-02-10", 20)
	dir := export(t, d)

	_, transformers := table(t, dir, "registry/transformers.csv")
	byTransformer := make(map[string]*area)
	for i, row := range transformers {
		a := d.areas[i]
		byTransformer[row["transformer_id"]] = a
		if row["transformer_id"] != a.id || row["rated_kva"] != num(a.kva) || row["meter_id"] != a.meterID {
			t.Errorf("transformer %d is %v", i, row)
		}
	}
	_, customers := table(t, dir, "registry/customers.csv")
	known := make(map[string]bool)
	for _, row := range customers {
		known[row["customer_id"]] = true
	}
	_, points := table(t, dir, "registry/usage_points.csv")
	if len(points) != pointCount || len(known) != pointCount || len(transformers) != transformerCount {
		t.Fatalf("%d points, %d customers, %d transformers", len(points), len(known), len(transformers))
	}
	meters := make(map[string]*point)
	for i, row := range points {
		p := d.points[i]
		meters[row["meter_id"]] = p
		if row["usage_point_id"] != p.id || !known[row["customer_id"]] || row["transformer_id"] != d.areas[p.recorded].id {
			t.Errorf("usage point %d is %v", i, row)
		}
	}
	for _, name := range []string{"watchlist", "ip_assignments", "weather", "calendar", "unmetered"} {
		if header, rows := table(t, dir, "registry/"+name+".csv"); len(header) < 2 || name != "calendar" && len(rows) == 0 {
			t.Errorf("%s.csv: %v, %d rows", name, header, len(rows))
		}
	}

	header, readings := table(t, dir, UsagePointReadings)
	if len(header) != 98 || header[97] != "p96" || len(readings) != 20*pointCount {
		t.Fatalf("%d columns, %d rows of readings", len(header), len(readings))
	}
	missing, total := 0, 0
	for n, row := range readings {
		p := meters[row["meter_id"]]
		if p == nil {
			t.Fatalf("meter %s is nobody's", row["meter_id"])
		}
		var day *pointDay
		if n%97 == 0 {
			day = p.dayOf(d.env(date(t, row["date"])))
		}
		for i := range intervals {
			v := row["p"+strconv.Itoa(i+1)]
			total++
			if v == "" {
				missing++
				continue
			}
			if day == nil {
				continue
			}
			kwh, err := strconv.ParseFloat(v, 64)
			if err != nil || math.Abs(kwh-day.Metered[i]/4) > .000501 {
				t.Fatalf("%s on %s, interval %d: %q, model %v kW", p.id, row["date"], i, v, day.Metered[i])
			}
		}
	}
	if share := float64(missing) / float64(total); share < .001 || share > .004 {
		t.Errorf("%.4f of the intervals are missing", share)
	}
	if _, rows := table(t, dir, TransformerReadings); len(rows) != 20*transformerCount || byTransformer[transformers[0]["transformer_id"]] == nil {
		t.Errorf("%d rows of transformer readings", len(rows))
	}
	var truth struct{ Planted []Planted }
	data, err := os.ReadFile(filepath.Join(dir, TruthFile))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &truth); err != nil || len(truth.Planted) != len(d.Truth()) {
		t.Errorf("truth: %v, %d stories", err, len(truth.Planted))
	}
}

// TestMappingErrorIsInTheRecordsOnly compares the exported record with the truth.
func TestMappingErrorIsInTheRecordsOnly(t *testing.T) {
	d := district(t, 2, "2026-03-31", 3)
	dir := export(t, d)
	_, points := table(t, dir, "registry/usage_points.csv")
	for _, p := range d.Truth() {
		for _, row := range points {
			if row["usage_point_id"] != p.UsagePointID {
				continue
			}
			if wrong := row["transformer_id"] != p.TransformerID; wrong != (p.Story == "wrong_mapping") {
				t.Errorf("%s is recorded under %s, in truth under %s", p.Story, row["transformer_id"], p.TransformerID)
			}
		}
	}
}

func TestExportStops(t *testing.T) {
	d := district(t, 1, "2026-03-31", 40)
	ctx, cancel := context.WithCancel(context.Background())
	err := d.Export(ctx, t.TempDir(), func(done, _ int) {
		if done == 2 {
			cancel()
		}
	})
	if err == nil {
		t.Error("a cancelled export ends well")
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Export(context.Background(), file, nil); err == nil || !strings.Contains(err.Error(), "choose a folder") {
		t.Errorf("export into a file: %v", err)
	}
}

// TestProfiles: each parses and is marked simulated.
func TestProfiles(t *testing.T) {
	all, err := profile.LoadFS(Profiles())
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 7 {
		t.Errorf("%d profiles", len(all))
	}
	for name, p := range all {
		if p.Status != profile.Simulated || p.Name != name {
			t.Errorf("%s: %s, %s", name, p.Name, p.Status)
		}
		if p.Modbus != nil && len(p.Modbus.Blocks(0)) > 2 {
			t.Errorf("%s takes %d requests", name, len(p.Modbus.Blocks(0)))
		}
	}
}
