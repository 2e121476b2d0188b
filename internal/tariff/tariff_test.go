package tariff

import (
	"os"
	"testing"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
)

func shipped(t testing.TB) *Book {
	t.Helper()
	book, err := Load(os.DirFS("../../configs/tariffs"))
	if err != nil {
		t.Fatal(err)
	}
	return book
}

func day(t testing.TB, s string) curve.Date {
	t.Helper()
	d, err := curve.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestBills(t *testing.T) {
	book := shipped(t)
	for _, tc := range []struct {
		tariff string
		kwh    float64
		on     string
		want   string
	}{
		{"res_tiered", 0, "2026-11-01", "0.00"},
		{"res_tiered", 230, "2026-11-01", "123.74"},       // 230 x 0.538
		{"res_tiered", 231, "2026-11-01", "124.33"},       // + 0.588
		{"res_tiered", 1000, "2026-11-01", "726.50"},      // 123.74 + 99.96 + 502.80
		{"res_tou", 240, "2026-11-01", "108.32"},          // 240 x (14 x 0.568 + 10 x 0.288) / 24
		{"com_flat", 1000, "2026-11-01", "746.00"},        //
		{"com_flat", 1000, "2021-11-30", "902.00"},        // the table before
		{"com_flat", 1000, "2021-12-01", "746.00"},        // its first day
		{"qc_g", 20000, "2024-01-01", "2081.52"},          // 13.64799 + 1653.7131 + 414.1585 is 2081.5196
		{"gb_res_cap", 300, "2025-07-01", "92.60"},        // 15.411 + 77.19
		{"ind_two_part", 35000, "2026-11-01", "22120.00"}, // demand left out
	} {
		got, err := book.Bill(tc.tariff, tc.kwh, day(t, tc.on))
		if err != nil {
			t.Errorf("%s: %v", tc.tariff, err)
			continue
		}
		if got.String() != tc.want {
			t.Errorf("%s, %g kWh on %s: got %s, want %s", tc.tariff, tc.kwh, tc.on, got, tc.want)
		}
	}
}

func TestRecoverable(t *testing.T) {
	book := shipped(t)
	for _, tc := range []struct {
		name          string
		tariff        string
		category      grid.Category
		total, excess float64
		want          string
		clamped       bool
	}{
		{"right tariff", "com_flat", grid.Commercial, 35000, 33650, "0.00", false},
		{"small trade use in a dwelling", "res_tiered", grid.Residential, 200, 100, "20.80", false}, // 74.60 - 53.80
		{"mine in a dwelling, dear tier", "res_tiered", grid.Residential, 2000, 1500, "0.00", true},
		{"farm tariff", "agr_flat", grid.Agricultural, 3000, 2000, "474.00", false}, // 2000 x (0.746 - 0.509)
		{"shop on a farm tariff", "agr_flat", grid.Commercial, 3000, 0, "711.00", false},
		{"nothing beyond", "res_tiered", grid.Residential, 300, 0, "0.00", false},
		{"excess beyond the total", "pub_flat", grid.Public, 100, 500, "18.80", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := book.Recoverable(tc.tariff, tc.category, tc.total, tc.excess, day(t, "2026-11-01"))
			if err != nil {
				t.Fatal(err)
			}
			if got.Amount.String() != tc.want || got.Clamped != tc.clamped || got.Note == "" {
				t.Fatalf("got %s, clamped %v (%s), want %s, %v", got.Amount, got.Clamped, got.Note, tc.want, tc.clamped)
			}
		})
	}
}
