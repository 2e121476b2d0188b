package tariff

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
)

func TestMoney(t *testing.T) {
	for _, tc := range []struct {
		units int64
		want  string
	}{{0, "0.00"}, {-49, "0.00"}, {-50, "-0.01"}, {50, "0.01"}, {49, "0.00"}, {12345678, "1234.57"}, {-12345678, "-1234.57"}} {
		if got := NewMoney(tc.units, "CNY").String(); got != tc.want {
			t.Errorf("%d ten-thousandths read %s, want %s", tc.units, got, tc.want)
		}
	}
	if _, err := NewMoney(1, "CNY").Add(NewMoney(1, "GBP")); err == nil {
		t.Error("yuan and pounds were added")
	}
	if _, err := NewMoney(1, "CNY").Sub(NewMoney(1, "GBP")); err == nil {
		t.Error("pounds were taken from yuan")
	}
	for name, sum := range map[string]func() (Money, error){
		"too much":   func() (Money, error) { return NewMoney(math.MaxInt64, "CNY").Add(NewMoney(1, "CNY")) },
		"too little": func() (Money, error) { return NewMoney(math.MinInt64, "CNY").Add(NewMoney(-1, "CNY")) },
		"least":      func() (Money, error) { return NewMoney(0, "CNY").Sub(NewMoney(math.MinInt64, "CNY")) },
	} {
		if m, err := sum(); err == nil {
			t.Errorf("%s: %s came out", name, m)
		}
	}
	if m, err := (Money{}).Add(NewMoney(5, "CNY")); err != nil || m != NewMoney(5, "CNY") {
		t.Errorf("zero of no currency and 0.0005 CNY make %v, %v", m, err)
	}
}

func TestMoneyRoundsHalfAwayFromZero(t *testing.T) {
	for in, want := range map[string]int64{"0.00004": 0, "0.00005": 1, "0.000149": 1, "-0.00005": -1, "-0.00004": 0, "1.00005": 10001} {
		exact, ok := new(big.Rat).SetString(in)
		if !ok {
			t.Fatal(in)
		}
		if got, err := roundMoney(exact, "CNY"); err != nil || got.Units() != want {
			t.Errorf("%s rounds to %d, %v, want %d", in, got.Units(), err, want)
		}
	}
}

func TestMoneyJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewMoney(rapid.Int64Range(-9e15, 9e15).Draw(t, "units"), rapid.SampledFrom([]string{"", "CNY", "GBP"}).Draw(t, "currency"))
		text, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var back Money
		if err := json.Unmarshal(text, &back); err != nil || back != m {
			t.Fatalf("%s came back as %v, %v", text, back, err)
		}
	})
	for _, bad := range []string{`7`, `{"amount":"x"}`, `{"amount":""}`, `{"amount":"1e9"}`} {
		var m Money
		if err := json.Unmarshal([]byte(bad), &m); err == nil {
			t.Errorf("%s was read as %s", bad, m)
		}
	}
}

// More energy never costs less, a bill is the sum of its parts, and nothing
// recoverable is negative or beyond the alternative bill.
func TestBillsHoldTogether(t *testing.T) {
	book := shipped(t)
	day := day(t, "2025-08-01")
	rapid.Check(t, func(t *rapid.T) {
		id := rapid.SampledFrom(book.IDs()).Draw(t, "tariff")
		a := rapid.Float64Range(0, 1e6).Draw(t, "kWh")
		b := rapid.Float64Range(0, 1e6).Draw(t, "more kWh")
		demand := rapid.Float64Range(0, 1000).Draw(t, "demand")
		one, err := book.BillUse(id, Use{KWh: a, Demand: demand}, day)
		if err != nil {
			t.Fatal(err)
		}
		two, err := book.BillUse(id, Use{KWh: a + b, Demand: demand}, day)
		if err != nil {
			t.Fatal(err)
		}
		if two.Total.Units() < one.Total.Units() {
			t.Fatalf("%s: %g kWh cost %s, %g kWh only %s", id, a, one.Total, a+b, two.Total)
		}
		if one.Total.Units() != one.Energy.Units()+one.Fixed.Units()+one.Demand.Units() {
			t.Fatalf("%s: %+v does not add up", id, one)
		}
		r, err := book.Recoverable(id, rapid.SampledFrom([]grid.Category{grid.Residential, grid.Commercial, grid.Agricultural}).Draw(t, "category"), a, b, day)
		if err != nil {
			t.Fatal(err)
		}
		if r.Amount.Sign() < 0 || r.Amount.Units() > r.Alternative.Units() || r.Clamped != (r.Billed.Units() > r.Alternative.Units()) {
			t.Fatalf("%s: %+v", id, r)
		}
		if r.Clamped && !strings.Contains(r.Note, "the difference is zero") {
			t.Fatalf("clamped without saying so: %q", r.Note)
		}
	})
}

func TestTimeOfUseFollowsTheHours(t *testing.T) {
	book := shipped(t)
	var night [24]float64
	night[23], night[3] = 2, 2
	bill, err := book.BillUse("res_tou", Use{KWh: 100, ByHour: &night}, day(t, "2026-11-01"))
	if err != nil || bill.Total.String() != "28.80" || len(bill.Notes) != 0 {
		t.Errorf("a night load costs %+v, %v", bill, err)
	}
	if bill, err = book.BillUse("res_tou", Use{KWh: 100}, day(t, "2026-11-01")); err != nil || len(bill.Notes) != 1 {
		t.Errorf("an assumed load shape is not said: %+v, %v", bill, err)
	}
	if bill, err = book.BillUse("res_tou", Use{KWh: 100, ByHour: &[24]float64{}}, day(t, "2026-11-01")); err != nil || bill.Total.String() != "45.13" {
		t.Errorf("no load in any hour: %+v, %v", bill, err)
	}
}

func TestDemandCharge(t *testing.T) {
	book := shipped(t)
	for _, tc := range []struct {
		tariff string
		demand float64
		want   string
		notes  int
	}{
		{"ind_two_part", 100, "3000.00", 0},
		{"ind_two_part", 0, "0.00", 1},
		{"qc_g", 50, "0.00", 0}, // the first 50 kW are free
		{"qc_g", 60, "195.26", 0},
	} {
		bill, err := book.BillUse(tc.tariff, Use{KWh: 1000, Demand: tc.demand}, day(t, "2025-08-01"))
		if err != nil || bill.Demand.String() != tc.want || len(bill.Notes) != tc.notes {
			t.Errorf("%s at %g: %+v, %v", tc.tariff, tc.demand, bill, err)
		}
	}
}

func TestUnbilledEnergyIsWorthWhatItWouldHaveCost(t *testing.T) {
	book := shipped(t)
	m, err := book.Unbilled("res_tiered", 200, 100, day(t, "2026-11-01")) // 30 at 0.538, 70 at 0.588
	if err != nil || m.String() != "57.30" {
		t.Errorf("got %s, %v", m, err)
	}
}

func TestWhatCannotBeBilled(t *testing.T) {
	book := shipped(t)
	on := day(t, "2026-11-01")
	for name, tc := range map[string]struct {
		err  error
		want string
		is   error
	}{
		"unknown tariff": {second(book.Bill("no_such", 1, on)), `tariff "no_such": no such tariff`, ErrUnknownTariff},
		"before it":      {second(book.Bill("res_tiered", 1, day(t, "2000-01-01"))), "no table in force", ErrNoTable},
		"after it":       {second(book.Bill("gb_res_cap", 1, on)), "add the dated table to gb.yaml", ErrNoTable},
		"negative":       {second(book.Bill("res_tiered", -1, on)), "energy of -1 cannot be billed", nil},
		"not a number":   {second(book.Bill("res_tiered", math.NaN(), on)), "energy of NaN cannot be billed", nil},
		"infinite":       {second(book.Bill("res_tiered", math.Inf(1), on)), "energy of +Inf cannot be billed", nil},
		"no demand":      {secondBill(book, Use{KWh: 1, Demand: math.NaN()}, on), "demand of NaN cannot be billed", nil},
		"unknown energy": {secondRecovery(book, math.NaN(), 1, on), "the energy is not known", nil},
		"unknown excess": {secondRecovery(book, 1, math.NaN(), on), "the energy is not known", nil},
	} {
		if tc.err == nil || !strings.Contains(tc.err.Error(), tc.want) || (tc.is != nil && !errors.Is(tc.err, tc.is)) {
			t.Errorf("%s: %v, want %q", name, tc.err, tc.want)
		}
	}
}

func second(_ Money, err error) error { return err }

func secondBill(b *Book, u Use, on curve.Date) error {
	_, err := b.BillUse("ind_two_part", u, on)
	return err
}

func secondRecovery(b *Book, total, excess float64, on curve.Date) error {
	_, err := b.Recoverable("res_tiered", grid.Residential, total, excess, on)
	return err
}
