package registry

import (
	"bytes"
	"slices"
	"testing"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/textfile"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

func TestEventSynonymsMeanOneCodeEach(t *testing.T) {
	for name, code := range eventSynonyms() {
		if name != plainName(name) || !slices.Contains(sdk.EventCodes(), code) {
			t.Errorf("synonym %q of %q", name, code)
		}
		if own, ok := eventOf(name); !ok || own != code {
			t.Errorf("%q is %q", name, own)
		}
	}
	for _, c := range sdk.EventCodes() {
		if got, ok := eventOf(string(c)); !ok || got != c {
			t.Errorf("%q is %q", c, got)
		}
	}
}

func FuzzMeterEvents(f *testing.F) {
	for _, s := range []string{
		"meter_id,time,code\nM1,2026-01-31T08:15:00+03:30,cover_opened\n", "meter_id,time,code\n", "",
		"code,meter_id,time\r\n\"Power, failure\",M1,2026-01-31T08:15:00Z\r\n", "meter_id,time,code\nM1,9999-99-99T99:99:99Z,\xff\n",
		"meter_id;time;code\nM1;2026-01-31T08:15:00Z;clock_set\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		l := newLoader("", nil, nil)
		at := slices.IndexFunc(l.tables(), func(t table) bool { return t.name == "meter_events.csv" })
		l.records.UsagePoints = []grid.UsagePoint{{MeterID: "M1"}}
		l.readLines(l.tables()[at], "meter_events.csv", textfile.NewLines("meter_events.csv", bytes.NewReader(data)))
		l.checkEvents()
		for i, e := range l.records.MeterEvents {
			if _, ok := eventOf(e.Code); !ok || e.MeterID == "" || e.Time.Year() < firstYear {
				t.Errorf("event %+v", e)
			}
			if i > 0 && l.records.MeterEvents[i-1].MeterID > e.MeterID {
				t.Error("events are out of order")
			}
		}
	})
}
