package sim

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/internal/curve"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// date parses a test's date.
func date(t testing.TB, s string) curve.Date {
	t.Helper()
	d, err := curve.ParseDate(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// district builds a test's district.
func district(t testing.TB, seed int64, until string, days int) *District {
	t.Helper()
	d, err := New(Config{Seed: seed, Until: date(t, until), Days: days})
	if err != nil {
		t.Fatal(err)
	}
	return d
}
