package energybalance

import (
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk/balance"
)

// A member's own departures speak for it where about as much goes missing as
// should, against it where none does, and for nobody where far more does.
func TestASlopeMustFit(t *testing.T) {
	const expected, spread = 0.9, 0.3
	at := func(slope float64) float64 {
		return follows(balance.Estimate{Size: slope, Err: 0.05}, expected, expected, spread)
	}
	if got := at(expected); got < 3 {
		t.Errorf("the expected slope is worth %.2f log-odds", got)
	}
	if got := at(0); got > -3 {
		t.Errorf("no slope is worth %.2f log-odds", got)
	}
	for _, slope := range []float64{2 * expected, 5 * expected} {
		if got := at(slope); got != 0 {
			t.Errorf("a slope of %.1f is worth %.2f log-odds; it fits nobody", slope, got)
		}
	}
	if a, b, c := at(0.8*expected), at(expected), at(1.2*expected); a >= b || c >= b || c <= 0 {
		t.Errorf("around the expected slope: %.2f, %.2f, %.2f", a, b, c)
	}
}
