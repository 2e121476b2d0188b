package tariff

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// Recovery compares what a use is billed with what it would be billed under
// the tariff that it belongs on, over 30 days.
type Recovery struct {
	Amount      Money  // max(0, Alternative - Billed)
	Billed      Money  // the use's share of the bill as it is
	Alternative Money  // the same use under AlternativeID
	AlternateID string // "" where the tariff is in order
	Clamped     bool   // the billed table is the dearer one, so that the difference is zero
	Note        string // the result in words
}

// Recoverable returns what is short per 30 days because a trade use of
// excessKWhMonth within totalKWhMonth is billed under tariffID. For a customer
// whose category is trade (commercial or industrial) the whole consumption is
// on the wrong table, for others only the excess. It is zero where the tariff
// has no alternative, and never negative: residential tiers can cost more than
// the commercial price, and Clamped then says so.
func (b *Book) Recoverable(tariffID string, category grid.Category, totalKWhMonth, excessKWhMonth float64, day curve.Date) (Recovery, error) {
	t, _, err := b.find(tariffID, day)
	if err != nil {
		return Recovery{}, err
	}
	if math.IsNaN(totalKWhMonth) || math.IsNaN(excessKWhMonth) {
		return Recovery{}, fmt.Errorf("tariff %q: the energy is not known, so that nothing can be compared", tariffID)
	}
	excess := min(max(excessKWhMonth, 0), totalKWhMonth)
	if category == grid.Commercial || category == grid.Industrial {
		excess = totalKWhMonth
	}
	if t.Alternative == "" || excess <= 0 {
		zero := NewMoney(0, t.Currency)
		note := "0, the tariff is in order"
		if t.Alternative != "" {
			note = "0, no use beyond the declared one"
		}
		return Recovery{Amount: zero, Billed: zero, Alternative: zero, Note: note}, nil
	}
	r := Recovery{AlternateID: t.Alternative}
	if r.Billed, err = b.share(tariffID, totalKWhMonth, excess, day); err != nil {
		return Recovery{}, err
	}
	if r.Alternative, err = b.Bill(t.Alternative, excess, day); err != nil {
		return Recovery{}, err
	}
	if r.Amount, err = r.Alternative.Sub(r.Billed); err != nil {
		return Recovery{}, err
	}
	r.Note = fmt.Sprintf("%.0f kWh cost %s %s as billed and %s under %s", excess, r.Billed, t.Currency, r.Alternative, t.Alternative)
	if r.Amount.Sign() < 0 {
		r.Amount, r.Clamped = NewMoney(0, t.Currency), true
		r.Note += "; the billed table is the dearer one, the difference is zero"
	}
	return r, nil
}

// Unbilled returns the value per 30 days of energy that was used beside the
// registered one: what the bill would have been more.
func (b *Book) Unbilled(tariffID string, registeredKWhMonth, unbilledKWhMonth float64, day curve.Date) (Money, error) {
	return b.share(tariffID, registeredKWhMonth+max(unbilledKWhMonth, 0), max(unbilledKWhMonth, 0), day)
}

// share is what the last part kWh of a total cost.
func (b *Book) share(tariffID string, total, part float64, day curve.Date) (Money, error) {
	all, err := b.Bill(tariffID, total, day)
	if err != nil {
		return Money{}, err
	}
	rest, err := b.Bill(tariffID, max(total-part, 0), day)
	if err != nil {
		return Money{}, err
	}
	return all.Sub(rest)
}
