package sim

import (
	"context"
	"math"
	"testing"
)

// TestDistrictIsWhole: the numbers of things, unique ids, sane nameplates.
func TestDistrictIsWhole(t *testing.T) {
	for seed := int64(1); seed <= 5; seed++ {
		d := district(t, seed, "2026-06-30", 60)
		if len(d.areas) != transformerCount || len(d.points) != pointCount {
			t.Fatalf("seed %d: %d transformers, %d usage points", seed, len(d.areas), len(d.points))
		}
		seen := make(map[string]bool)
		unique := func(id string) {
			if seen[id] {
				t.Errorf("seed %d: %s twice", seed, id)
			}
			seen[id] = true
		}
		feeders := make(map[string]int)
		low, high := math.Inf(1), 0.
		for i, a := range d.areas {
			unique(a.id)
			unique(a.meterID)
			feeders[a.feederID]++
			low, high = math.Min(low, a.kva), math.Max(high, a.kva)
			if len(a.points) == 0 || len(a.points) >= TransformerUnit {
				t.Errorf("seed %d: %s has %d usage points", seed, a.id, len(a.points))
			}
			for _, p := range a.points {
				if p.area != i {
					t.Errorf("seed %d: %s does not know its transformer", seed, p.id)
				}
			}
		}
		if len(feeders) != feederCount || low != 50 || high != 630 {
			t.Errorf("seed %d: feeders %v, %v to %v kVA", seed, feeders, low, high)
		}
		kinds := make(map[string]int)
		for _, p := range d.points {
			unique(p.id)
			unique(p.meterID)
			unique(p.customer.id)
			kinds[p.kind]++
			if p.customer.contractedKVA <= 0 || p.phase == "" || p.customer.declaredUse == "" || p.customer.tariffID == "" {
				t.Errorf("seed %d: %s is recorded as %+v", seed, p.id, p.customer)
			}
		}
		for _, want := range population {
			if kinds[want.kind] < want.count {
				t.Errorf("seed %d: %d of %s", seed, kinds[want.kind], want.kind)
			}
		}
		if kinds["household"] < 700 || kinds["internet_cafe"] != 2 || kinds["computer_sales"] != 1 || kinds["corridor"] < 15 {
			t.Errorf("seed %d: %v", seed, kinds)
		}
		if len(d.Lookalikes()) < 10 {
			t.Errorf("seed %d: look-alikes %v", seed, d.Lookalikes())
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	for _, c := range []Config{{}, {Until: 20000, Days: 1}, {Until: 20000, Days: 100000}, {Until: -5, Days: 60}} {
		if _, err := New(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

// TestEnergyBalance: what the transformer's meter registers is what is drawn,
// and the losses of line and transformer, at every interval.
func TestEnergyBalance(t *testing.T) {
	d := district(t, 3, "2026-01-31", 10)
	for _, date := range []int{0, 9} {
		e := d.env(d.first + dateOffset(date))
		for _, a := range d.areas {
			day := a.dayOf(d.seed, e)
			points := make([]*pointDay, len(a.points))
			for k, p := range a.points {
				points[k] = p.dayOf(e)
			}
			for i := range intervals {
				kw, kvar := day.street[i]+day.tap[i], day.street[i]*tanOf(.92)
				if a.tap != nil {
					kvar += day.tap[i] * a.tap.tanPhi()
				}
				for _, p := range points {
					kw += p.True[i]
					kvar += p.TrueQ[i]
				}
				kw += day.line[i]
				k := math.Hypot(kw, kvar) / a.kva
				want := (kw + a.noLoadW/1000 + a.loadW/1000*k*k) * a.gain
				if math.Abs(day.Metered[i]-want) > 1e-9*want {
					t.Fatalf("%s, interval %d: meter %v kW, balance %v kW", a.id, i, day.Metered[i], want)
				}
			}
		}
	}
}

// TestNothingIsNegativeOrWild: every curve of a day is finite, not negative,
// and within what its service can carry.
func TestNothingIsNegativeOrWild(t *testing.T) {
	for _, until := range []string{"2026-01-20", "2026-07-20"} {
		d := district(t, 5, until, 60)
		for _, off := range []int{0, 30, 59, 75} {
			e := d.env(d.first + dateOffset(off))
			for _, a := range d.areas {
				day := a.dayOf(d.seed, e)
				for k, p := range a.points {
					for i, v := range day.points[k].True {
						m := day.points[k].Metered[i]
						if !(v >= 0) || !(m >= 0) || v > 130 || m > v*1.01 || (p.house != nil && p.phase != "ABC" && v > 16) {
							t.Fatalf("%s (%s): true %v kW, metered %v kW", p.id, p.kind, v, m)
						}
					}
				}
			}
		}
	}
}

// TestStreetLights burn at night only.
func TestStreetLights(t *testing.T) {
	d := district(t, 2, "2026-06-30", 30)
	for _, off := range []int{-150, 0, 29} {
		e := d.env(d.first + dateOffset(off))
		if e.dark[48] != 0 || e.dark[2] != 1 {
			t.Errorf("%s: dark %v at noon, %v at half past midnight", e.date, e.dark[48], e.dark[2])
		}
	}
	lamps := 0
	for _, a := range d.areas {
		if a.streetKW > 0 {
			lamps++
		}
	}
	if lamps < 20 {
		t.Errorf("%d transformers feed street lights", lamps)
	}
}

// TestStatistics holds the model to the statistics that real households have.
func TestStatistics(t *testing.T) {
	for _, tc := range []struct {
		seed  int64
		until string
	}{{1, "2026-11-23"}, {2, "2026-08-10"}, {3, "2026-05-15"}, {4, "2026-02-10"}} {
		d := district(t, tc.seed, tc.until, 28)
		s, err := d.Stats(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		within := func(what string, v, lo, hi float64) {
			if !(v >= lo && v <= hi) {
				t.Errorf("seed %d, %s: %s is %.3f, want %v to %v", tc.seed, tc.until, what, v, lo, hi)
			}
		}
		winter := tc.until == "2026-02-10"
		within("ADMD of 100 households, kW", s.ADMDKW, .8, 2.5)
		within("load factor of the group", s.GroupLF, .40, .70)
		within("load factor of a house, 5 %", s.HouseLF.P5, .08, .2)
		within("load factor of a house, median", s.HouseLF.P50, .08, .35)
		if winter { // electric heating evens the day out
			within("load factor of a house, 95 %", s.HouseLF.P95, .2, .45)
		} else {
			within("load factor of a house, 95 %", s.HouseLF.P95, .2, .35)
		}
		within("hour of the peak", s.PeakHour, 17, 22)
		within("peak over afternoon", s.Profile[19]/s.Profile[14], 1.5, 4)
		within("weekend over weekday energy", (s.Weekly[0]+s.Weekly[6])/(s.Weekly[2]+s.Weekly[3]), 1.03, 1.3)
		within("midday share, rest over work", s.DayShare[1]/s.DayShare[0], 1.1, 1.8)
		// Quantiles of 311 real households: 3.2, 8.9, 22.0 kWh a day; theirs
		// is another climate, so that the upper end is left some room.
		within("daily energy, 5 %", s.DailyKWh[0], 2.2, 4.8)
		within("daily energy, median", s.DailyKWh[3], 7, 11)
		within("daily energy, 95 %", s.DailyKWh[6], 17, 40)
		within("losses, %", s.LossPct, 1.2, 4)
		within("loading, median of transformers, %", s.LoadingP95.P50, 15, 60)
	}
}
