package scan

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// TestStoreGivesBackWhatMemoryDoes puts the same days into both, in an order
// that is neither by meter nor by date, and across several pieces of memory.
func TestStoreGivesBackWhatMemoryDoes(t *testing.T) {
	const meters, dates = 300, 70
	random := rand.New(rand.NewPCG(1, 2))
	got, want := newStore(), curve.NewMemory()
	var days []curve.Day
	var features []curve.Features
	for _, n := range random.Perm(meters * dates) {
		d := curve.Day{MeterID: fmt.Sprint("M", n%meters), Date: curve.Date(20000 + n/meters), Interval: time.Hour}
		d.Start = d.Date.Start(time.UTC)
		for range 24 {
			d.EnergyKWh = append(d.EnergyKWh, float64(random.IntN(4000))/1000)
			d.Quality = append(d.Quality, meter.Good)
		}
		days = append(days, d)
		features = append(features, curve.Compute(&d))
		if len(days) == 1000 || len(days)+got.days == meters*dates {
			for _, s := range []curve.Store{got, want} {
				if err := s.PutDays(t.Context(), days, features); err != nil {
					t.Fatal(err)
				}
			}
			days, features = nil, nil
		}
	}
	if len(got.parts) < 2 {
		t.Fatal("one piece of memory holds all days; give the test more")
	}
	read := func(s curve.Store, id string, first, last curve.Date) string {
		list, err := s.Days(t.Context(), id, first, last)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(list)
	}
	for n := range meters {
		id := fmt.Sprint("M", n)
		if a, b := read(got, id, 20003, 20050), read(want, id, 20003, 20050); a != b {
			t.Fatalf("meter %s:\n%.500s, want\n%.500s", id, a, b)
		}
	}
	if a := read(got, "another", 0, 30000); a != "[]" {
		t.Errorf("a meter that is not there has %s", a)
	}
	sweep := func(s curve.Store) map[string]string {
		m := make(map[string]string)
		err := s.Features(t.Context(), 20005, 20069, func(id string, date curve.Date, f *curve.Features) error {
			m[fmt.Sprint(id, date)] = fmt.Sprint(*f)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	all, some := sweep(want), 0
	err := got.FeaturesOf(t.Context(), []string{"M7", "another", "M299"}, 20005, 20069, func(id string, date curve.Date, f *curve.Features) error {
		if some++; fmt.Sprint(*f) != all[fmt.Sprint(id, date)] {
			t.Errorf("features of %s on %s", id, date)
		}
		return nil
	})
	if err != nil || some != 2*65 {
		t.Errorf("%d features of some meters, %v", some, err)
	}
	if a, b := sweep(got), all; len(a) != meters*65 || !maps.Equal(a, b) {
		t.Errorf("%d features, want %d", len(a), len(b))
	}
	if first, last, ok, err := got.Span(t.Context()); first != 20000 || last != 20069 || !ok || err != nil {
		t.Errorf("span %v %v %v %v", first, last, ok, err)
	}
}
