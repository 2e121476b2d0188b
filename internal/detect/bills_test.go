package detect

import (
	"math"
	"os"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/tariff"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

func shippedTariffs(t testing.TB) *tariff.Book {
	t.Helper()
	book, err := tariff.Load(os.DirFS("../../configs/tariffs"))
	if err != nil {
		t.Fatal(err)
	}
	return book
}

// billed returns the attributes of one point on the tariff with this load over
// 60 days, the last of which is firstDay+59.
func billed(t testing.TB, tariffID string, features []sdk.Feature, power func(i int) float64) attributes {
	t.Helper()
	store := newMemory()
	days := span{firstDay, firstDay + 59}
	for d := days.first; d <= days.last; d++ {
		store.put(t, "M", d, time.UTC, power)
	}
	f, err := loadFrame(t.Context(), store, []string{"M"}, days, features)
	if err != nil {
		t.Fatal(err)
	}
	record := grid.UsagePoint{ID: "U", MeterID: "M", CustomerID: "C"}
	p := &point{id: "U", current: &record, tenures: []tenure{{span: days, record: &record}}}
	in := &Input{
		Network: grid.NewNetwork(grid.Records{Customers: []grid.Customer{{ID: "C", TariffID: tariffID}}}),
		Tariffs: shippedTariffs(t), First: days.first, Last: days.last,
	}
	a := attributes{make(map[string]float64), make(map[string]string)}
	a.bills(in, f, p)
	return a
}

// TestBills recomputes by hand what the tables of the demonstration cost.
func TestBills(t *testing.T) {
	kw := func(i int) float64 { // 2 kW from nine to five, 0.5 kW at other times: 24 kWh a day, 720 a month
		if i >= 36 && i < 68 {
			return 2
		}
		return 0.5
	}
	for _, tc := range []struct {
		tariff string
		want   map[string]float64
	}{
		{"res_tiered", map[string]float64{
			sdk.AttrBillBilled:      230*0.538 + 170*0.588 + 320*0.838,
			sdk.AttrBillCommercial:  720 * 0.746,
			sdk.AttrBillIndustrial:  720*0.632 + 2/0.95*30,
			sdk.AttrBillAgriculture: 720 * 0.509,
		}},
		{"com_tou", map[string]float64{
			sdk.AttrBillBilled:      30 * (1.25*1 + 0.97*(0.5+2*2+2*4+2*0.5+0.5) + 0.42*(2*2+10*0.5)), // sharp 19-21; peak 8-11, 13-19, 21-22; valley
			sdk.AttrBillResidential: 230*0.538 + 170*0.588 + 320*0.838, sdk.AttrBillIndustrial: 720*0.632 + 2/0.95*30, sdk.AttrBillAgriculture: 720 * 0.509,
		}},
		{"gb_res_cap", nil}, // no table in force on that day
		{"nowhere", nil},
	} {
		a := billed(t, tc.tariff, nil, kw)
		for _, name := range []string{sdk.AttrBillBilled, sdk.AttrBillResidential, sdk.AttrBillCommercial, sdk.AttrBillIndustrial, sdk.AttrBillAgriculture} {
			got, there := a.numbers[name]
			if want, wanted := tc.want[name]; there != wanted || math.Abs(got-want) > 0.01 {
				t.Errorf("%s: %s is %.4f (%v), want %.4f (%v)", tc.tariff, name, got, there, want, wanted)
			}
		}
		if tc.want != nil && a.texts[sdk.AttrCurrency] != "CNY" {
			t.Errorf("%s: currency %q", tc.tariff, a.texts[sdk.AttrCurrency])
		}
	}
}

func TestBillsNeedTheDaysParts(t *testing.T) {
	some := []sdk.Feature{sdk.EnergyKWh, sdk.NightKW, sdk.GoodShare, sdk.EstimatedShare}
	if a := billed(t, "res_tiered", some, func(int) float64 { return 1 }); len(a.numbers) != 0 {
		t.Errorf("bills without the load of the day's parts: %v", a.numbers)
	}
	if a := billed(t, "res_tiered", nil, func(int) float64 { return math.NaN() }); len(a.numbers) != 0 {
		t.Errorf("bills where nothing was measured: %v", a.numbers)
	}
}

// BenchmarkBills is the cost of the bills of one usage point over 60 days.
func BenchmarkBills(b *testing.B) {
	store := newMemory()
	days := span{firstDay, firstDay + 59}
	for d := days.first; d <= days.last; d++ {
		store.put(b, "M", d, time.UTC, func(i int) float64 { return 0.3 + float64(i%7)/10 })
	}
	f, err := loadFrame(b.Context(), store, []string{"M"}, days, nil)
	if err != nil {
		b.Fatal(err)
	}
	record := grid.UsagePoint{ID: "U", MeterID: "M", CustomerID: "C"}
	p := &point{id: "U", current: &record, tenures: []tenure{{span: days, record: &record}}}
	in := &Input{
		Network: grid.NewNetwork(grid.Records{Customers: []grid.Customer{{ID: "C", TariffID: "res_tou"}}}),
		Tariffs: shippedTariffs(b), First: days.first, Last: days.last,
	}
	for b.Loop() {
		a := attributes{make(map[string]float64), make(map[string]string)}
		a.bills(in, f, p)
	}
}
