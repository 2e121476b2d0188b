package scan

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/watchlist"
	detector "github.com/gridwarden/gridwarden/plugins/watchlist"
)

// street is an export of thirty days of sixteen households, of which the first
// two are listed with an ASIC each and only the first has one.
func street(t *testing.T) (Options, *Days) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("meter_id,date")
	for h := range 24 {
		fmt.Fprintf(&b, ",p%d", h+1)
	}
	b.WriteByte('\n')
	records := grid.Records{Transformers: []grid.PowerTransformer{{ID: "T", RatedKVA: 250}}}
	start, err := curve.ParseDate("2026-03-01")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 16 {
		id := fmt.Sprintf("C%02d", i)
		records.Customers = append(records.Customers, grid.Customer{ID: id, Category: grid.Residential, Class: grid.ClassResidential, DeclaredUse: "dwelling"})
		records.UsagePoints = append(records.UsagePoints, grid.UsagePoint{ID: "U" + id, MeterID: "M" + id, CustomerID: id, TransformerID: "T"})
		for d := range 30 {
			fmt.Fprintf(&b, "M%s,%s", id, start+curve.Date(d))
			for h := range 24 {
				kwh := 0.1 + 0.01*float64(i) + 0.6*math.Exp(-math.Pow(float64(h-19), 2)/6) + 0.02*float64((d*7+h)%5)
				if i == 0 {
					kwh += 3.2
				}
				fmt.Fprintf(&b, ",%.3f", kwh)
			}
			b.WriteByte('\n')
		}
	}
	seen := start.Start(time.UTC).AddDate(0, 0, 10)
	for i := range 2 {
		ip := fmt.Sprintf("192.0.2.%d", i+1)
		records.Watchlist = append(records.Watchlist, grid.WatchlistEntry{IP: ip, FirstSeen: seen, LastSeen: seen, Source: "CERT", LegalBasis: "Order 7", HashrateHS: 150e12, Algorithm: "SHA-256", Expires: seen.AddDate(1, 0, 0)})
		records.IPAssignments = append(records.IPAssignments, grid.IPAssignment{IP: ip, CustomerID: fmt.Sprintf("C%02d", i), From: seen.AddDate(-1, 0, 0)})
	}
	file := filepath.Join(t.TempDir(), "readings.csv")
	if err := os.WriteFile(file, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Network: grid.NewNetwork(records), Readings: []string{file}, Location: time.UTC, Prior: 0.01, Now: time.Now}
	days, err := Read(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return o, days
}

func TestReconcile(t *testing.T) {
	o, days := street(t)
	r, err := Reconcile(t.Context(), o, days, watchlist.Claim{})
	if err != nil || r == nil {
		t.Fatalf("%+v, %v", r, err)
	}
	if s := r.Total; s.Joined != 2 || s.Fit != 1 || s.TooSmall != 1 || r.Customers[0].CustomerID != "C00" || r.FirstDay.String() != "2026-03-01" || r.LastDay.String() != "2026-03-30" {
		t.Errorf("report %+v", r)
	}
	dir := t.TempDir()
	if err := Write(dir, &Outcome{Result: result(), Watchlist: r}, false); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(dir, "watchlist.json")); err != nil || !strings.Contains(string(data), `"outcome": "fits"`) {
		t.Errorf("watchlist.json: %v\n%s", err, data)
	}
	if err := Write(dir+"/none", &Outcome{Result: result()}, false); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "none", "watchlist.json")); !os.IsNotExist(err) {
		t.Errorf("watchlist.json without a watchlist: %v", err)
	}
	o.Network = grid.NewNetwork(grid.Records{})
	if r, err := Reconcile(t.Context(), o, days, watchlist.Claim{}); r != nil || err != nil {
		t.Errorf("without a list: %+v, %v", r, err)
	}
}

// A list alone lifts nobody, with machines behind the meter or without.
func TestAListAloneLiftsNobody(t *testing.T) {
	o, days := street(t)
	list, err := eras(days.store)
	if err != nil {
		t.Fatal(err)
	}
	r, err := judge(t.Context(), detect.Input{
		Network: o.Network, Curves: days.store, Location: o.Location, Prior: o.Prior, Now: o.Now,
		Evaluators: []detect.Evaluator{detect.Local(detector.New())},
	}, list)
	if err != nil || len(r.Failed) > 0 {
		t.Fatalf("%v, %v", err, r)
	}
	reasons := map[string]string{"UC00": "listed_address_load_fits", "UC01": "listed_address_load_too_small"}
	for _, a := range r.UsagePoints {
		if math.Abs(a.Risk-o.Prior) > 1e-12 || a.ExcessKWhMonth != 0 || a.Recoverable != 0 {
			t.Errorf("%s: risk %v with %v", a.UsagePointID, a.Risk, a.Reasons)
		}
		if want := reasons[a.UsagePointID]; strings.Join(a.Reasons, " ") != want || want != "" && !a.Findings[0].Corroborates {
			t.Errorf("%s: reasons %v; want %q", a.UsagePointID, a.Reasons, want)
		}
	}
}
