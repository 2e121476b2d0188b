package sim

import (
	"math"
	"strings"
	"testing"
)

const twoHouses = "meter_id,date,p1,p2,p3,p4,p5,p6,p7,p8,p9,p10,p11,p12,p13,p14,p15,p16,p17,p18,p19,p20,p21,p22,p23,p24\n" +
	"a,2026-01-01,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1\n" +
	"a,2026-01-02,,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1\n" +
	"b,2026-01-01,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,12,0,0,0,0,0\n"

func TestMeasure(t *testing.T) {
	m, err := measure("x.csv", strings.NewReader(twoHouses))
	if err != nil {
		t.Fatal(err)
	}
	if m.Households != 2 || m.Days != 2 {
		t.Errorf("%d households, %d days", m.Households, m.Days)
	}
	if m.Profile[0] != .5 || m.Profile[18] != 6.5 || m.ADMDKW != 6.5 {
		t.Errorf("profile %v, ADMD %v", m.Profile, m.ADMDKW)
	}
	if m.MeanKWh[0] != 12 || m.MeanKWh[6] != 24 || math.Abs(m.HouseLF.P95-1) > 1e-9 || math.Abs(m.GroupLF-36./24/13) > 1e-9 {
		t.Errorf("%+v", m)
	}
	var b strings.Builder
	if err := (&Stats{KindDailyKWh: map[string]Spread{"shop": {1, 2, 3}}}).Print(&b, m); err != nil || !strings.Contains(b.String(), "6.50  0.8 … 2.5") {
		t.Errorf("%v:\n%s", err, b.String())
	}
}

func TestMeasureRefuses(t *testing.T) {
	head := strings.SplitAfter(twoHouses, "\n")[0]
	for _, tc := range []struct{ name, data, want string }{
		{"empty", "", "x.csv:1: "},
		{"columns", "meter_id,date,p1,p2\n", "x.csv:1: 2 columns"},
		{"date", head + strings.Replace(strings.SplitAfter(twoHouses, "\n")[1], "2026-01-01", "1.1.26", 1), "x.csv:2: \"1.1.26\" is not a date"},
		{"number", head + strings.Replace(strings.SplitAfter(twoHouses, "\n")[1], ",1,", ",one,", 1), "x.csv:2: \"one\" is not an energy"},
		{"negative", head + strings.Replace(strings.SplitAfter(twoHouses, "\n")[1], ",1,", ",-1,", 1), "x.csv:2: \"-1\" is not an energy"},
		{"no day", head, "no complete day"},
		{"ragged", head + "a,2026-01-01,1\n", "x.csv: record on line 2"},
	} {
		if _, err := measure("x.csv", strings.NewReader(tc.data)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v; want %q in it", tc.name, err, tc.want)
		}
	}
	if _, err := MeasureFile("nowhere.csv"); err == nil {
		t.Error("a missing file is measured")
	}
}

func FuzzMeasure(f *testing.F) {
	f.Add([]byte(twoHouses))
	f.Add([]byte("meter_id,date\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := measure("f.csv", strings.NewReader(string(data)))
		if err == nil && (m.Days < 1 || m.Households < 1 || !(m.DailyKWh[0] >= 0)) {
			t.Fatalf("%+v", m)
		}
	})
}
