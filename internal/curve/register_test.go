package curve_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// supply is a small one: a register cannot rise by much.
func supply(string, time.Time) curve.Limits { return curve.Limits{ContractedKVA: 10, RatedKVA: 50} }

// TestRegistersRollOverOnlyNearTheirMaximum compares what is made of a fall at
// six in the morning.
func TestRegistersRollOverOnlyNearTheirMaximum(t *testing.T) {
	const fall = 6 * time.Hour
	for _, c := range []struct {
		name     string
		before   float64 // of the register at the fall
		after    float64
		top      float64 // known of the device; 0 where nothing is
		factor   float64
		rollover bool
	}{
		{"at the usual six digits", 999_999.5, 0.5, 0, 0, true},
		{"at what the device's profile says", 499_999.5, 0.5, 500_000, 0, true},
		{"at six digits, where the profile says seven", 999_999.5, 0.5, 1e7, 0, false},
		{"at six digits behind transformers", 80 * 999_999.99, 0.5, 0, 80, true},
		{"far from any", 54_321, 0.5, 0, 0, false},
		{"near, but back to somewhere", 999_999.5, 30_000, 0, 0, false},
		{"more than the supply carries in between", 995_000, 5, 0, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, start, time.UTC)
			b.cfg.Limits = func(string, time.Time) curve.Limits {
				return curve.Limits{ContractedKVA: 10, RatedKVA: 50, Factor: c.factor}
			}
			b.cfg.Rollover = func(id string, q meter.Quantity) (float64, bool) {
				if id != "M" || q != meter.ActiveEnergyImport {
					t.Errorf("asked for %s of %s", q, id)
				}
				return c.top, c.top > 0
			}
			b.crash()
			b.run(0, hours(25), func(at time.Duration) float64 {
				if at < fall {
					return c.before - (register(fall-time.Minute) - register(at))
				}
				return c.after + register(at) - register(fall)
			})
			d := b.day("2026-03-01")
			flags := meter.Flags(0)
			if d.Flags != nil {
				flags = d.Flags[23]
			}
			if flags.Has(meter.Rollover) != c.rollover || flags.Has(meter.Implausible) == c.rollover {
				t.Errorf("the interval of the fall is flagged %q", flags)
			}
			if told := strings.Contains(d.Origin.Reason, "another meter"); told == c.rollover {
				t.Errorf("the version says %q", d.Origin.Reason)
			}
			for i, e := range d.EnergyKWh {
				if i != 23 && (math.Abs(e-quarter(i)) > 1e-6*max(1, c.factor) || d.Quality[i] != meter.Good) {
					t.Fatalf("interval %d is %v %v, want %v", i, e, d.Quality[i], quarter(i))
				}
			}
		})
	}
}

// TestAChangeOfRatioIsNoSpike exchanges current transformers at 06:07: primary
// values jump, by less than the supply could carry in that time.
func TestAChangeOfRatioIsNoSpike(t *testing.T) {
	change := start.Add(6*time.Hour + 7*time.Minute)
	counts := func(at time.Duration) float64 { return 0.1 + (register(at)-register(0))/100 } // secondary
	for _, known := range []bool{true, false} {
		b := newBench(t, start, time.UTC)
		factor := func(at time.Time) float64 {
			if at.Before(change) {
				return 40
			}
			return 60
		}
		b.cfg.Limits = func(_ string, at time.Time) curve.Limits {
			l := curve.Limits{ContractedKVA: 400, RatedKVA: 630}
			if known {
				l.Factor = factor(at)
			}
			return l
		}
		b.crash()
		b.run(0, hours(25), func(at time.Duration) float64 { return counts(at) * factor(start.Add(at)) })
		d := b.day("2026-03-01")
		if !known {
			if d.EnergyKWh[24] < 1 {
				t.Fatalf("the jump is no spike: %v", d.EnergyKWh[24])
			}
			continue
		}
		if !d.Flags[24].Has(meter.Implausible|meter.Estimated) || d.EnergyKWh[24] > 0.5 {
			t.Errorf("the interval of the change is %v %v", d.EnergyKWh[24], d.Flags[24])
		}
		if want := "06:00:00 to 06:14:00 the factor of the meter changed from 40 to 60"; d.Origin.Reason != want {
			t.Errorf("the version says %q, want %q", d.Origin.Reason, want)
		}
	}
}

// TestWrongReadingsCostTheirInterval reads nonsense within an interval, and
// again and again.
func TestWrongReadingsCostTheirInterval(t *testing.T) {
	b := newBench(t, start, time.UTC)
	b.cfg.Limits = supply
	b.crash()
	b.run(0, hours(25), func(at time.Duration) float64 {
		switch {
		case at == 186*time.Minute, at == 276*time.Minute:
			return 0
		case at == 486*time.Minute:
			return 4e6
		}
		return register(at)
	})
	d := b.day("2026-03-01")
	for i, e := range d.EnergyKWh {
		wrong := i == 12 || i == 18 || i == 32
		if flagged := d.Flags[i].Has(meter.Implausible | meter.Estimated); flagged != wrong || !wrong && math.Abs(e-quarter(i)) > 1e-9 {
			t.Errorf("interval %d is %v %v", i, e, d.Flags[i])
		}
	}
	if parts := strings.Split(d.Origin.Reason, "; "); len(parts) != 3 || !strings.HasPrefix(parts[0], "03:00:00 to 03:14:00 the register went from") {
		t.Errorf("the version says %q", d.Origin.Reason)
	}
}

// TestDaysOfEveryZoneAndInterval follows an even load through days with clock
// changes of an hour, of half an hour and at midnight.
func TestDaysOfEveryZoneAndInterval(t *testing.T) {
	for _, c := range []struct {
		zone, date string
		length     time.Duration
	}{
		{"Europe/Vienna", "2026-03-29", hours(23)}, {"Europe/Vienna", "2026-10-25", hours(25)},
		{"Australia/Lord_Howe", "2026-10-04", hours(23.5)}, {"Australia/Lord_Howe", "2026-04-05", hours(24.5)},
		{"America/Havana", "2026-03-08", hours(23)}, {"America/Havana", "2026-11-01", hours(25)}, {"Asia/Kathmandu", "2026-05-01", hours(24)},
	} {
		loc, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		date, _ := curve.ParseDate(c.date)
		begin := date.Start(loc)
		for _, interval := range []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour} {
			name := fmt.Sprint(c.zone, " ", c.date, " ", interval)
			b := newBench(t, begin, loc)
			b.cfg.Interval = interval
			b.crash()
			for at := -time.Hour; at <= c.length+2*time.Hour; at += time.Minute {
				b.now = begin.Add(at)
				b.reading(meter.ActiveEnergyImport, 1000+float64(at)/float64(time.Hour))
			}
			d := b.day(c.date)
			n := int((c.length + interval - 1) / interval)
			if sum, usable := d.TotalKWh(); d.Intervals() != n || usable != n || d.Open || math.Abs(sum-c.length.Hours()) > 1e-3 || !d.Start.Equal(begin) {
				t.Errorf("%s: %d intervals, %d usable, %v kWh, open %v, want %d and %v kWh", name, d.Intervals(), usable, sum, d.Open, n, c.length.Hours())
			}
			for i, q := range d.Quality {
				if q != meter.Good {
					t.Errorf("%s: interval %d is %v", name, i, q)
				}
			}
		}
	}
}

// TestAnOpenDayOfBeforeGoesOn has an open day in the store of which no state
// is left.
func TestAnOpenDayOfBeforeGoesOn(t *testing.T) {
	b := newBench(t, start, time.UTC)
	b.run(0, hours(12), register)
	b.commit()
	if err := b.store.Commit(t.Context(), &curve.Commit{Reader: "curves", Position: uint64(len(b.stream)), States: []curve.State{{MeterID: "M"}}}); err != nil {
		t.Fatal(err)
	}
	b.crash()
	b.run(hours(12)+time.Minute, hours(13), register)
	b.commit()
	b.crash()
	b.run(hours(13), hours(25), register)
	d := b.day("2026-03-01")
	for i, e := range d.EnergyKWh {
		if i != 48 && math.Abs(e-quarter(i)) > 1e-9 {
			t.Fatalf("interval %d is %v, want %v", i, e, quarter(i))
		}
	}
}
