package host

import (
	"reflect"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// TestRatiosByDate follows a meter over a change of its transformers, a gap
// and its end.
func TestRatiosByDate(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 3, n, 0, 0, 0, 0, time.UTC) }
	point := func(from, to time.Time, ct float64) grid.UsagePoint {
		return grid.UsagePoint{ID: "U-1", MeterID: "M-1", CTRatio: ct, PTRatio: 1, Multiplier: ct, ValidFrom: from, ValidTo: to}
	}
	network := grid.NewNetwork(grid.Records{UsagePoints: []grid.UsagePoint{
		point(day(20), day(25), 80), point(time.Time{}, day(10), 20), point(day(10), day(15), 40),
	}})
	got := ratiosOf(network, "M-1")
	want := []drivers.Ratio{
		{Factor: 20, CT: 20, PT: 1},
		{From: day(10), Factor: 40, CT: 40, PT: 1},
		{From: day(15)},
		{From: day(20), Factor: 80, CT: 80, PT: 1},
		{From: day(25)},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%+v", got)
	}
	d := drivers.Device{ID: "m", Ratios: got}
	for n, factor := range map[int]float64{9: 20, 10: 40, 14: 40, 17: 0, 20: 80, 26: 0} {
		if r := d.RatioAt(day(n)); r.Factor != factor {
			t.Errorf("on the %d. the factor is %v, want %v", n, r.Factor, factor)
		}
	}
	if r := ratiosOf(network, "other"); r != nil {
		t.Errorf("another meter has %+v", r)
	}
}
