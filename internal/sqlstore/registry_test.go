package sqlstore

import (
	"reflect"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/grid"
)

func TestRegistryRoundTrip(t *testing.T) { eachEngine(t, registryRoundTrip) }

func registryRoundTrip(t *testing.T, db *DB) {
	ctx, store := t.Context(), db.Registry()
	if n, err := store.LoadNetwork(ctx); err != nil || n != nil {
		t.Fatalf("an empty store gave %v, %v", n, err)
	}
	day := time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)
	want := grid.NewNetwork(grid.Records{
		Transformers:  []grid.PowerTransformer{{ID: "T2", RatedKVA: 50}, {ID: "T1", RatedKVA: 250, MeterID: "MT1"}},
		Customers:     []grid.Customer{{ID: "C1", Category: grid.Commercial, Protected: []string{"medical"}}},
		UsagePoints:   []grid.UsagePoint{{ID: "U1", MeterID: "M1", CustomerID: "C1", TransformerID: "T1", ValidFrom: day}},
		Watchlist:     []grid.WatchlistEntry{{IP: "192.0.2.1", FirstSeen: day, HashrateHS: 1e12}},
		IPAssignments: []grid.IPAssignment{{IP: "192.0.2.1", CustomerID: "C1", From: day}},
		Weather:       []grid.WeatherPoint{{Time: day, TempC: -3.5}},
		Calendar:      []grid.CalendarDay{{Date: "2026-01-01", Kind: "holiday", Name: "New Year"}},
		Unmetered:     []grid.UnmeteredLoad{{TransformerID: "T1", Kind: "street_light", KW: 2, Hours: "dusk_to_dawn"}},
		MeterEvents:   []grid.MeterEvent{{MeterID: "M1", Time: day, Code: "cover_opened"}, {MeterID: "MT1", Time: day.Add(time.Hour), Code: "power_failed"}},
	})
	for range 2 { // the second save replaces the first
		if err := store.SaveNetwork(ctx, want); err != nil {
			t.Fatal(err)
		}
	}
	got, err := store.LoadNetwork(ctx)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("loaded %+v, %v; want %+v", got, err, want)
	}
}
