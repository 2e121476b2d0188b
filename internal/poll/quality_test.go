package poll

import (
	"math"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// step is one reading of a story: when it was received and dated, in seconds
// since the story's begin.
type step struct {
	at, dated float64
	value     float64
	quality   meter.Quality
	flags     meter.Flags
}

// verdict is what must come out.
type verdict struct {
	quality meter.Quality
	flags   meter.Flags
	detail  string // a part of it
}

// every gives n steps from a time on, one each s seconds, of one value.
func every(n int, from, s, value float64) []step {
	var list []step
	for i := range n {
		at := from + float64(i)*s
		list = append(list, step{at, at, value, meter.Good, 0})
	}
	return list
}

func TestQuality(t *testing.T) {
	good := verdict{quality: meter.Good}
	for name, c := range map[string]struct {
		quantity     meter.Quantity
		circumstance circumstance
		before       []step
		last         step
		want         verdict
	}{
		"first":             {meter.VoltageA, circumstance{}, nil, step{0, 0, 230.1, meter.Good, 0}, good},
		"frozen voltage":    {meter.VoltageA, circumstance{}, every(60, 0, 61, 230.1), step{3700, 3700, 230.1, meter.Good, 0}, verdict{meter.Uncertain, meter.Frozen, "in a single bit since 2023-11-14T22:13:20Z"}},
		"frozen float":      {meter.ActivePower, circumstance{}, every(60, 0, 61, 0.123456), step{3700, 3700, 0.123456, meter.Good, 0}, verdict{meter.Uncertain, meter.Frozen, "single bit"}},
		"not for long":      {meter.VoltageA, circumstance{}, every(60, 0, 1, 230.1), step{3500, 3500, 230.1, meter.Good, 0}, good},
		"few reads":         {meter.VoltageA, circumstance{}, every(10, 0, 900, 230.1), step{10000, 10000, 230.1, meter.Good, 0}, good},
		"moves again":       {meter.VoltageA, circumstance{}, every(60, 0, 100, 230.1), step{6100, 6100, 230.2, meter.Good, 0}, good},
		"coarse":            {meter.VoltageA, circumstance{}, every(60, 0, 100, 231), step{6100, 6100, 231, meter.Good, 0}, good},
		"nominal":           {meter.Frequency, circumstance{}, every(60, 0, 100, 50), step{6100, 6100, 50, meter.Good, 0}, good},
		"standby":           {meter.ActivePower, circumstance{}, every(60, 0, 100, 0.02), step{6100, 6100, 0.02, meter.Good, 0}, good},
		"no load":           {meter.CurrentA, circumstance{}, every(60, 0, 100, 0), step{6100, 6100, 0, meter.Good, 0}, good},
		"energy at rest":    {meter.ActiveEnergyImport, circumstance{}, every(60, 0, 100, 1234.567), step{6100, 6100, 1234.567, meter.Good, 0}, good},
		"fan":               {meter.FanRunning, circumstance{}, every(60, 0, 100, 1), step{6100, 6100, 1, meter.Good, 0}, good},
		"temperature":       {meter.TopOilTemperature, circumstance{}, every(60, 0, 100, 61.25), step{6100, 6100, 61.25, meter.Good, 0}, good},
		"frozen, uncertain": {meter.VoltageA, circumstance{}, every(60, 0, 61, 230.1), step{3700, 3700, 230.1, meter.Uncertain, meter.Substituted}, verdict{meter.Uncertain, meter.Frozen | meter.Substituted, ""}},

		"register rises":           {meter.ActiveEnergyImport, circumstance{}, every(2, 0, 1, 100), step{9, 9, 101, meter.Good, 0}, good},
		"register falls":           {meter.ActiveEnergyImport, circumstance{}, every(2, 0, 1, 100), step{9, 9, 5, meter.Good, 0}, verdict{meter.Uncertain, 0, "fell to 5"}},
		"register restarts":        {meter.ActiveEnergyImport, circumstance{rollover: 1e6}, every(2, 0, 1, 999_990), step{9, 9, 4, meter.Good, 0}, verdict{meter.Good, meter.Rollover, ""}},
		"far from its end":         {meter.ActiveEnergyImport, circumstance{rollover: 1e6}, every(2, 0, 1, 500_000), step{9, 9, 4, meter.Good, 0}, verdict{meter.Uncertain, 0, "reset or exchanged"}},
		"to the middle":            {meter.ActiveEnergyImport, circumstance{rollover: 1e6}, every(2, 0, 1, 999_990), step{9, 9, 400_000, meter.Good, 0}, verdict{meter.Uncertain, 0, "fell to"}},
		"rounding":                 {meter.ActiveEnergyImport, circumstance{}, every(2, 0, 1, 100_000.0078), step{9, 9, 100_000, meter.Good, 0}, good},
		"after the fall":           {meter.ActiveEnergyImport, circumstance{}, append(every(2, 0, 1, 100), step{2, 2, 5, meter.Good, 0}), step{3, 3, 5, meter.Good, 0}, good},
		"fall after outage":        {meter.ActiveEnergyImport, circumstance{}, append(every(2, 0, 1, 100), step{2, 2, math.NaN(), meter.Bad, meter.CommFailure}), step{3, 3, 5, meter.Good, 0}, verdict{meter.Uncertain, 0, "fell to 5"}},
		"late answer":              {meter.ActiveEnergyImport, circumstance{interval: time.Second}, every(2, 10, 1, 100), step{12, 5, 99, meter.Good, 0}, good},
		"power falls":              {meter.ActivePower, circumstance{}, every(2, 0, 1, 100), step{9, 9, 5, meter.Good, 0}, good},
		"bad is not judged":        {meter.ActiveEnergyImport, circumstance{}, every(2, 0, 1, 100), step{9, 9, 5, meter.Bad, meter.OutOfRange}, verdict{meter.Bad, meter.OutOfRange, ""}},
		"not-a-number":             {meter.ActivePower, circumstance{}, every(2, 0, 1, 100), step{9, 9, math.NaN(), meter.Good, 0}, good},
		"estimated":                {meter.ActivePower, circumstance{}, nil, step{9, 9, 5, meter.Good, meter.Estimated}, verdict{meter.Uncertain, meter.Estimated, "estimated"}},
		"estimated already":        {meter.ActivePower, circumstance{}, nil, step{9, 9, 5, meter.Uncertain, meter.Estimated}, verdict{meter.Uncertain, meter.Estimated, ""}},
		"ahead":                    {meter.ActivePower, circumstance{}, nil, step{0, 7, 5, meter.Good, 0}, verdict{meter.Uncertain, 0, "7s ahead"}},
		"ahead a little":           {meter.ActivePower, circumstance{}, nil, step{0, 4, 5, meter.Good, 0}, good},
		"stale":                    {meter.ActivePower, circumstance{interval: time.Second}, []step{{1, 0, 5, meter.Good, 0}}, step{40, 0, 5, meter.Good, 0}, verdict{meter.Uncertain, meter.Stale, "40s back"}},
		"stale from the beginning": {meter.VoltageA, circumstance{interval: time.Second}, nil, step{4000, 0, 5, meter.Good, 0}, verdict{meter.Uncertain, meter.Stale, "read it less often"}},
		"old, not that old":        {meter.ActivePower, circumstance{interval: 10 * time.Second}, []step{{1, 0, 5, meter.Good, 0}}, step{90, 0, 5, meter.Good, 0}, good},
		"old register":             {meter.ActiveEnergyExport, circumstance{interval: time.Second}, []step{{1, 0, 5, meter.Good, 0}}, step{4000, 0, 5, meter.Good, 0}, good},
		"old state":                {meter.Alarm, circumstance{interval: time.Second}, []step{{1, 0, 1, meter.Good, 0}}, step{4000, 0, 1, meter.Good, 0}, good},
		"old zero":                 {meter.ActivePower, circumstance{interval: time.Second}, []step{{1, 0, 0, meter.Good, 0}}, step{4000, 0, 0, meter.Good, 0}, good},
		"clock behind":             {meter.ActivePower, circumstance{interval: time.Second}, []step{{100, 0, 5, meter.Good, 0}}, step{101, 1, 5, meter.Good, 0}, verdict{meter.Uncertain, 0, "1m40s behind"}},
		"subscribed, late":         {meter.ActivePower, circumstance{}, []step{{100, 0, 5, meter.Good, 0}}, step{101, 1, 5, meter.Good, 0}, good},
		"clock shown wrong":        {meter.ActivePower, circumstance{offset: -90}, nil, step{100, 99, 5, meter.Good, 0}, verdict{meter.Uncertain, 0, "wrong by -90 s"}},
		"its time not used":        {meter.ActivePower, circumstance{offset: -90}, nil, step{100, 100, 5, meter.Good, 0}, good},
		"clock shown right":        {meter.ActivePower, circumstance{offset: 2}, nil, step{100, 99, 5, meter.Good, 0}, good},
	} {
		t.Run(name, func(t *testing.T) {
			var q Quality
			q.setDefaults()
			var p point
			c.circumstance.nature = natureOf(c.quantity)
			start := time.Unix(1_700_000_000, 0).UTC()
			var r meter.Reading
			for _, s := range append(c.before, c.last) {
				r = meter.Reading{
					Quantity: c.quantity, Value: s.value, Quality: s.quality, Flags: s.flags,
					EventTime: start.Add(time.Duration(s.dated * 1e9)), ReceiveTime: start.Add(time.Duration(s.at * 1e9)),
				}
				q.see(&p, &c.circumstance, &r)
			}
			if r.Quality != c.want.quality || r.Flags != c.want.flags || !strings.Contains(r.Detail, c.want.detail) || c.want.quality == meter.Good && r.Detail != "" {
				t.Errorf("got %v, %v, %q; want %v", r.Quality, r.Flags, r.Detail, c.want)
			}
			if r.Value != c.last.value && !math.IsNaN(c.last.value) {
				t.Errorf("the value became %v", r.Value)
			}
			if p.quality != r.Quality || p.flags != r.Flags || p.detail != r.Detail {
				t.Errorf("remembered %+v", p)
			}
		})
	}
}

// TestQualityRulesCanBeSwitchedOff gives negative limits.
func TestQualityRulesCanBeSwitchedOff(t *testing.T) {
	q := Quality{FrozenAfter: -1, StaleTurns: -1, ClockAhead: -1, ClockOffset: -1}
	q.setDefaults()
	start := time.Unix(1_700_000_000, 0).UTC()
	var p point
	c := circumstance{nature: varying, interval: time.Second, offset: 1e6}
	for i := range 100 {
		r := meter.Reading{Quantity: meter.VoltageA, Value: 230.1, Quality: meter.Good, EventTime: start, ReceiveTime: start.Add(time.Duration(i) * time.Hour)}
		if i == 99 {
			r.EventTime = r.ReceiveTime.Add(time.Hour)
		}
		if q.see(&p, &c, &r); r.Quality != meter.Good || r.Flags != 0 {
			t.Fatalf("reading %d: %+v", i, r)
		}
	}
}

func TestPointIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(point{}); n > 80 {
		t.Errorf("%d bytes are remembered of every point of every device", n)
	}
}

// TestLastingDoubtsCostNoWords holds the second and later readings of a
// doubted value to no allocation.
func TestLastingDoubtsCostNoWords(t *testing.T) {
	var q Quality
	q.setDefaults()
	start := time.Unix(1_700_000_000, 0).UTC()
	var p point
	c := circumstance{nature: varying, interval: time.Second}
	n := 0
	allocs := testing.AllocsPerRun(100, func() {
		at := start.Add(time.Duration(n) * time.Second)
		n++
		r := meter.Reading{Quantity: meter.VoltageA, Value: float64(n), Quality: meter.Good, EventTime: at.Add(time.Hour), ReceiveTime: at}
		if q.see(&p, &c, &r); r.Quality != meter.Uncertain || r.Detail == "" {
			t.Fatalf("%+v", r)
		}
	})
	if allocs != 0 {
		t.Errorf("%v allocations for each reading", allocs)
	}
}

// TestRolloverOfASecondaryRegister applies the ratio to the profile's point.
func TestRolloverOfASecondaryRegister(t *testing.T) {
	pr, err := profile.Parse("p.yaml", []byte(`
name: p
manufacturer: M
model: M
source: this test
status: simulated
protocol: modbus
modbus:
  points:
    - {quantity: active_energy_import, table: input, address: 0, encoding: uint32, scale: 0.1, rollover: 100000, side: secondary}
`))
	if err != nil {
		t.Fatal(err)
	}
	d := &device{dev: drivers.Device{ID: "d", Profile: pr, Interval: time.Second, Ratios: []drivers.Ratio{{Factor: 40}}}, catalogue: newCatalogue(pr)}
	d.points, d.readers = make([]point, 1), make([]reader, 1)
	var q Quality
	q.setDefaults()
	start := time.Unix(1_700_000_000, 0).UTC()
	for i, v := range []float64{3_999_900, 3_999_996, 8} {
		at := start.Add(time.Duration(i) * time.Second)
		list := []meter.Reading{{Quantity: meter.ActiveEnergyImport, Value: v, Quality: meter.Good, EventTime: at, ReceiveTime: at}}
		d.judge(&q, 0, list)
		if want := i == 2; list[0].Flags.Has(meter.Rollover) != want || list[0].Quality != meter.Good {
			t.Errorf("%v: %+v", v, list[0])
		}
	}
}
