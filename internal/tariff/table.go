package tariff

import (
	"math/big"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// Kinds of tariff, as detectors see them.
const (
	Residential  = "residential"
	Commercial   = "commercial"
	Industrial   = "industrial"
	Agricultural = "agricultural"
	Other        = "other"
)

// Classes lists the classes of customers that can have a usual tariff.
func Classes() []string { return []string{Residential, Commercial, Industrial, Agricultural} }

// Tariff is a tariff with the tables that it had over time.
type Tariff struct {
	ID           string
	Name         string
	Kind         string // residential, commercial, industrial, agricultural, other
	Currency     string
	Jurisdiction string
	Status       string // published, demonstration
	Sources      []string
	Alternative  string   // tariff that a trade use belongs on; "" where this one fits it
	DefaultFor   []string // classes of customers that are usually billed under it; at most one tariff of a jurisdiction for each
	File         string

	tables []table // ordered by from, not overlapping
}

// table is one tariff's prices from a day (inclusive) to a day (exclusive;
// openEnd where there is none).
type table struct {
	from, to    curve.Date
	fixedPerDay *big.Rat
	tiers       []tier   // one tier without an end is a flat price
	periods     []period // time of use; tiers is empty then
	demand      *demand
}

const openEnd = curve.Date(1<<31 - 1)

// tier prices energy up to a sum per 30 days; the last has no end.
type tier struct {
	upToKWh *big.Rat // nil: no end
	price   *big.Rat // per kWh
}

// period prices the energy of some hours of each day.
type period struct {
	name  string
	hours [24]bool
	price *big.Rat // per kWh
}

// demand prices the billing demand per 30 days.
type demand struct {
	per   string // kw, kva
	price *big.Rat
	free  *big.Rat // not billed, in the same unit
}

// at returns the table in force on a day, nil where none is.
func (t *Tariff) at(d curve.Date) *table {
	for i := range t.tables {
		if tb := &t.tables[i]; d >= tb.from && d < tb.to {
			return tb
		}
	}
	return nil
}
