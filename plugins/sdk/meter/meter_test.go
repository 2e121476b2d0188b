package meter

import "testing"

func TestEveryQuantityHasAUnitAndStandsOnce(t *testing.T) {
	seen := make(map[Quantity]bool)
	for _, q := range Quantities() {
		if seen[q] || !q.Valid() || q.Unit() == "" {
			t.Errorf("%s: twice, or without a unit", q)
		}
		seen[q] = true
		if energy := q.Unit() == KilowattHour || q.Unit() == KilovarHour; energy != q.Cumulative() {
			t.Errorf("%s in %s: cumulative %v", q, q.Unit(), q.Cumulative())
		}
	}
	if Quantity("colour").Valid() {
		t.Error("an unknown quantity is valid")
	}
}

// What nobody vouched for must never pass for good, nor must a combination be
// better than its worst part.
func TestQualityIsBadByDefaultAndOrdered(t *testing.T) {
	var r Reading
	if r.Quality != Bad || min(Good, Uncertain) != Uncertain || min(Uncertain, Bad) != Bad {
		t.Error("qualities are not ordered from bad to good")
	}
	if got := Good.String() + Uncertain.String() + Bad.String() + Quality(9).String(); got != "gooduncertainbadbad" {
		t.Errorf("names %s", got)
	}
}

func TestFlagsAreNamedEach(t *testing.T) {
	all := Flags(0)
	for i := range flagNames {
		all |= 1 << i
	}
	if !all.Has(Implausible) || all&^(Implausible<<1-1) != 0 {
		t.Error("names and flags do not go together")
	}
	if got := (Estimated | Rollover).String(); got != "estimated;rollover" {
		t.Errorf("got %s", got)
	}
}
