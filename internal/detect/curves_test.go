package detect

import (
	"math"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// flatDay is a good day of constant power at a resolution.
func flatDay(date curve.Date, loc *time.Location, interval time.Duration, kw func(i int) float64) curve.Day {
	start, end := date.Start(loc), (date + 1).Start(loc)
	d := curve.Day{MeterID: "M", Date: date, Start: start.UTC(), Interval: interval}
	for i := range int(end.Sub(start) / interval) {
		d.EnergyKWh = append(d.EnergyKWh, kw(i)*interval.Hours())
		d.Quality = append(d.Quality, meter.Good)
	}
	return d
}

func TestRawCurvesFollowTheClock(t *testing.T) {
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		change string
		hours  int
	}{"spring": {"2026-03-29", 23}, "autumn": {"2026-10-25", 25}} {
		t.Run(name, func(t *testing.T) {
			change, err := curve.ParseDate(c.change)
			if err != nil {
				t.Fatal(err)
			}
			days := span{change - 1, change + 1}
			var read []curve.Day
			for d := days.first; d <= days.last; d++ {
				read = append(read, flatDay(d, loc, 15*time.Minute, func(i int) float64 { return float64(d-days.first)*1000 + float64(i) }))
			}
			reader := &curveReader{loc: loc}
			got := reader.curve(&sdk.Description{Quantities: []meter.Quantity{meter.ActivePower}}, read, days)
			if got.Intervals() != 96+4*c.hours+96 || !got.Start.Equal(days.first.Start(loc)) {
				t.Fatalf("%d intervals from %s", got.Intervals(), got.Start)
			}
			for d := range 3 {
				for i, v := range got.Day(meter.ActivePower, d) {
					if v != float32(d*1000+i) {
						t.Fatalf("day %d, interval %d: %v", d, i, v)
					}
				}
			}
		})
	}
}

func TestRawCurvesOfMixedResolutionAreAveraged(t *testing.T) {
	days := span{100, 102}
	read := []curve.Day{
		flatDay(100, time.UTC, 15*time.Minute, func(i int) float64 { return float64(i % 4) }), // mean 1.5
		flatDay(102, time.UTC, time.Hour, func(int) float64 { return 7 }),
	}
	read[0].Quality[9] = meter.Bad // an hour with a part missing is missing
	got := (&curveReader{loc: time.UTC}).curve(&sdk.Description{Quantities: []meter.Quantity{meter.ActivePower}, MinimumQuality: meter.Uncertain}, read, days)
	if got.IntervalSeconds != 3600 || got.Intervals() != 72 {
		t.Fatalf("%d intervals of %d s", got.Intervals(), got.IntervalSeconds)
	}
	column := got.Columns[meter.ActivePower]
	for i, v := range column {
		want := float32(1.5)
		switch {
		case i == 2, i >= 24 && i < 48:
			want = float32(math.NaN())
		case i >= 48:
			want = 7
		}
		if v != want && (v == v || want == want) {
			t.Errorf("hour %d: %v; want %v", i, v, want)
		}
		if good := v == v; got.Good[i] != good {
			t.Errorf("hour %d: good %v", i, got.Good[i])
		}
	}
}

func TestNoDaysMakeAnEmptyCurve(t *testing.T) {
	got := (&curveReader{loc: time.UTC}).curve(&sdk.Description{Quantities: []meter.Quantity{meter.ActivePower, meter.VoltageA}}, nil, span{5, 6})
	if got.Intervals() != 48 || len(got.Columns) != 1 || got.Columns[meter.ActivePower][3] == got.Columns[meter.ActivePower][3] {
		t.Errorf("%+v", got)
	}
}

// The conformance suite makes features of its own, since it cannot see the
// host; they must be the host's.
func TestTheSuitesFeaturesAreTheHosts(t *testing.T) {
	loads := map[string]sdktest.Load{
		"household": sdktest.Household(3), "flat": sdktest.Flat(2.5), "mine": sdktest.From(0, sdktest.Household(4), sdktest.Flat(6)),
		"gaps": sdktest.Gaps(5, 0.3, sdktest.Household(6)), "nothing": sdktest.Nothing(), "zero": sdktest.Flat(0),
	}
	for name, load := range loads {
		for _, n := range []int{92, 96, 100} {
			for day := range 12 {
				d := curve.Day{Interval: 15 * time.Minute}
				var quarters []float64
				for q := range n {
					kw := load(day, q)
					quarters = append(quarters, kw)
					d.EnergyKWh = append(d.EnergyKWh, kw/4)
					quality := meter.Good
					if math.IsNaN(kw) {
						quality = meter.Bad
					}
					d.Quality = append(d.Quality, quality)
				}
				host, suite := curve.Compute(&d), sdktest.Features(quarters)
				for i, f := range sdk.Features() {
					a, b := float64(host[i]), float64(suite[f])
					if math.IsNaN(a) != math.IsNaN(b) || math.Abs(a-b) > 1e-4*(1+math.Abs(a)) {
						t.Errorf("%s, %d quarters, day %d: %s is %v at the host and %v in the suite", name, n, day, f, a, b)
					}
				}
			}
		}
	}
}
