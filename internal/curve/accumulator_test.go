package curve_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

var start = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// quarter is a made-up load of each quarter of an hour in kWh, to the watt-hour.
func quarter(i int) float64 { return float64(100+37*i%250) / 1000 }

// register is the meter at a moment: straight between quarters.
func register(at time.Duration) float64 {
	total, i := 10_000.0, 0
	for ; at >= 15*time.Minute; at -= 15 * time.Minute {
		total += quarter(i)
		i++
	}
	return total + quarter(i)*float64(at)/float64(15*time.Minute)
}

func TestAccumulatedDaysEqualImportedOnes(t *testing.T) {
	for _, step := range []time.Duration{time.Minute, 15 * time.Minute, 20 * time.Second} {
		b := newBench(t, start, time.UTC)
		for at := time.Duration(0); at <= 25*time.Hour; at += step {
			b.now = start.Add(at)
			b.reading(meter.ActiveEnergyImport, math.Round(register(at)*1e6)/1e6)
		}
		got := b.day("2026-03-01")
		want := curve.Day{MeterID: "M", Date: got.Date, Start: start, Interval: 15 * time.Minute}
		for i := range 96 {
			want.EnergyKWh = append(want.EnergyKWh, quarter(i))
			want.Quality = append(want.Quality, meter.Good)
		}
		want.Origin.Rule = curve.OriginPolled
		var counts curve.Counts
		curve.VEE(&want, curve.Limits{}, &counts)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("polled every %v:\n%v, want\n%v", step, got, want)
		}
		if fmt.Sprint(curve.Compute(&got)) != fmt.Sprint(curve.Compute(&want)) {
			t.Errorf("polled every %v: other features", step)
		}
	}
}

// TestAccumulatorResumesAfterACrash loses what was not stored every 47
// minutes; it is read from the stream again.
func TestAccumulatorResumesAfterACrash(t *testing.T) {
	b := newBench(t, start, time.UTC)
	for at := time.Duration(0); at <= 25*time.Hour; at += 10 * time.Second {
		b.now = start.Add(at)
		if at%(47*time.Minute) == 0 {
			b.crash()
		}
		if at%time.Minute == 0 {
			b.commit()
		}
		b.reading(meter.ActiveEnergyImport, register(at))
	}
	got := b.day("2026-03-01")
	for i, e := range got.EnergyKWh {
		if math.Abs(e-quarter(i)) > 1e-9 || got.Quality[i] != meter.Good {
			t.Fatalf("interval %d is %v %v, want %v good", i, e, got.Quality[i], quarter(i))
		}
	}
	if v := b.versions("2026-03-01"); len(v) != 1 || v[0].Day.Origin != (curve.Origin{Rule: curve.OriginPolled}) {
		t.Errorf("the day has versions %+v", v)
	}
}

// run polls the register every minute but in the gaps.
func (b *bench) run(from, to time.Duration, value func(time.Duration) float64, gaps ...[2]time.Duration) {
	for at := from; at <= to; at += time.Minute {
		b.now = start.Add(at)
		out := false
		for _, g := range gaps {
			out = out || at > g[0] && at < g[1]
		}
		if !out {
			b.reading(meter.ActiveEnergyImport, value(at))
		}
	}
}

func TestAccumulatorGaps(t *testing.T) {
	b := newBench(t, start, time.UTC)
	hour := func(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }
	b.run(0, hour(25), register, [2]time.Duration{hour(2.1), hour(3.2)}, [2]time.Duration{hour(10.1), hour(14)})
	d := b.day("2026-03-01")
	for i, want := range map[int]meter.Quality{7: meter.Good, 8: meter.Uncertain, 10: meter.Uncertain, 12: meter.Uncertain, 13: meter.Good,
		39: meter.Good, 40: meter.Bad, 50: meter.Bad, 56: meter.Good} {
		if d.Quality[i] != want {
			t.Errorf("interval %d is %v, want %v", i, d.Quality[i], want)
		}
	}
	for i := 8; i <= 12; i++ {
		if !d.Flags[i].Has(meter.Estimated) {
			t.Errorf("interval %d has flags %v, want estimated", i, d.Flags[i])
		}
	}
	bridged := 0.0
	for i := 8; i <= 12; i++ {
		bridged += d.EnergyKWh[i]
	}
	if want := register(hour(3.25)) - register(hour(2)); math.Abs(bridged-want) > 0.001 {
		t.Errorf("the gap was bridged with %v kWh, the register counted %v", bridged, want)
	}
	if !math.IsNaN(d.EnergyKWh[45]) || !d.Flags[45].Has(meter.Missing) {
		t.Errorf("the long gap holds %v %v", d.EnergyKWh[45], d.Flags[45])
	}
}

func TestAccumulatorRolloverAndReset(t *testing.T) {
	for _, c := range []struct {
		name       string
		value      func(time.Duration) float64
		missing    bool
		rollover   bool
		wantCloses float64
	}{
		{"rollover at 6 digits", func(at time.Duration) float64 { return math.Mod(register(at)-register(0)+999_998, 1e6) }, false, true, 0},
		{"reset", func(at time.Duration) float64 {
			if at < 6*time.Hour {
				return register(at)
			}
			return register(at) - register(6*time.Hour)
		}, true, false, 0},
		{"exchange for a higher register", func(at time.Duration) float64 {
			if at < 6*time.Hour {
				return register(at)
			}
			return register(at) + 5e5
		}, true, false, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBench(t, start, time.UTC)
			b.cfg.Limits = func(string, time.Time) curve.Limits { return curve.Limits{ContractedKVA: 10, RatedKVA: 50} }
			b.crash()
			b.run(0, 25*time.Hour, c.value)
			d := b.day("2026-03-01")
			rolled := false
			for i, e := range d.EnergyKWh {
				hit := d.Flags != nil && d.Flags[i].Has(meter.Rollover)
				rolled = rolled || hit
				estimated := d.Flags != nil && d.Flags[i].Has(meter.Estimated)
				switch {
				case c.missing && i == 23:
					if !estimated { // one missing interval is bridged on closing
						t.Errorf("interval %d is %v %v, want it estimated", i, e, d.Quality[i])
					}
				case math.Abs(e-quarter(i)) > 1e-3 || d.Quality[i] != meter.Good:
					t.Errorf("interval %d is %v %v, want %v", i, e, d.Quality[i], quarter(i))
				}
			}
			if rolled != c.rollover {
				t.Errorf("a rollover was seen: %v, want %v", rolled, c.rollover)
			}
		})
	}
}

func TestAccumulatorIntegratesPowerWithoutARegister(t *testing.T) {
	b := newBench(t, start, time.UTC)
	for at := time.Duration(0); at <= 25*time.Hour; at += time.Minute {
		b.now = start.Add(at)
		if at > 5*time.Hour && at < 6*time.Hour || at > 8*time.Hour+30*time.Minute && at < 8*time.Hour+36*time.Minute {
			continue
		}
		b.reading(meter.ActivePower, 4)
		b.reading(meter.VoltageA, 231.26)
	}
	d := b.day("2026-03-01")
	for i, e := range d.EnergyKWh {
		lost := i >= 20 && i < 24
		if lost != d.Flags[i].Has(meter.Missing) || e != 1 {
			t.Errorf("interval %d is %v %v %v", i, e, d.Quality[i], d.Flags[i])
		}
		if v := d.Other[meter.VoltageA][i]; !lost && v != 231.3 {
			t.Errorf("interval %d has %v V", i, v)
		}
	}
}

func TestAccumulatorAtClockChanges(t *testing.T) {
	vienna, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	for date, intervals := range map[string]int{"2026-03-29": 92, "2026-10-25": 100} {
		day, _ := curve.ParseDate(date)
		begin := day.Start(vienna)
		b := newBench(t, begin, vienna)
		for at := -time.Hour; at <= 27*time.Hour; at += time.Minute {
			b.now = begin.Add(at)
			b.reading(meter.ActiveEnergyImport, 1000+float64(at)/float64(time.Hour))
		}
		d := b.day(date)
		if d.Intervals() != intervals || d.Open {
			t.Errorf("%s has %d intervals, open %v; want %d, closed", date, d.Intervals(), d.Open, intervals)
		}
		if sum, usable := d.TotalKWh(); math.Abs(sum-float64(intervals)/4) > 1e-6 || usable != intervals {
			t.Errorf("%s has %v kWh in %d intervals", date, sum, usable)
		}
	}
}

func TestAccumulatorLeavesImportedDaysAlone(t *testing.T) {
	b := newBench(t, start.Add(time.Hour), time.UTC)
	imported := curve.Day{MeterID: "M", Date: curve.DateOf(start), Start: start, Interval: time.Hour,
		EnergyKWh: make([]float64, 24), Quality: make([]meter.Quality, 24)}
	if err := b.store.PutDays(t.Context(), []curve.Day{imported}, make([]curve.Features, 1)); err != nil {
		t.Fatal(err)
	}
	b.run(time.Hour, 25*time.Hour, register)
	if d := b.day("2026-03-01"); d.Intervals() != 24 || d.Open {
		t.Errorf("the imported day became %v", d)
	}
	if d := b.day("2026-03-02"); d.Intervals() != 96 || !d.Open {
		t.Errorf("today is %d intervals, open %v", d.Intervals(), d.Open)
	}
}

func TestAccumulatorIgnoresWhatIsTooOldOrAhead(t *testing.T) {
	b := newBench(t, start, time.UTC)
	b.run(0, time.Hour, register)
	for _, at := range []time.Duration{3 * time.Hour, -8 * 24 * time.Hour} {
		b.late(at, meter.ActiveEnergyImport, 5e6)
	}
	bad := meter.Reading{MeterID: "M", Quantity: meter.ActiveEnergyImport, Value: math.NaN(), EventTime: b.now.Add(time.Second)}
	if err := b.acc.Accept(t.Context(), []meter.Reading{bad}, 0); err != nil {
		t.Fatal(err)
	}
	d := b.day("2026-03-01")
	for i := range 4 {
		if d.EnergyKWh[i] != quarter(i) {
			t.Errorf("interval %d is %v, want %v", i, d.EnergyKWh[i], quarter(i))
		}
	}
	if !d.Open {
		t.Error("the day in progress is closed")
	}
	if days, err := b.store.Days(t.Context(), "M", 0, 1<<20); err != nil || len(days) != 1 {
		t.Errorf("%d days, %v", len(days), err)
	}
}

func TestAccumulatorRunSavesAtTheEnd(t *testing.T) {
	b := newBench(t, start, time.UTC)
	b.cfg.Save = time.Hour
	b.crash()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- b.acc.Run(ctx) }()
	b.run(0, 16*time.Minute, register)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	days, err := b.store.Days(t.Context(), "M", 0, 1<<20)
	if err != nil || len(days) != 1 || days[0].EnergyKWh[0] != quarter(0) {
		t.Errorf("after the end of Run the store has %v, %v", days, err)
	}
}
