package historian

import (
	"context"
	"math"
	"os"
	"strings"
	"testing"

	protocol "github.com/influxdata/line-protocol"
	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// TestEveryFieldHasTheTypeOfItsName renders all manner of readings and has
// another parser say of which types the fields are.
func TestEveryFieldHasTheTypeOfItsName(t *testing.T) {
	quantities := append(meter.Quantities(), "harmonic_5", "x")
	known := make(map[string]FieldType)
	for _, f := range Schema() {
		known[f.Name] = f.Type
	}
	rapid.Check(t, func(t *rapid.T) {
		r := meter.Reading{
			DeviceID: "d", MeterID: "m", Quantity: rapid.SampledFrom(quantities).Draw(t, "quantity"),
			EventTime: base(), ReceiveTime: base(), Raw: rapid.SliceOfN(rapid.Byte(), 0, 8).Draw(t, "raw"),
			Value: rapid.OneOf(
				rapid.Float64(), rapid.Just(math.NaN()), rapid.Just(math.Inf(-1)),
				rapid.Map(rapid.Int16(), func(v int16) float64 { return float64(v) }),     // a register of 16 bits
				rapid.Map(rapid.Uint32(), func(v uint32) float64 { return float64(v) }),   // a counter
				rapid.Map(rapid.Float32(), func(v float32) float64 { return float64(v) }), // a float
				rapid.Map(rapid.Int32(), func(v int32) float64 { return float64(v) / 1000 }),
			).Draw(t, "value"),
			Quality: rapid.SampledFrom([]meter.Quality{meter.Bad, meter.Uncertain, meter.Good}).Draw(t, "quality"),
			Flags:   meter.Flags(rapid.Uint16().Draw(t, "flags")), Detail: rapid.StringMatching(`[ -~]{0,9}`).Draw(t, "detail"),
		}
		lines, _, _ := rendered([]meter.Reading{r})
		parsed, err := protocol.NewParser(protocol.NewMetricHandler()).Parse([]byte(lines[0]))
		if err != nil || len(parsed) != 1 {
			t.Fatalf("%q: %v", lines[0], err)
		}
		for _, field := range parsed[0].FieldList() {
			if got := kind(field.Value); got != string(TypeOf(field.Key)) {
				t.Fatalf("%s is %s, want %s, in %q", field.Key, got, TypeOf(field.Key), lines[0])
			}
			if want, ok := known[field.Key]; r.Quantity.Valid() && (!ok || want != TypeOf(field.Key)) {
				t.Fatalf("%s is not in the schema", field.Key)
			}
			if field.Key != fieldReceived && !hasField(&r, field.Key) {
				t.Fatalf("%s was not expected in %q", field.Key, lines[0])
			}
			if field.Key == string(r.Quantity) && math.Float64bits(field.Value.(float64)) != math.Float64bits(r.Value) {
				t.Fatalf("%v became %v", r.Value, field.Value)
			}
		}
	})
}

// TestRegisterTypesCannotConflict stores what a device with 16-bit registers,
// one with floats and one with counters say of the same quantities in a real
// engine, in both orders.
func TestRegisterTypesCannotConflict(t *testing.T) {
	c, db := shared(t)
	h := historian(t, Config{URL: c.URL(), Bucket: db, Rejected: func(_ context.Context, rs []meter.Reading, why error) error {
		t.Errorf("%d readings refused: %v", len(rs), why)
		return nil
	}})
	reading := func(device string, q meter.Quantity, v float64, quality meter.Quality) meter.Reading {
		return meter.Reading{DeviceID: device, MeterID: device, Quantity: q, Value: v, EventTime: base(), ReceiveTime: base(), Quality: quality, Raw: []byte{1}}
	}
	for _, q := range meter.Quantities() {
		in := []meter.Reading{
			reading("words", q, 230, meter.Good), reading("floats", q, 230.10000610351562, meter.Good),
			reading("counters", q, 4294967295, meter.Good), reading("strange", q, 1e300, meter.Uncertain),
			reading("broken", q, -7, meter.Bad), reading("tiny", q, 5e-324, meter.Good), reading("zero", q, 0, meter.Good),
		}
		write(t, h, in)
		for i := range in {
			in[len(in)-1-i].EventTime = base().Add(1e9)
		}
		write(t, h, in)
	}
	got := ask(t, c, "/query?db="+db, "q=SHOW FIELD KEYS")
	for _, f := range Schema() {
		if strings.HasSuffix(f.Name, suffixFlags) || strings.HasSuffix(f.Name, suffixDetail) {
			continue // none of the above has any
		}
		if want := `["` + f.Name + `","` + string(f.Type) + `"]`; !strings.Contains(got, want) {
			t.Errorf("%s is not in the engine's fields", want)
		}
	}
}

// TestSchemaIsDocumented holds the operators' page against the code.
func TestSchemaIsDocumented(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"`" + measurement + "`", "`" + tagMeter + "`", "`" + tagDevice + "`", "`" + fieldReceived + "`",
		"`QUANTITY" + suffixQuality + "` | integer", "`QUANTITY" + suffixFlags + "` | integer",
		"`QUANTITY" + suffixRejected + "` | float", "`QUANTITY" + suffixRaw + "` | string", "`QUANTITY" + suffixDetail + "` | string",
		"`QUANTITY` | float",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("README.md does not have %s", want)
		}
	}
}
