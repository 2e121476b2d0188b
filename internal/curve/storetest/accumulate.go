package storetest

import (
	"math"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// testAccumulator builds days on the store with crashes, a gap that is filled
// after the day has closed, and another reader that takes over.
func testAccumulator(t *testing.T, s curve.WorkStore) {
	begin := curve.Date(20000).Start(time.UTC)
	now := begin
	var acc *curve.Accumulator
	reader := func(token uint64) {
		t.Helper()
		var err error
		if acc, err = curve.NewAccumulator(curve.AccumulatorConfig{Store: s, Token: token, MaxLate: 48 * time.Hour, Clock: func() time.Time { return now }}); err != nil {
			t.Fatal(err)
		}
	}
	flush := func() {
		t.Helper()
		if err := acc.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	var sequence uint64
	poll := func(minute int) {
		t.Helper()
		at := begin.Add(time.Duration(minute) * time.Minute)
		sequence++
		err := acc.Accept(t.Context(), []meter.Reading{
			{MeterID: "M", Quantity: meter.ActiveEnergyImport, Value: 1000 + float64(minute)/100, EventTime: at, ReceiveTime: now, Quality: meter.Good},
			{MeterID: "M", Quantity: meter.VoltageA, Value: 231, EventTime: at, ReceiveTime: now, Quality: meter.Good},
		}, sequence)
		if err != nil {
			t.Fatal(err)
		}
	}
	reader(1)
	for minute := 0; minute <= 25*60; minute += 5 {
		if now = begin.Add(time.Duration(minute) * time.Minute); minute < 600 || minute > 780 {
			poll(minute)
		}
		if minute%185 == 0 {
			flush()
			reader(uint64(1 + minute))
			if position, err := acc.Position(t.Context()); err != nil || position != sequence {
				t.Fatalf("after %d minutes reading goes on at %d, %v; want %d", minute, position, err, sequence)
			}
		}
	}
	flush()
	if d := days(t, s, "M", 20000, 20000)[0]; d.Open || d.Quality[45] != meter.Bad || d.Origin.Rule != curve.OriginPolled || d.Other[meter.VoltageA][3] != 231 {
		t.Errorf("the closed day is open %v, %v, %+v, %v V", d.Open, d.Quality[45], d.Origin, d.Other[meter.VoltageA][3])
	}
	for minute := 780; minute >= 600; minute -= 5 {
		poll(minute)
	}
	flush()
	versions, err := s.Versions(t.Context(), "M", 20000)
	if err != nil || len(versions) != 2 || versions[1].Day.Origin.Rule != curve.OriginLate {
		t.Fatalf("after late readings: %d versions, %v", len(versions), err)
	}
	for i, e := range versions[1].Day.EnergyKWh {
		if math.Abs(e-0.15) > 1e-9 || versions[1].Day.Quality[i] != meter.Good {
			t.Fatalf("interval %d is %v %v", i, e, versions[1].Day.Quality[i])
		}
	}
	if state, err := s.DayState(t.Context(), "M", 20000); err != nil || len(state) == 0 {
		t.Errorf("the closed day has no working set: %v", err)
	}
	now = begin.Add(10 * 24 * time.Hour)
	flush()
	for date := curve.Date(20000); date <= 20001; date++ {
		if state, err := s.DayState(t.Context(), "M", date); err != nil || date == 20000 && len(state) != 0 {
			t.Errorf("%s: a working set that no reading can reach any more is kept: %d bytes, %v", date, len(state), err)
		}
	}
}
