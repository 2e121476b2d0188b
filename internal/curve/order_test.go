package curve_test

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// drawReadings draws what a meter could have sent between some hours before a
// local day and some after it, in order of time: registers that roll over, are
// reset or read wrongly, powers, voltages, several of one moment.
func drawReadings(t *rapid.T, begin time.Time) []meter.Reading {
	step := rapid.SampledFrom([]time.Duration{7 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute, 40 * time.Minute}).Draw(t, "step")
	from := time.Duration(rapid.IntRange(-4, 20).Draw(t, "from")) * time.Hour
	registers, powers := rapid.Bool().Draw(t, "registers"), rapid.Bool().Draw(t, "powers")
	value := rapid.SampledFrom([]float64{5, 99_990, 12_345}).Draw(t, "value")
	var list []meter.Reading
	add := func(at time.Duration, q meter.Quantity, v float64) {
		r := meter.Reading{MeterID: "M", Quantity: q, Value: v, EventTime: begin.Add(at), Quality: meter.Good}
		if rapid.IntRange(0, 20).Draw(t, "uncertain") == 0 {
			r.Quality = meter.Uncertain
		}
		list = append(list, r)
	}
	at := from
	for range rapid.IntRange(1, 60).Draw(t, "polls") {
		switch rapid.IntRange(0, 12).Draw(t, "event") {
		case 0:
			at += time.Duration(rapid.IntRange(1, 300).Draw(t, "gap")) * time.Minute
		case 1:
			at += time.Duration(rapid.IntRange(0, 30_000).Draw(t, "jitter")) * time.Millisecond
		case 2:
			if rapid.IntRange(0, 4).Draw(t, "reset") == 0 {
				value = float64(rapid.IntRange(0, 20).Draw(t, "to"))
			}
		case 3:
			at = at.Truncate(5 * time.Minute)
		}
		value = math.Round((value+rapid.Float64Range(0, 2).Draw(t, "energy"))*1000) / 1000
		if value >= 100_000 {
			value -= 100_000
		}
		if registers {
			add(at, meter.ActiveEnergyImport, value)
			if rapid.IntRange(0, 30).Draw(t, "twice") == 0 {
				add(at, meter.ActiveEnergyImport, value+1)
			}
		}
		if powers {
			add(at, meter.ActivePower, rapid.Float64Range(0, 9).Draw(t, "kW"))
		}
		add(at, meter.VoltageA, rapid.Float64Range(220, 240).Draw(t, "V"))
		at += step
	}
	return list
}

// feed gives readings in some order, in several batches with commits and
// crashes in between, and returns the days that come of them.
func feed(t *rapid.T, cfg curve.AccumulatorConfig, list []meter.Reading, batches func() int, crashed func(t *rapid.T, acc *curve.Accumulator) bool, clock func(at int)) []curve.Day {
	store := curve.NewMemory()
	cfg.Store = store
	open := func() *curve.Accumulator {
		acc, err := curve.NewAccumulator(cfg)
		if err != nil {
			t.Fatal(err)
		}
		return acc
	}
	acc := open()
	for done := false; !done; {
		position, err := acc.Position(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		done = true
		for from := int(position); from < len(list); {
			to := min(len(list), from+batches())
			clock(to - 1)
			if err := acc.Accept(t.Context(), list[from:to], uint64(to)); err != nil {
				t.Fatal(err)
			}
			from = to
			if crashed(t, acc) { // what was not committed is read again
				acc, done = open(), false
				break
			}
		}
	}
	clock(len(list))
	if err := acc.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	days, err := store.Days(context.Background(), "M", 0, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return days
}

func TestOrderDoesNotMatter(t *testing.T) {
	zones := map[string]curve.Date{}
	for name, date := range map[string]string{"UTC": "2026-03-01", "Europe/Vienna": "2026-03-29", "Australia/Lord_Howe": "2026-10-04", "America/Havana": "2026-11-01"} {
		zones[name], _ = curve.ParseDate(date)
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom([]string{"UTC", "Europe/Vienna", "Australia/Lord_Howe", "America/Havana"}).Draw(t, "zone")
		loc, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		begin := zones[name].Start(loc)
		list := drawReadings(t, begin)
		var now time.Time
		cfg := curve.AccumulatorConfig{Location: loc, Clock: func() time.Time { return now },
			Interval: rapid.SampledFrom([]time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}).Draw(t, "interval"),
			Grace:    rapid.SampledFrom([]time.Duration{-1, 30 * time.Minute}).Draw(t, "grace"),
			Limits:   func(string, time.Time) curve.Limits { return curve.Limits{ContractedKVA: 10} }}
		end := list[len(list)-1].EventTime.Add(60 * time.Hour)
		want := feed(t, cfg, list, func() int { return len(list) }, func(*rapid.T, *curve.Accumulator) bool { return false },
			func(int) { now = end })

		other := slices.Clone(list)
		for range rapid.IntRange(0, 10).Draw(t, "duplicates") {
			other = append(other, list[rapid.IntRange(0, len(list)-1).Draw(t, "duplicate")])
		}
		slices.SortStableFunc(other, func(a, b meter.Reading) int { return a.EventTime.Compare(b.EventTime) })
		if rapid.Bool().Draw(t, "shuffled") {
			other = rapid.Permutation(other).Draw(t, "order")
		}
		now = other[0].EventTime
		clock := func(at int) { // follows the latest reading so far
			if at == len(other) {
				now = end
				return
			}
			for i := range at + 1 {
				if other[i].EventTime.After(now) {
					now = other[i].EventTime
				}
			}
		}
		crashes := 5
		got := feed(t, cfg, other, func() int { return rapid.IntRange(1, 12).Draw(t, "batch") }, func(t *rapid.T, acc *curve.Accumulator) bool {
			switch rapid.IntRange(0, 4).Draw(t, "between") {
			case 0:
				if err := acc.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
			case 1:
				crashes--
				return crashes > 0
			}
			return false
		}, clock)
		if len(got) != len(want) {
			t.Fatalf("%d days, want %d", len(got), len(want))
		}
		for i := range got {
			if !curve.Same(&got[i], &want[i]) {
				t.Fatalf("%s\n%s, want\n%s", got[i].Date, show(&got[i]), show(&want[i]))
			}
		}
	})
}

func show(d *curve.Day) string { return fmt.Sprint(d.EnergyKWh, d.Quality, d.Flags, d.Other, d.Open) }
