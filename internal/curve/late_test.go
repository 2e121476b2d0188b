package curve_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func hours(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }

// catchUp gives the readings of a span afterwards, minute by minute, with a
// commit every thirty readings.
func (b *bench) catchUp(from, to time.Duration) {
	for at := from; at <= to; at += time.Minute {
		b.now = b.now.Add(time.Second)
		b.late(at, meter.ActiveEnergyImport, register(at))
		if at%(30*time.Minute) == 0 {
			b.commit()
		}
	}
}

func TestLateReadingsReopenTheirDay(t *testing.T) {
	b := newBench(t, start, time.UTC)
	b.run(0, hours(25), register, [2]time.Duration{hours(10), hours(14)})
	if d := b.day("2026-03-01"); d.Open || !math.IsNaN(d.EnergyKWh[45]) || d.Origin.Rule != curve.OriginPolled {
		t.Fatalf("before the rest came the day is open %v, interval 45 is %v, origin %+v", d.Open, d.EnergyKWh[45], d.Origin)
	}
	b.catchUp(hours(10), hours(14))
	if n := len(b.versions("2026-03-01")); n != 1 {
		t.Errorf("%d versions while readings still come, want 1", n)
	}
	b.now = b.now.Add(2 * time.Minute)
	b.commit()
	v := b.versions("2026-03-01")
	if len(v) != 2 {
		t.Fatalf("%d versions, want 2", len(v))
	}
	want := curve.Origin{Rule: curve.OriginLate, Reason: "readings from 10:01:00 to 13:59:00 came after the day had closed"}
	if d := v[1].Day; d.Origin != want || !v[1].Current {
		t.Errorf("the day came about by %+v, want %+v", d.Origin, want)
	} else {
		for i, e := range d.EnergyKWh {
			if math.Abs(e-quarter(i)) > 1e-9 || d.Quality[i] != meter.Good {
				t.Fatalf("interval %d is %v %v, want %v", i, e, d.Quality[i], quarter(i))
			}
		}
	}
	features := 0
	err := b.store.Features(t.Context(), 0, 1<<20, func(_ string, _ curve.Date, f *curve.Features) error {
		features++
		if complete := curve.Compute(&v[1].Day); *f != complete && f[0] != complete[0] {
			t.Errorf("the features are %v, want those of the new version", *f)
		}
		return nil
	})
	if err != nil || features != 1 {
		t.Errorf("%d features, %v", features, err)
	}
	b.catchUp(hours(10), hours(14))
	if b.day("2026-03-01"); len(b.versions("2026-03-01")) != 2 {
		t.Error("the same readings again made a version")
	}
}

func TestACatchUpSurvivesACrash(t *testing.T) {
	b := newBench(t, start, time.UTC)
	b.run(0, hours(25), register, [2]time.Duration{hours(10), hours(14)})
	b.day("2026-03-01")
	b.catchUp(hours(10), hours(12.2))
	b.crash()
	b.catchUp(hours(12.2), hours(14))
	b.crash()
	b.now = b.now.Add(2 * time.Minute)
	b.commit()
	d := b.stored("2026-03-01")
	for i, e := range d.EnergyKWh {
		if math.Abs(e-quarter(i)) > 1e-9 || d.Quality[i] != meter.Good {
			t.Fatalf("interval %d is %v %v, want %v", i, e, d.Quality[i], quarter(i))
		}
	}
}

func TestADayWithoutAnyReadingInTimeBecomesALateOne(t *testing.T) {
	b := newBench(t, start.Add(hours(30)), time.UTC)
	b.catchUp(0, hours(24))
	b.now = b.now.Add(2 * time.Minute)
	b.commit()
	d := b.stored("2026-03-01")
	if d.Open || d.Origin.Rule != curve.OriginLate || d.EnergyKWh[50] != quarter(50) {
		t.Errorf("open %v, %+v, %v", d.Open, d.Origin, d.EnergyKWh[50])
	}
	if d := b.stored("2026-03-02"); !d.Open {
		t.Error("the day of the last reading is closed")
	}
}

// TestDaysStayOpenWhileTheStreamIsBehind reads on after an outage of the
// program over midnight.
func TestDaysStayOpenWhileTheStreamIsBehind(t *testing.T) {
	b := newBench(t, start, time.UTC)
	b.run(0, hours(20), register)
	b.commit()
	b.crash()
	for at := hours(20); at < hours(28); at += time.Minute {
		b.now = start.Add(at)
		b.stream = append(b.stream, meter.Reading{MeterID: "M", Quantity: meter.ActiveEnergyImport, Value: register(at),
			EventTime: b.now, ReceiveTime: b.now, Quality: meter.Good})
	}
	b.now = start.Add(hours(32))
	for at := len(b.stream) - 480; at < len(b.stream); at++ {
		b.accept(at)
		if at%50 == 0 {
			b.commit()
			if d := b.stored("2026-03-01"); !d.Open {
				t.Fatal("the day closed before its readings were in")
			}
		}
	}
	b.commit()
	b.now = b.now.Add(2 * time.Minute)
	b.commit()
	if v := b.versions("2026-03-01"); len(v) != 1 || v[0].Day.Open || v[0].Day.Origin.Rule != curve.OriginPolled || v[0].Day.Quality[95] != meter.Good {
		t.Errorf("%d versions, open %v, %+v", len(v), v[0].Day.Open, v[0].Day.Origin)
	}
}

func TestLateReadingsLeaveImportedDaysAlone(t *testing.T) {
	b := newBench(t, start.Add(hours(30)), time.UTC)
	imported := curve.Day{MeterID: "M", Date: curve.DateOf(start), Start: start, Interval: time.Hour,
		EnergyKWh: make([]float64, 24), Quality: make([]meter.Quality, 24), Origin: curve.Origin{Rule: curve.OriginImported}}
	if err := b.store.PutDays(t.Context(), []curve.Day{imported}, make([]curve.Features, 1)); err != nil {
		t.Fatal(err)
	}
	b.catchUp(0, hours(24))
	if d := b.day("2026-03-01"); d.Intervals() != 24 || len(b.versions("2026-03-01")) != 1 {
		t.Errorf("the imported day became one of %d intervals", d.Intervals())
	}
}

func TestAnImportBeforeTheDayClosesStays(t *testing.T) {
	b := newBench(t, start, time.UTC)
	b.run(0, hours(24.2), register)
	b.commit()
	imported := curve.Day{MeterID: "M", Date: curve.DateOf(start), Start: start, Interval: time.Hour,
		EnergyKWh: make([]float64, 24), Quality: make([]meter.Quality, 24), Origin: curve.Origin{Rule: curve.OriginImported}}
	if err := b.store.PutDays(t.Context(), []curve.Day{imported}, make([]curve.Features, 1)); err != nil {
		t.Fatal(err)
	}
	b.run(hours(24.2), hours(25), register)
	if d := b.day("2026-03-01"); d.Intervals() != 24 || d.Open {
		t.Errorf("the imported day became one of %d intervals, open %v", d.Intervals(), d.Open)
	}
}

func TestAnotherReaderFencesThisOne(t *testing.T) {
	b := newBench(t, start, time.UTC)
	b.run(0, hours(1), register)
	if err := b.store.Commit(t.Context(), &curve.Commit{Reader: "curves", Token: 7, Position: 61}); err != nil {
		t.Fatal(err)
	}
	if err := b.acc.Commit(t.Context()); !errors.Is(err, curve.ErrFenced) {
		t.Errorf("the commit of a stale reader gave %v", err)
	}
	if err := b.acc.Accept(t.Context(), b.stream[:1], 1); !errors.Is(err, curve.ErrFenced) {
		t.Errorf("afterwards Accept gave %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.acc.Run(ctx); !errors.Is(err, curve.ErrFenced) {
		t.Errorf("Run ended with %v", err)
	}
	if days, err := b.store.Days(t.Context(), "M", 0, 1<<20); err != nil || len(days) != 0 {
		t.Errorf("the stale reader stored %d days, %v", len(days), err)
	}
}

// TestAMeterThatMovesToAnotherReader is read by one reader until noon and by
// another one from then on.
func TestAMeterThatMovesToAnotherReader(t *testing.T) {
	b := newBench(t, start, time.UTC)
	b.run(0, hours(12), register)
	b.commit()
	first := b.acc
	b.cfg.Reader, b.stream = "curves.2", nil
	b.crash()
	b.run(hours(12), hours(25), register)
	b.commit()
	if err := first.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.day("2026-03-01")
	v := b.versions("2026-03-01")
	if len(v) != 1 {
		t.Fatalf("%d versions, want one", len(v))
	}
	for i, e := range v[0].Day.EnergyKWh {
		if math.Abs(e-quarter(i)) > 1e-9 {
			t.Fatalf("interval %d is %v, want %v", i, e, quarter(i))
		}
	}
	if first.Meters() != 0 {
		t.Error("the first reader still follows the meter")
	}
}

// watched counts what is committed.
type watched struct {
	*curve.Memory
	days, states int
}

func (w *watched) Commit(ctx context.Context, c *curve.Commit) error {
	w.days, w.states = w.days+len(c.Days), w.states+len(c.States)
	return w.Memory.Commit(ctx, c)
}

func TestAnUnchangedMeterCostsNothing(t *testing.T) {
	store := &watched{Memory: curve.NewMemory()}
	now := start
	acc, err := curve.NewAccumulator(curve.AccumulatorConfig{Store: store, Clock: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	accept := func(id string) {
		r := []meter.Reading{{MeterID: id, Quantity: meter.ActiveEnergyImport, Value: 5, EventTime: now, Quality: meter.Good}}
		if err := acc.Accept(t.Context(), r, 0); err != nil {
			t.Fatal(err)
		}
	}
	commit := func(days, states int) {
		t.Helper()
		store.days, store.states = 0, 0
		if err := acc.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		if store.days != days || store.states != states {
			t.Errorf("a commit stored %d days and %d states, want %d and %d", store.days, store.states, days, states)
		}
	}
	accept("A")
	accept("B")
	commit(2, 2)
	commit(0, 0)
	accept("A") // again
	commit(0, 0)
	now = now.Add(time.Minute)
	accept("A")
	commit(0, 1) // no interval ended
	now = now.Add(20 * time.Minute)
	accept("A")
	commit(1, 1)
}

func TestDamagedStateBeginsAfreshWithOneWarning(t *testing.T) {
	b := newBench(t, start, time.UTC)
	states := []curve.State{{MeterID: "M", Data: []byte("{}")}, {MeterID: "N", Data: []byte{1, 200}}}
	if err := b.store.Commit(t.Context(), &curve.Commit{Reader: "curves", States: states}); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	b.cfg.Logger = logTo(&log)
	b.crash()
	b.run(0, hours(25), register)
	if n := strings.Count(log.String(), "cannot be read"); n != 1 {
		t.Errorf("%d warnings, want 1:\n%s", n, log.String())
	}
	if d := b.day("2026-03-01"); d.Quality[40] != meter.Good {
		t.Errorf("interval 40 is %v", d.Quality[40])
	}
}

func TestAnImportOfTodayStays(t *testing.T) {
	b := newBench(t, start, time.UTC)
	imported := curve.Day{MeterID: "M", Date: curve.DateOf(start), Start: start, Interval: time.Hour,
		EnergyKWh: make([]float64, 24), Quality: make([]meter.Quality, 24), Origin: curve.Origin{Rule: curve.OriginImported}}
	if err := b.store.PutDays(t.Context(), []curve.Day{imported}, make([]curve.Features, 1)); err != nil {
		t.Fatal(err)
	}
	b.run(0, hours(3), register)
	b.commit()
	b.crash()
	b.run(hours(3), hours(25), register)
	if d := b.day("2026-03-01"); d.Intervals() != 24 || len(b.versions("2026-03-01")) != 1 {
		t.Errorf("the imported day became one of %d intervals", d.Intervals())
	}
}

// TestPowerGoesOnOverMidnight integrates the power of a meter without a
// register, polled every ten minutes.
func TestPowerGoesOnOverMidnight(t *testing.T) {
	b := newBench(t, start, time.UTC)
	for at := hours(20); at <= hours(49); at += 10 * time.Minute {
		b.now = start.Add(at + time.Minute)
		b.reading(meter.ActivePower, 2+at.Hours()/10)
	}
	for date, intervals := range map[string][2]int{"2026-03-01": {81, 96}, "2026-03-02": {0, 96}} {
		d := b.day(date)
		for i := intervals[0]; i < intervals[1]; i++ {
			at := d.Start.Sub(start) + time.Duration(i)*15*time.Minute + 13*time.Minute/2
			if want := (2 + at.Hours()/10) / 4; math.Abs(d.EnergyKWh[i]-want) > 1e-3 || d.Quality[i] != meter.Good {
				t.Errorf("%s, interval %d is %v %v, want %v", date, i, d.EnergyKWh[i], d.Quality[i], want)
			}
		}
	}
}
