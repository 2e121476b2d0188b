package tariff

import (
	"errors"
	"fmt"
	"sort"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// Errors that callers decide on.
var (
	ErrUnknownTariff = errors.New("no such tariff in the tariff files")
	ErrNoTable       = errors.New("no table in force on that day")
)

// Book is every tariff of an installation. It does not change after Load and
// is safe for concurrent use. A nil Book knows no tariff.
type Book struct {
	tariffs map[string]*Tariff
	usual   map[usualKey]*Tariff
}

// usualKey says of whom a tariff is the usual one: nobody is compared with
// another jurisdiction's prices.
type usualKey struct{ jurisdiction, currency, class string }

// Known reports whether the book has the tariff.
func (b *Book) Known(tariffID string) bool { return b.Tariff(tariffID) != nil }

// Tariff returns the tariff, nil where the book has none of that id.
func (b *Book) Tariff(tariffID string) *Tariff {
	if b == nil {
		return nil
	}
	return b.tariffs[tariffID]
}

// Kind returns the tariff's kind: residential, commercial, industrial,
// agricultural or other; other also for a tariff that the book does not know.
func (b *Book) Kind(tariffID string) string {
	if t := b.Tariff(tariffID); t != nil {
		return t.Kind
	}
	return Other
}

// Alternative returns the tariff that a trade use found on this one belongs
// on, "" where the tariff fits it or is not known.
func (b *Book) Alternative(tariffID string) string {
	if t := b.Tariff(tariffID); t != nil {
		return t.Alternative
	}
	return ""
}

// Usual returns the tariff that customers of a class are usually billed under
// where tariffID holds: the one of the same jurisdiction and currency whose
// default_for names the class. "" where there is none.
func (b *Book) Usual(tariffID, class string) string {
	t := b.Tariff(tariffID)
	if t == nil {
		return ""
	}
	if usual := b.usual[usualKey{t.Jurisdiction, t.Currency, class}]; usual != nil {
		return usual.ID
	}
	return ""
}

// Currency returns the tariff's currency, "" where it is not known.
func (b *Book) Currency(tariffID string) string {
	if t := b.Tariff(tariffID); t != nil {
		return t.Currency
	}
	return ""
}

// DemandPer returns the unit that the tariff's table in force on the day prices
// demand in, kw or kva; "" where it prices none.
func (b *Book) DemandPer(tariffID string, day curve.Date) string {
	if _, tb, err := b.find(tariffID, day); err == nil && tb.demand != nil {
		return tb.demand.per
	}
	return ""
}

// IDs returns the ids of all tariffs, sorted.
func (b *Book) IDs() []string {
	if b == nil {
		return nil
	}
	ids := make([]string, 0, len(b.tariffs))
	for id := range b.tariffs {
		ids = append(ids, id)
	}
	sort.Strings(ids)
	return ids
}

func (b *Book) find(tariffID string, day curve.Date) (*Tariff, *table, error) {
	t := b.Tariff(tariffID)
	if t == nil {
		return nil, nil, fmt.Errorf("tariff %q: %w; add it to a file in the tariffs folder", tariffID, ErrUnknownTariff)
	}
	tb := t.at(day)
	if tb == nil {
		return nil, nil, fmt.Errorf("tariff %q on %s: %w; add the dated table to %s", tariffID, day, ErrNoTable, t.File)
	}
	return t, tb, nil
}
