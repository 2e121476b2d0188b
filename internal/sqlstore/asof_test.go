package sqlstore

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// shown is what a store shows of the features, by meter and day.
func shown(t *testing.T, read func(fn func(string, curve.Date, *curve.Features) error) error) map[string]curve.Features {
	t.Helper()
	out := map[string]curve.Features{}
	err := read(func(meterID string, date curve.Date, f *curve.Features) error {
		if _, twice := out[meterID+" "+date.String()]; twice {
			t.Errorf("%s of %s comes twice", date, meterID)
		}
		out[meterID+" "+date.String()] = *f
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCurvesAsOf(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		ctx, c := context.Background(), db.Curves()
		put := func(id string, date curve.Date, kw float64) (curve.Features, time.Time) {
			t.Helper()
			d := curve.Day{MeterID: id, Date: date, Start: date.Start(time.UTC), Interval: time.Hour, Origin: curve.Origin{Rule: curve.OriginImported}}
			for i := range 24 {
				d.EnergyKWh, d.Quality = append(d.EnergyKWh, kw+float64(i)/8), append(d.Quality, meter.Good)
			}
			f := curve.Compute(&d)
			if err := c.PutDays(ctx, []curve.Day{d}, []curve.Features{f}); err != nil {
				t.Fatal(err)
			}
			at := time.Now()
			for !time.Now().After(at.Add(time.Millisecond)) {
				time.Sleep(time.Millisecond)
			}
			return f, at
		}
		_, before := put("M-0", 20_000, 9)
		a1, _ := put("M-1", 20_000, 1)
		b1, then := put("M-1", 20_001, 2)
		a2, between := put("M-1", 20_000, 3)
		put("M-1", 20_000, 4)
		put("M-1", 20_002, 5) // a day that came later altogether
		put("M-2", 20_000, 6) // and a meter

		for name, tc := range map[string]struct {
			at   time.Time
			want map[string]curve.Features
		}{
			"before":  {before, map[string]curve.Features{}},
			"then":    {then, map[string]curve.Features{"M-1 2024-10-04": a1, "M-1 2024-10-05": b1}},
			"between": {between, map[string]curve.Features{"M-1 2024-10-04": a2, "M-1 2024-10-05": b1}},
		} {
			past := c.AsOf(tc.at)
			got := shown(t, func(fn func(string, curve.Date, *curve.Features) error) error {
				return past.FeaturesOf(ctx, []string{"M-1", "M-2"}, 19_990, 20_010, fn)
			})
			if fmt.Sprint(got) != fmt.Sprint(tc.want) {
				t.Errorf("%s: features %v, want %v", name, got, tc.want)
			}
			all := shown(t, func(fn func(string, curve.Date, *curve.Features) error) error {
				return past.Features(ctx, 19_990, 20_010, fn)
			})
			delete(all, "M-0 2024-10-04")
			if fmt.Sprint(all) != fmt.Sprint(tc.want) {
				t.Errorf("%s: features of all %v, want %v", name, all, tc.want)
			}
			days, err := past.Days(ctx, "M-1", 19_990, 20_010)
			if err != nil || len(days) != len(tc.want) {
				t.Fatalf("%s: %d days (%v)", name, len(days), err)
			}
			for i := range days {
				if got, want := curve.Compute(&days[i]), tc.want["M-1 "+days[i].Date.String()]; fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("%s: day %s is another", name, days[i].Date)
				}
			}
		}
		if err := c.AsOf(then).PutDays(ctx, nil, nil); err == nil {
			t.Error("the past can be written")
		}
	})
}
