package curve

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func drawDay(t *rapid.T) *Day {
	perHour := rapid.SampledFrom([]int{1, 2, 4, 12}).Draw(t, "perHour")
	n := perHour * rapid.IntRange(23, 25).Draw(t, "hours")
	d := &Day{MeterID: "M1", Date: Date(rapid.IntRange(-1000, 40000).Draw(t, "date")), Interval: time.Hour / time.Duration(perHour),
		EnergyKWh: make([]float64, n), Quality: make([]meter.Quality, n)}
	d.Start = time.Unix(int64(d.Date)*86400+int64(rapid.IntRange(-50400, 50400).Draw(t, "offset")), 0).UTC()
	divisor := powersOfTen[rapid.IntRange(0, 6).Draw(t, "decimals")]
	wild := rapid.Bool().Draw(t, "wild")
	for i := range n {
		switch rapid.IntRange(0, 9).Draw(t, "kind") {
		case 0:
			d.EnergyKWh[i] = math.NaN()
		case 1:
			if wild {
				d.EnergyKWh[i] = rapid.Float64().Draw(t, "any") + 0 // no negative zero
				break
			}
			fallthrough
		default:
			d.EnergyKWh[i] = float64(rapid.Int64Range(-5, 1_000_000).Draw(t, "count")) / divisor
		}
		d.Quality[i] = meter.Quality(rapid.IntRange(0, 2).Draw(t, "quality"))
	}
	if rapid.Bool().Draw(t, "flags") {
		d.Flag(rapid.IntRange(0, n-1).Draw(t, "flagged"), meter.Estimated|meter.Implausible)
	}
	if rapid.Bool().Draw(t, "other") {
		column := make([]float32, n)
		for i := range column {
			column[i] = rapid.Float32Range(-1, 400).Draw(t, "volt") + 0
		}
		decimals := make([]float32, n)
		for i := range decimals {
			decimals[i] = float32(rapid.IntRange(0, 1000).Draw(t, "pf")) / 1000
		}
		d.Other = map[meter.Quantity][]float32{meter.VoltageA: column, meter.PowerFactor: decimals}
	}
	return d
}

// sameDay compares bit by bit, so that NaN equals NaN.
func sameDay(a, b *Day) bool {
	if len(a.EnergyKWh) != len(b.EnergyKWh) {
		return false
	}
	for i := range a.EnergyKWh {
		if x, y := a.EnergyKWh[i], b.EnergyKWh[i]; x != y && (x == x || y == y) {
			return false
		}
	}
	for q, column := range a.Other {
		for i := range column {
			if math.Float32bits(column[i]) != math.Float32bits(b.Other[q][i]) {
				return false
			}
		}
	}
	return a.MeterID == b.MeterID && a.Date == b.Date && a.Interval == b.Interval && a.Start.Equal(b.Start) && a.Open == b.Open &&
		len(a.Other) == len(b.Other) && reflect.DeepEqual(a.Quality, b.Quality) && reflect.DeepEqual(a.Flags, b.Flags)
}

func TestCodecGivesBackEveryDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDay(t)
		data := Encode([]byte("prefix"), d)
		var back Day
		if err := Decode(&back, d.MeterID, d.Date, bytes.TrimPrefix(data, []byte("prefix"))); err != nil {
			t.Fatal(err)
		}
		if !sameDay(d, &back) {
			t.Fatalf("stored %+v, got %+v", d, back)
		}
	})
}

func TestCodecIsCompact(t *testing.T) {
	d := dayOf(4, 24, func(int) float64 { return 0.4 })
	state := uint64(1)
	for i := range d.EnergyKWh { // a house between 0 and 1 kWh a quarter of an hour
		state = state*6364136223846793005 + 1442695040888963407
		d.EnergyKWh[i] = float64(50+state>>33%200) / 1000
	}
	size := len(Encode(nil, d)) + FeatureBytes
	if perPoint := float64(size) / 96; perPoint > 3 {
		t.Errorf("a day with features takes %.2f bytes a point, want at most 3", perPoint)
	}
}

func FuzzDecode(f *testing.F) {
	d := dayOf(4, 24, func(h int) float64 { return float64(h) })
	d.EnergyKWh[3] = math.NaN()
	d.Flag(3, meter.Missing)
	f.Add(Encode(nil, d))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		var day Day
		if err := Decode(&day, "M", 1, data); err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error %v is not ErrCorrupt", err)
			}
			return
		}
		var again Day
		if err := Decode(&again, "M", 1, Encode(nil, &day)); err != nil || !sameDay(&day, &again) {
			t.Fatalf("%+v did not come back: %+v, %v", day, again, err)
		}
	})
}

func TestFeaturesRoundTrip(t *testing.T) {
	var f, back Features
	for i := range f {
		f[i] = float32(i) / 3
	}
	f[5] = float32(math.NaN())
	DecodeFeatures(&back, AppendFeatures(nil, &f))
	for i := range f {
		if math.Float32bits(f[i]) != math.Float32bits(back[i]) {
			t.Errorf("feature %d: %v became %v", i, f[i], back[i])
		}
	}
	DecodeFeatures(&back, AppendFeatures(nil, &f)[:8])
	if back[1] != f[1] || back[2] == back[2] {
		t.Errorf("features of an older version read as %v", back)
	}
}
