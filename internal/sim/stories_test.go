package sim

import (
	"math"
	"testing"
)

var (
	allDay  = [2]float64{0, 24}
	night   = [2]float64{1, 5}
	evening = [2]float64{17.5, 22}
)

// testedDistricts are what the stories are looked for in: seeds and seasons.
func testedDistricts(t *testing.T, f func(t *testing.T, d *District)) {
	for _, c := range []struct {
		seed  int64
		until string
	}{{1, "2026-11-23"}, {2, "2026-02-10"}, {3, "2026-07-31"}} {
		t.Run(c.until, func(t *testing.T) { f(t, district(t, c.seed, c.until, 60)) })
	}
}

func TestTruthCounts(t *testing.T) {
	for seed := int64(1); seed <= 10; seed++ {
		d := district(t, seed, "2026-06-30", 60)
		expect := make(map[string]int)
		at := make(map[string]string)
		for _, p := range d.Truth() {
			expect[p.Expect]++
			if p.TransformerID == "" || p.Note == "" || p.Expect != ExpectTransformer && p.UsagePointID == "" {
				t.Errorf("seed %d: %+v is incomplete", seed, p)
			}
			if p.Expect == ExpectTransformer && (p.Verdict == "" || p.UsagePointID != "") {
				t.Errorf("seed %d: %+v", seed, p)
			}
			if other, taken := at[p.TransformerID]; taken && p.Story != "undersized_transformer" {
				t.Errorf("seed %d: %s and %s share %s", seed, p.Story, other, p.TransformerID)
			}
			at[p.TransformerID] = p.Story
		}
		if expect[ExpectFlag] != 12 || expect[ExpectClear] != 2 || expect[ExpectTransformer] != 2 {
			t.Errorf("seed %d: %v", seed, expect)
		}
	}
}

// TestSeller: from about 20 kW to some 35,000 kWh in 30 days, a fifth of his
// own transformer.
func TestSeller(t *testing.T) {
	testedDistricts(t, func(t *testing.T, d *District) {
		s := d.story(t, "computer_sales")
		h := d.historyOf(d.areas[s.area])
		if len(h.a.points) != 1 || h.a.kva != 250 {
			t.Fatalf("%s: %v kVA with %d points", h.a.id, h.a.kva, len(h.a.points))
		}
		n := len(h.days)
		if kw := h.mean(0, 2, night, metered(0)); kw < 18 || kw > 23 {
			t.Errorf("begins with %.1f kW at night", kw)
		}
		for _, days := range []int{30, 7} {
			if kwh := h.mean(n-days, n, allDay, metered(0)) * 24 * 30; kwh < 33000 || kwh > 37000 {
				t.Errorf("the last %d days come to %.0f kWh in 30 days", days, kwh)
			}
		}
		for w := 7; w+7 <= n; w += 7 { // never falls from week to week but by dips
			if before, now := h.mean(w-7, w, night, metered(0)), h.mean(w, w+7, night, metered(0)); now < before-.5 {
				t.Errorf("week from day %d: %.1f kW after %.1f kW", w, now, before)
			}
		}
		if p := h.p95(nil); p > .3 {
			t.Errorf("loading %.2f: the seller must not be an overload", p)
		}
		if u := s.point.customer.declaredUse; u != "computer_sales" {
			t.Errorf("declared as %s", u)
		}
	})
}

// TestMeteredMines: what was added shows at night, at its nominal power.
func TestMeteredMines(t *testing.T) {
	testedDistricts(t, func(t *testing.T, d *District) {
		for _, name := range []string{
			"residential_miner_small", "residential_miner_rigs", "residential_miner_large", "residential_miner_undersized",
			"corridor_miner", "evening_evader", "mining_cafe",
		} {
			s := d.story(t, name)
			h := d.historyOf(d.areas[s.area])
			k := h.index(t, s.point)
			from, n := int(s.from), len(h.days)
			if from < 5 || from > n-20 {
				t.Errorf("%s starts on day %d of %d", name, from, n)
				continue
			}
			got := h.mean(n-15, n, night, metered(k)) - h.mean(max(0, from-15), from, night, metered(k))
			if math.Abs(got-s.planted.KW) > .1*s.planted.KW+1 {
				t.Errorf("%s: the night rises by %.2f kW, the mine has %.2f", name, got, s.planted.KW)
			}
			if s.planted.KW < 2.5 || s.planted.KW > 12 {
				t.Errorf("%s: %.1f kW is no residential size", name, s.planted.KW)
			}
			ratio := h.mean(n-15, n, allDay, metered(k)) / h.mean(n-15, n, allDay, truly(k))
			if math.Abs(ratio-1) > .01 {
				t.Errorf("%s pays %.3f of what it draws", name, ratio)
			}
			if c := s.point.customer.contractedKVA; s.point.kind == "household" && c < s.planted.KW {
				t.Errorf("%s: mine of %.1f kW on a contract of %v kVA", name, s.planted.KW, c)
			}
		}
	})
}

func TestEveningEvader(t *testing.T) {
	testedDistricts(t, func(t *testing.T, d *District) {
		s := d.story(t, "evening_evader")
		h := d.historyOf(d.areas[s.area])
		k := h.index(t, s.point)
		from, n := int(s.from), len(h.days)
		if rise := h.mean(n-15, n, evening, metered(k)) - h.mean(0, from, evening, metered(k)); math.Abs(rise) > 1.2 {
			t.Errorf("the evening changes by %.2f kW", rise)
		}
	})
}

func TestSinceDayOne(t *testing.T) {
	testedDistricts(t, func(t *testing.T, d *District) {
		s := d.story(t, "since_day_one")
		h := d.historyOf(d.areas[s.area])
		k := h.index(t, s.point)
		for _, from := range []int{0, 20, 40} {
			if kw := h.mean(from, from+20, night, metered(k)); kw < .9*s.planted.KW {
				t.Errorf("from day %d the night has %.2f kW, the mine %.2f", from, kw, s.planted.KW)
			}
		}
		if s.planted.KW < 3 {
			t.Errorf("mine of %.2f kW", s.planted.KW)
		}
	})
}

func TestFractional(t *testing.T) {
	testedDistricts(t, func(t *testing.T, d *District) {
		s := d.story(t, "fractional")
		h := d.historyOf(d.areas[s.area])
		k := h.index(t, s.point)
		from, n := int(s.from), len(h.days)
		share := func(from, to int) float64 {
			return h.mean(from, to, allDay, metered(k)) / h.mean(from, to, allDay, truly(k))
		}
		if v := share(0, from); math.Abs(v-1) > .01 {
			t.Errorf("before, the meter registers %.3f", v)
		}
		if v, want := share(from+1, n), 1-s.point.slow.share; math.Abs(v-want) > .01 {
			t.Errorf("after, the meter registers %.3f, not %.3f", v, want)
		}
		missing := h.mean(from+1, n, allDay, truly(k)) - h.mean(from+1, n, allDay, metered(k))
		rise := h.mean(from+1, n, allDay, residual(h.a)) - h.mean(0, from, allDay, residual(h.a))
		if math.Abs(rise-missing) > .3*missing || missing*24 < 15 {
			t.Errorf("the balance rises by %.2f kW, %.2f kW are not registered", rise, missing)
		}
	})
}

// TestBypass: the house's meter shows nothing, the balance everything; the
// fuse takes both.
func TestBypass(t *testing.T) {
	testedDistricts(t, func(t *testing.T, d *District) {
		s := d.story(t, "bypass")
		h := d.historyOf(d.areas[s.area])
		k := h.index(t, s.point)
		from, n := int(s.from), len(h.days)
		around := h.mean(from+1, n, night, truly(k)) - h.mean(from+1, n, night, metered(k))
		if math.Abs(around-s.planted.KW) > .1*s.planted.KW {
			t.Errorf("%.2f kW pass the meter, the mine has %.2f", around, s.planted.KW)
		}
		rise := h.mean(from+1, n, night, residual(h.a)) - h.mean(0, from, night, residual(h.a))
		if math.Abs(rise-s.planted.KW) > .15*s.planted.KW {
			t.Errorf("the balance rises by %.2f kW, the mine has %.2f", rise, s.planted.KW)
		}
		dark := 0
		for _, trip := range s.point.trips {
			if trip.date < d.first || trip.date > d.last {
				t.Errorf("trip on %s", trip.date)
				continue
			}
			day := h.days[trip.date-d.first]
			if day.points[k].Metered[trip.from] == 0 && day.points[k].True[trip.from] == 0 {
				dark++
			}
		}
		if dark != 4 {
			t.Errorf("%d outages", dark)
		}
	})
}

func TestDirectTap(t *testing.T) {
	testedDistricts(t, func(t *testing.T, d *District) {
		s := d.story(t, "direct_tap")
		h := d.historyOf(d.areas[s.area])
		from, n := int(s.from), len(h.days)
		rise := h.mean(from+1, n, night, residual(h.a)) - h.mean(0, from, night, residual(h.a))
		if math.Abs(rise-s.planted.KW) > .15*s.planted.KW || s.point != nil {
			t.Errorf("the balance rises by %.2f kW, the tap has %.2f", rise, s.planted.KW)
		}
		for k := range h.a.points {
			if v := h.mean(0, n, allDay, metered(k)) / h.mean(0, n, allDay, truly(k)); math.Abs(v-1) > .01 {
				t.Errorf("%s registers %.3f", h.a.points[k].id, v)
			}
		}
	})
}

// TestUndersized: past its rating with the mine, within it without.
func TestUndersized(t *testing.T) {
	testedDistricts(t, func(t *testing.T, d *District) {
		s := d.story(t, "residential_miner_undersized")
		if tr := d.story(t, "undersized_transformer"); tr.area != s.area || d.areas[s.area].kva != 50 {
			t.Fatalf("miner and transformer are apart")
		}
		h := d.historyOf(d.areas[s.area])
		k := h.index(t, s.point)
		with, without := h.p95(nil), h.p95(map[int]load{k: s.point.loads[len(s.point.loads)-1]})
		if with < 1.03 || without > .95 {
			t.Errorf("95th percentile of loading %.3f with the mine, %.3f without", with, without)
		}
		for i, a := range d.areas {
			if i == s.area {
				continue
			}
			if p := d.lastDaysOf(a, 7).p95(nil); p > .9 {
				t.Errorf("%s (%v kVA, %d points) is loaded to %.2f", a.id, a.kva, len(a.points), p)
			}
		}
	})
}

func TestCafes(t *testing.T) {
	testedDistricts(t, func(t *testing.T, d *District) {
		for _, name := range []string{"mining_cafe", "innocent_cafe"} {
			s := d.story(t, name)
			listed := false
			for _, l := range d.listed {
				listed = listed || l.holder == s.point && l.hashrate > 0 && !l.firstSeen.Before(l.from)
			}
			if !listed || s.point.customer.declaredUse != "internet_cafe" {
				t.Errorf("%s: on the watchlist %v, declared as %s", name, listed, s.point.customer.declaredUse)
			}
			h := d.historyOf(d.areas[s.area])
			k, n := h.index(t, s.point), len(h.days)
			ratio := h.mean(n-20, n, [2]float64{3, 7}, metered(k)) / h.mean(n-20, n, [2]float64{15, 21}, metered(k))
			if name == "innocent_cafe" && ratio > .4 || name == "mining_cafe" && ratio < .6 {
				t.Errorf("%s: night over afternoon %.2f", name, ratio)
			}
		}
	})
}

func TestWrongMapping(t *testing.T) {
	testedDistricts(t, func(t *testing.T, d *District) {
		s := d.story(t, "wrong_mapping")
		p := s.point
		if p.recorded == p.area || p.area != s.area {
			t.Fatalf("%s hangs on %d and is recorded on %d", p.id, p.area, p.recorded)
		}
		if a, b := d.areas[p.area], d.areas[p.recorded]; a.feederID != b.feederID && b.reserved && !a.reserved {
			t.Errorf("recorded on %s, hangs on %s", b.id, a.id)
		}
		wrong := 0
		for _, q := range d.points {
			if q.recorded != q.area {
				wrong++
			}
		}
		if wrong != 1 {
			t.Errorf("%d points are recorded wrongly", wrong)
		}
		h := d.historyOf(d.areas[p.area])
		if kwh := 24 * h.mean(0, len(h.days), allDay, metered(h.index(t, p))); kwh < 15 {
			t.Errorf("only %.1f kWh a day", kwh)
		}
	})
}

// TestLookalikes are there and do what they say.
func TestLookalikes(t *testing.T) {
	d := district(t, 1, "2026-11-23", 60)
	for _, l := range d.lookalikes {
		h := d.historyOf(d.areas[l.point.area])
		k, n := h.index(t, l.point), len(h.days)
		first, last := h.mean(0, 10, allDay, metered(k)), h.mean(n-10, n, allDay, metered(k))
		switch l.kind {
		case "cold_store_second_room", "workshop_new_machine", "growing_business", "new_car", "new_heat_pump":
			if last < 1.25*first {
				t.Errorf("%s: %.2f kW, then %.2f kW", l.kind, first, last)
			}
		case "registered_data_room":
			if !l.point.customer.registeredDC || first < 10 {
				t.Errorf("data room: %+v, %.1f kW", l.point.customer, first)
			}
		}
	}
}
