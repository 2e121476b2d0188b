package tariff

import (
	"fmt"
	"math"
	"math/big"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// maxKWh bounds the energy of one bill: a typing error, not a customer.
const maxKWh = 1e9

// Use is what is billed, over 30 days.
type Use struct {
	KWh    float64
	ByHour *[24]float64 // share of KWh in each hour of the day, any scale; nil: even over the day
	Demand float64      // billing demand in the unit of the table (kW or kVA); 0 where not known
}

// Bill is a bill over 30 days with its parts.
type Bill struct {
	TariffID string
	Total    Money
	Energy   Money
	Fixed    Money
	Demand   Money
	Notes    []string // what was assumed or left out, in words
}

// Bill returns what kwh30 kWh in 30 days cost under the table in force on the
// day. A time-of-use table is applied to an even load, and a demand charge is
// left out: BillUse takes both.
func (b *Book) Bill(tariffID string, kwh30 float64, day curve.Date) (Money, error) {
	bill, err := b.BillUse(tariffID, Use{KWh: kwh30}, day)
	if err != nil {
		return Money{}, err
	}
	return bill.Total, nil
}

// BillUse returns the bill with its parts for 30 days under the table in force
// on the day.
func (b *Book) BillUse(tariffID string, use Use, day curve.Date) (*Bill, error) {
	t, tb, err := b.find(tariffID, day)
	if err != nil {
		return nil, err
	}
	kwh, err := exactQuantity("energy", use.KWh)
	if err != nil {
		return nil, fmt.Errorf("tariff %q: %w", tariffID, err)
	}
	bill := &Bill{TariffID: tariffID}
	energy, err := tb.energy(kwh, use.ByHour, bill)
	if err != nil {
		return nil, fmt.Errorf("tariff %q: %w", tariffID, err)
	}
	fixed := new(big.Rat).Mul(tb.fixedPerDay, big.NewRat(30, 1))
	charge := new(big.Rat)
	if tb.demand != nil {
		kx, err := exactQuantity("demand", use.Demand)
		if err != nil {
			return nil, fmt.Errorf("tariff %q: %w", tariffID, err)
		}
		if kx.Sign() == 0 {
			bill.Notes = append(bill.Notes, "the demand charge is left out: the billing demand is not known")
		}
		if kx.Sub(kx, tb.demand.free); kx.Sign() > 0 {
			charge.Mul(kx, tb.demand.price)
		}
	}
	for _, part := range []struct {
		exact *big.Rat
		into  *Money
	}{{energy, &bill.Energy}, {fixed, &bill.Fixed}, {charge, &bill.Demand}} {
		if *part.into, err = roundMoney(part.exact, t.Currency); err != nil {
			return nil, fmt.Errorf("tariff %q: %w", tariffID, err)
		}
		if bill.Total, err = bill.Total.Add(*part.into); err != nil {
			return nil, fmt.Errorf("tariff %q: %w", tariffID, err)
		}
	}
	return bill, nil
}

// energy prices kwh exactly.
func (tb *table) energy(kwh *big.Rat, byHour *[24]float64, bill *Bill) (*big.Rat, error) {
	sum := new(big.Rat)
	if len(tb.periods) > 0 {
		weights, total, err := hourWeights(byHour)
		if err != nil {
			return nil, err
		}
		if byHour == nil {
			bill.Notes = append(bill.Notes, "time of use is billed as if the load were even over the day")
		}
		for _, p := range tb.periods {
			var weight int64
			for h, in := range p.hours {
				if in {
					weight += weights[h]
				}
			}
			share := big.NewRat(weight, total)
			sum.Add(sum, share.Mul(share, kwh).Mul(share, p.price))
		}
		return sum, nil
	}
	below := new(big.Rat)
	for _, step := range tb.tiers {
		upper := kwh
		if step.upToKWh != nil && step.upToKWh.Cmp(kwh) < 0 {
			upper = step.upToKWh
		}
		part := new(big.Rat).Sub(upper, below)
		if part.Sign() <= 0 {
			break
		}
		sum.Add(sum, part.Mul(part, step.price))
		below = upper
	}
	return sum, nil
}

// hourWeights takes hourly weights at a resolution of a thousandth, with their
// sum; nil weights are even.
func hourWeights(byHour *[24]float64) (weights [24]int64, total int64, err error) {
	for h := range weights {
		weight := 1.0
		if byHour != nil {
			weight = byHour[h]
		}
		if weights[h], err = thousandths("energy of an hour", weight); err != nil {
			return weights, 0, err
		}
		total += weights[h]
	}
	if total == 0 {
		return hourWeights(nil)
	}
	return weights, total, nil
}

// exactQuantity takes a measured value at a resolution of a thousandth (Wh, W,
// VA), which is what meters register, so that equal readings give equal bills.
func exactQuantity(what string, v float64) (*big.Rat, error) {
	n, err := thousandths(what, v)
	if err != nil {
		return nil, err
	}
	return big.NewRat(n, 1000), nil
}

func thousandths(what string, v float64) (int64, error) {
	if math.IsNaN(v) || v < 0 || v > maxKWh {
		return 0, fmt.Errorf("%s of %g cannot be billed; give a number from 0 to %g", what, v, maxKWh)
	}
	return int64(math.Round(v * 1000)), nil
}
