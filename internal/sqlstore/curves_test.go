package sqlstore

import (
	"testing"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/curve/storetest"
)

func TestCurves(t *testing.T) {
	storetest.Run(t, func(t *testing.T) curve.KeepingStore { return open(t).Curves() })
}

func TestReplacedVersionsAreKept(t *testing.T) {
	db := open(t)
	for _, seed := range []int{1, 1, 2, 3} { // the same again is no version
		days := []curve.Day{storetest.Day("M", 20000, seed)}
		if err := db.Curves().PutDays(t.Context(), days, make([]curve.Features, 1)); err != nil {
			t.Fatal(err)
		}
	}
	var latest, kept int
	if err := db.SQL().QueryRow(`SELECT version, (SELECT count(*) FROM meter_day_versions) FROM meter_days`).Scan(&latest, &kept); err != nil {
		t.Fatal(err)
	}
	if latest != 3 || kept != 2 {
		t.Errorf("the latest version is %d and %d are kept, want 3 and 2", latest, kept)
	}
	var data []byte
	if err := db.SQL().QueryRow(`SELECT curve FROM meter_day_versions WHERE version = 1`).Scan(&data); err != nil {
		t.Fatal(err)
	}
	var d curve.Day
	if err := curve.Decode(&d, "M", 20000, data); err != nil || d.EnergyKWh[0] != 0.001 {
		t.Errorf("version 1 reads as %v, %v", d.EnergyKWh, err)
	}
}
