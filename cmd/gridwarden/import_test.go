package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/sqlstore"
)

// site is a folder with a configuration and a registry of its own.
type site struct {
	dir, config, registry string
}

func newSite(t *testing.T) site {
	t.Helper()
	dir := t.TempDir()
	s := site{dir: dir, config: filepath.Join(dir, "gridwarden.yaml"), registry: filepath.Join(dir, "registry")}
	good := filepath.Join("..", "..", "internal", "registry", "testdata", "cases", "good")
	if err := os.CopyFS(s.registry, os.DirFS(good)); err != nil {
		t.Fatal(err)
	}
	s.write(t, "gridwarden.yaml", "data_dir: data\nregistry: registry\nsite: {time_zone: Asia/Tehran}\nconsole: {listen: 127.0.0.1:0}\n")
	return s
}

func (s site) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func (s site) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// database opens the site's database.
func (s site) database(t *testing.T) *sqlstore.DB {
	t.Helper()
	db, err := sqlstore.Open(t.Context(), filepath.Join(s.dir, "data", "gridwarden.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

// export is a wide file of hourly values, value(meter, hour) each.
func export(date string, value func(meter string, hour int) string, meters ...string) string {
	var b strings.Builder
	b.WriteString("meter_id,date")
	for h := range 24 {
		fmt.Fprintf(&b, ",p%d", h+1)
	}
	for _, m := range meters {
		fmt.Fprintf(&b, "\n%s,%s", m, date)
		for h := range 24 {
			b.WriteString("," + value(m, h))
		}
	}
	return b.String() + "\n"
}

func flat(v string) func(string, int) string { return func(string, int) string { return v } }

func TestImportReadings(t *testing.T) {
	s := newSite(t)
	date, _ := curve.ParseDate("2026-03-01")
	file := s.write(t, "march.csv", export("2026-03-01", func(_ string, h int) string {
		switch h {
		case 3:
			return "" // a gap
		case 7:
			return "-1"
		}
		return "0.5"
	}, "M1", "MT1", "stranger"))

	code, stdout, stderr := gridwarden(t, "import", "readings", file, "--dry-run", "--json", "-c", s.config)
	if code != 0 {
		t.Fatalf("dry run: exit %d\n%s", code, stderr)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "data")); err == nil {
		t.Error("a dry run made the data folder")
	}
	var dry importDocument
	if err := json.Unmarshal([]byte(stdout), &dry); err != nil {
		t.Fatal(err)
	}
	if !dry.DryRun || dry.MeterDays != 3 || dry.UnknownMeters != 1 || dry.Unknown[0] != "stranger" || dry.Rules["negative"] != 3 || dry.Rules["gap"] != 3 || dry.Rules["estimated"] != 3 {
		t.Errorf("dry run: %s", stdout)
	}

	code, stdout, stderr = gridwarden(t, "import", "readings", file, "-c", s.config)
	if code != 0 || !strings.Contains(stdout, "3 meter-days of 3 meters imported, 2026-03-01 to 2026-03-01") || !strings.Contains(stdout, "negative      3") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	db := s.database(t)
	versions := func(want int) []curve.Version {
		t.Helper()
		list, err := db.Curves().Versions(t.Context(), "M1", date)
		if err != nil || len(list) != want {
			t.Fatalf("%d versions, want %d: %v", len(list), want, err)
		}
		return list
	}
	mean := func() float32 {
		t.Helper()
		var mean float32
		err := db.Curves().Features(t.Context(), date, date, func(id string, _ curve.Date, f *curve.Features) error {
			if id == "M1" {
				mean = f[1]
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return mean
	}
	first := versions(1)[0]
	if want := (curve.Origin{Rule: curve.OriginImported, Reason: "march.csv"}); first.Day.Origin != want || !first.Current {
		t.Errorf("the day comes from %+v", first.Day.Origin)
	}
	if got := first.Day.Start.Format("2006-01-02T15:04"); got != "2026-02-28T20:30" { // midnight in Tehran
		t.Errorf("the day starts at %s", got)
	}
	if got := mean(); got != 0.5 {
		t.Errorf("mean %v kW, want 0.5", got)
	}

	// The same again changes nothing; a corrected file is a new version.
	if code, _, stderr = gridwarden(t, "import", "readings", file, "-c", s.config); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	versions(1)
	corrected := s.write(t, "corrected.csv", export("2026-03-01", flat("0.75"), "M1"))
	if code, _, stderr = gridwarden(t, "import", "readings", corrected, "-c", s.config); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	list := versions(2)
	if list[0].Current || !list[1].Current || list[1].Day.Origin.Reason != "corrected.csv" || list[0].Day.EnergyKWh[0] != 0.5 || list[1].Day.EnergyKWh[0] != 0.75 {
		t.Errorf("versions %+v", list)
	}
	if got := mean(); got != 0.75 {
		t.Errorf("the features are not those of the corrected day: mean %v kW", got)
	}

	// Where one row of one file is wrong, nothing of any file stays.
	good := s.write(t, "good.csv", export("2026-03-02", flat("1"), "M1", "M9"))
	bad := s.write(t, "bad.csv", export("2026-03-03", flat("1"), "M1")+"M9,2026-03-03,1,2\nM9,yesterday"+strings.Repeat(",1", 24)+"\n")
	code, _, stderr = gridwarden(t, "import", "readings", good, bad, "-c", s.config)
	if code != exitUsage || !strings.Contains(stderr, bad+":3: has 4 fields") || !strings.Contains(stderr, bad+`:4: date "yesterday" is not a date; write it as YYYY-MM-DD`) ||
		!strings.Contains(stderr, "2 problems were found; nothing was imported") {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	code, stdout, _ = gridwarden(t, "import", "readings", good, bad, "--json", "-c", s.config)
	var refused importRefused
	if err := json.Unmarshal([]byte(stdout), &refused); err != nil || code != exitUsage || refused.Count != 2 || refused.Problems[0].Line != 3 {
		t.Errorf("exit %d, %v\n%s", code, err, stdout)
	}
	if _, last, _, err := db.Curves().Span(t.Context()); err != nil || last != date {
		t.Errorf("days until %v are stored, want %v; %v", last, date, err)
	}
}

// The program runs on the folder meanwhile: both write, and what was imported
// is announced to it.
func TestImportWhileTheProgramRuns(t *testing.T) {
	s := newSite(t)
	cfg, err := config.Load(s.config)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	h, err := host.New(ctx, cfg, host.Options{Logger: slog.New(slog.DiscardHandler), Drivers: linkDrivers(cfg, slog.New(slog.DiscardHandler))})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- h.Run(ctx) }()
	file := s.write(t, "march.csv", export("2026-03-02", flat("0.5"), "M1", "M9"))
	code, _, stderr := gridwarden(t, "import", "readings", file, "-c", s.config)
	cancel()
	if err := errors.Join(<-ended, h.Close()); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("the program: %v", err)
	}
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	days, err := s.database(t).Curves().Days(t.Context(), "M9", 0, 30000)
	if err != nil || len(days) != 1 || days[0].EnergyKWh[0] != 0.5 {
		t.Errorf("%v %v", days, err)
	}
}

func TestImportIsAnnounced(t *testing.T) {
	s := newSite(t)
	file := s.write(t, "march.csv", export("2026-03-02", flat("0.5"), "M1", "M9"))
	if code, _, stderr := gridwarden(t, "import", "readings", file, "-c", s.config); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	letters, err := s.database(t).Outbox().Take(t.Context(), 10)
	if err != nil || len(letters) != 1 {
		t.Fatalf("%d letters, %v", len(letters), err)
	}
	var told struct {
		Date   string   `json:"date"`
		Rule   string   `json:"rule"`
		Meters []string `json:"meters"`
	}
	if err := json.Unmarshal(letters[0].Data, &told); err != nil {
		t.Fatal(err)
	}
	if letters[0].Topic != "METER_DAYS" || told.Date != "2026-03-02" || told.Rule != curve.OriginImported || len(told.Meters) != 2 {
		t.Errorf("%s: %s", letters[0].Topic, letters[0].Data)
	}
}

func TestImportWatchlist(t *testing.T) {
	s := newSite(t)
	before := s.read(t, "registry/watchlist.csv")
	head := strings.SplitAfter(before, "\n")[0]
	entry := "192.0.2.7,2026-02-03T00:00:00Z,2026-02-05,CERT,Cyber act §5,2027-01-01,,,\n"
	bad := s.write(t, "bad/watchlist.csv", head+entry+"no address,2026-02-03T00:00:00Z,2026-02-05,CERT,x,2027-01-01,,,\n")
	code, _, stderr := gridwarden(t, "import", "watchlist", bad, "-c", s.config)
	if code != exitUsage || !strings.Contains(stderr, bad+":3: ") || strings.Contains(stderr, ".registry-") {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	good := s.write(t, "good/watchlist.csv", head+entry)
	code, stdout, stderr := gridwarden(t, "import", "watchlist", good, "--dry-run", "-c", s.config)
	if code != 0 || !strings.Contains(stdout, "nothing was changed: 2 transformers") || !strings.Contains(stdout, "1 watched addresses") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	if s.read(t, "registry/watchlist.csv") != before {
		t.Fatal("a refused file or a dry run changed the registry")
	}
	if code, _, stderr = gridwarden(t, "import", "watchlist", good, "-c", s.config); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	if got := s.read(t, "registry/watchlist.csv"); got != head+entry {
		t.Errorf("the watchlist is\n%s", got)
	}
	if code, _, stderr = gridwarden(t, "check", "-c", s.config); code != 0 {
		t.Errorf("the registry is not in order afterwards:\n%s", stderr)
	}
	left, _ := filepath.Glob(filepath.Join(s.dir, ".registry-*"))
	if len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	other := s.write(t, "list.csv", head)
	if code, _, stderr = gridwarden(t, "import", "watchlist", other, "-c", s.config); code != exitUsage || !strings.Contains(stderr, "name the file watchlist.csv") {
		t.Errorf("exit %d\n%s", code, stderr)
	}
}

func TestImportRegistry(t *testing.T) {
	s := newSite(t)
	weather := s.read(t, "registry/weather.csv")
	next := filepath.Join(s.dir, "next")
	for _, name := range []string{"transformers.csv", "customers.csv", "usage_points.csv"} {
		s.write(t, "next/"+name, s.read(t, "registry/"+name))
	}
	points := s.read(t, "next/usage_points.csv")
	s.write(t, "next/usage_points.csv", points+"U7,M7,C-nobody,T2,A,,,,,\n")
	code, _, stderr := gridwarden(t, "import", "registry", next, "-c", s.config)
	if code != exitUsage || !strings.Contains(stderr, filepath.Join(next, "usage_points.csv")+":") || !strings.Contains(stderr, "C-nobody") {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	if s.read(t, "registry/usage_points.csv") != points {
		t.Fatal("a refused registry was taken over")
	}
	s.write(t, "next/usage_points.csv", points+"U7,M7,C2,T2,A,,,,,\n")
	code, stdout, stderr := gridwarden(t, "import", "registry", next, "--json", "-c", s.config)
	var document recordsDocument
	if err := json.Unmarshal([]byte(stdout), &document); err != nil || code != 0 {
		t.Fatalf("exit %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if document.Watchlist != 1 || !strings.Contains(s.read(t, "registry/usage_points.csv"), "U7,M7") {
		t.Errorf("%s", stdout)
	}
	if s.read(t, "registry/weather.csv") != weather {
		t.Error("a file that the new folder does not have is gone")
	}
	if code, _, stderr = gridwarden(t, "import", "registry", s.registry, "-c", s.config); code != exitUsage || !strings.Contains(stderr, "is the registry folder itself") {
		t.Errorf("exit %d\n%s", code, stderr)
	}

	// Without a registry folder the records go into the database.
	s.write(t, "gridwarden.yaml", "data_dir: data\n")
	if code, _, stderr = gridwarden(t, "import", "registry", next, "-c", s.config); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	network, err := s.database(t).Registry().LoadNetwork(t.Context())
	if err != nil || network == nil || len(network.UsagePoints) != document.UsagePoints {
		t.Errorf("stored records: %v %v", network, err)
	}
}
