package historian

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// rendered is render in full form, line by line.
func rendered(readings []meter.Reading) (lines []string, unfit []meter.Reading, reason error) {
	var all text
	form{strings: true, received: true}.render(&all, readings)
	for i := range all.lines {
		lines = append(lines, all.of(all.lines[i:i+1]))
	}
	return lines, all.unfit, all.reason
}

func TestLines(t *testing.T) {
	at := time.Unix(0, 1_700_000_000_000_000_001).UTC()
	reading := func(q meter.Quantity, v float64, quality meter.Quality) meter.Reading {
		return meter.Reading{DeviceID: "d 1", MeterID: "m,1=a", Quantity: q, Value: v, EventTime: at, ReceiveTime: at.Add(1), Quality: quality}
	}
	with := func(r meter.Reading, change func(*meter.Reading)) meter.Reading { change(&r); return r }
	const tags = `meter,device_id=d\ 1,meter_id=m\,1\=a `
	const end = `,received=1700000000000000002i 1700000000000000001` + "\n"
	for name, tc := range map[string]struct {
		in   []meter.Reading
		want []string
	}{
		"one moment, one line": {
			[]meter.Reading{reading("active_power", 1.5, meter.Good), reading("voltage_a", 230, meter.Good)},
			[]string{tags + "active_power=1.5,voltage_a=230" + end},
		},
		"the smallest and the largest": {
			[]meter.Reading{reading("a", 5e-324, meter.Good), reading("b", -math.MaxFloat64, meter.Good), reading("c", math.Copysign(0, -1), meter.Good)},
			[]string{tags + "a=5e-324,b=-1.7976931348623157e+308,c=-0" + end},
		},
		"uncertain": {
			[]meter.Reading{with(reading("active_power", 2, meter.Uncertain), func(r *meter.Reading) { r.Flags = meter.Stale; r.Raw = []byte{0xab, 1} })},
			[]string{tags + `active_power=2,active_power.flags=1i,active_power.quality=1i,active_power.raw="ab01"` + end},
		},
		"nothing obtained is no zero": {
			[]meter.Reading{with(reading("active_power", math.NaN(), meter.Bad), func(r *meter.Reading) { r.Flags = meter.CommFailure; r.Detail = "a \"b\"\nc\\" })},
			[]string{tags + `active_power.flags=128i,active_power.quality=0i,active_power.detail="a \"b\" c\\"` + end},
		},
		"a bad value is kept apart": {
			[]meter.Reading{reading("active_power", -7, meter.Bad)},
			[]string{tags + `active_power.rejected=-7,active_power.quality=0i` + end},
		},
		"good without a number is bad": {
			[]meter.Reading{reading("active_power", math.Inf(1), meter.Good)},
			[]string{tags + `active_power.quality=0i` + end},
		},
		"another device, another line": {
			[]meter.Reading{reading("a", 1, meter.Good), with(reading("b", 2, meter.Good), func(r *meter.Reading) { r.DeviceID = "" })},
			[]string{tags + "a=1" + end, `meter,meter_id=m\,1\=a b=2` + end},
		},
		"the same quantity again, another line": {
			[]meter.Reading{reading("a", 1, meter.Good), reading("a", 2, meter.Good)},
			[]string{tags + "a=1" + end, tags + "a=2" + end},
		},
		"no receive time": {
			[]meter.Reading{with(reading("a", 1, meter.Good), func(r *meter.Reading) { r.ReceiveTime = time.Time{} })},
			[]string{tags + "a=1 1700000000000000001\n"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, unfit, reason := rendered(tc.in)
			if len(unfit) > 0 {
				t.Fatalf("unfit: %v", reason)
			}
			if strings.Join(got, "") != strings.Join(tc.want, "") || len(got) != len(tc.want) {
				t.Errorf("got\n%swant\n%s", strings.Join(got, ""), strings.Join(tc.want, ""))
			}
		})
	}
}

func TestUnstorable(t *testing.T) {
	good := meter.Reading{DeviceID: "d", MeterID: "m", Quantity: "active_power", EventTime: base()}
	for name, tc := range map[string]struct {
		change func(*meter.Reading)
		want   string
	}{
		"control character": {func(r *meter.Reading) { r.MeterID = "m\n1" }, "control character"},
		"backslash":         {func(r *meter.Reading) { r.DeviceID = `d\` }, "backslash"},
		"not UTF-8":         {func(r *meter.Reading) { r.MeterID = "m\xff" }, "not UTF-8"},
		"long":              {func(r *meter.Reading) { r.MeterID = strings.Repeat("m", 300) }, "has 300 bytes"},
		"quantity":          {func(r *meter.Reading) { r.Quantity = "Active Power" }, "mend its profile"},
		"no quantity":       {func(r *meter.Reading) { r.Quantity = "" }, "known quantities"},
		"no time":           {func(r *meter.Reading) { r.EventTime = time.Time{} }, "set the device's clock"},
	} {
		t.Run(name, func(t *testing.T) {
			r := good
			tc.change(&r)
			lines, unfit, reason := rendered([]meter.Reading{good, r, good})
			if len(lines) != 2 || len(unfit) != 1 || reason == nil || !strings.Contains(reason.Error(), tc.want) {
				t.Errorf("%d lines, %d unfit, reason %v", len(lines), len(unfit), reason)
			}
		})
	}
}

// TestEveryReadingOnItsOwnLine checks that no content, however strange, can
// break out of its line.
func TestEveryReadingOnItsOwnLine(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := meter.Reading{
			DeviceID: rapid.String().Draw(t, "device"), MeterID: rapid.String().Draw(t, "meter"),
			Quantity: meter.ActivePower, Value: rapid.Float64().Draw(t, "value"),
			EventTime: base(), Detail: rapid.String().Draw(t, "detail"),
			Quality: rapid.SampledFrom([]meter.Quality{meter.Bad, meter.Uncertain, meter.Good}).Draw(t, "quality"),
		}
		lines, unfit, _ := rendered([]meter.Reading{r})
		if len(lines)+len(unfit) != 1 {
			t.Fatalf("%d lines and %d unfit of one reading", len(lines), len(unfit))
		}
		for _, l := range lines {
			if n := strings.Count(l, "\n"); n != 1 {
				t.Fatalf("%d line ends in %q", n, l)
			}
		}
	})
}
