package tariff

import (
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
)

// moneyScale is the number of units of Money in one unit of currency.
const moneyScale = 10000

// Money is an amount of one currency in ten-thousandths of its unit. The zero
// value is zero of no currency and adds to any.
type Money struct {
	units    int64
	currency string
}

// NewMoney returns units ten-thousandths of the currency.
func NewMoney(units int64, currency string) Money { return Money{units, currency} }

// roundMoney rounds an exact amount half away from zero.
func roundMoney(exact *big.Rat, currency string) (Money, error) {
	scaled := new(big.Rat).Mul(exact, big.NewRat(moneyScale, 1))
	doubled := new(big.Int).Add(new(big.Int).Mul(new(big.Int).Abs(scaled.Num()), big.NewInt(2)), scaled.Denom())
	n := doubled.Quo(doubled, new(big.Int).Mul(scaled.Denom(), big.NewInt(2)))
	if scaled.Sign() < 0 {
		n.Neg(n)
	}
	if !n.IsInt64() {
		return Money{}, fmt.Errorf("amount of %s %s is beyond what an account can hold; check the energy and the price", exact.FloatString(0), currency)
	}
	return Money{n.Int64(), currency}, nil
}

// Units returns the amount in ten-thousandths of the currency unit.
func (m Money) Units() int64 { return m.units }

// Currency returns the ISO 4217 code.
func (m Money) Currency() string { return m.currency }

// IsZero reports whether the amount is zero.
func (m Money) IsZero() bool { return m.units == 0 }

// Sign returns -1, 0 or 1.
func (m Money) Sign() int {
	switch {
	case m.units < 0:
		return -1
	case m.units > 0:
		return 1
	}
	return 0
}

// Add returns m + o. Adding different currencies is an error.
func (m Money) Add(o Money) (Money, error) {
	if m.currency != "" && o.currency != "" && m.currency != o.currency {
		return Money{}, fmt.Errorf("cannot add %s to %s; convert one of them first", o.currency, m.currency)
	}
	sum := m.units + o.units
	if (m.units > 0 && o.units > 0 && sum < 0) || (m.units < 0 && o.units < 0 && sum >= 0) {
		return Money{}, fmt.Errorf("sum of %s and %s is beyond what an account can hold", m, o)
	}
	currency := m.currency
	if currency == "" {
		currency = o.currency
	}
	return Money{sum, currency}, nil
}

// Sub returns m - o. Subtracting different currencies is an error.
func (m Money) Sub(o Money) (Money, error) {
	if o.units == math.MinInt64 {
		return Money{}, fmt.Errorf("amount is beyond what an account can hold")
	}
	return m.Add(Money{-o.units, o.currency})
}

// Float returns the amount as a float, for charts and for detectors; never
// for an account.
func (m Money) Float() float64 { return float64(m.units) / moneyScale }

// String returns the amount with two decimals, rounded half away from zero,
// such as "1234.50". It names no currency.
func (m Money) String() string {
	exact := big.NewRat(m.units, moneyScale)
	text := exact.FloatString(2)
	if text == "-0.00" {
		return "0.00"
	}
	return text
}

// MarshalJSON writes {"amount":"1234.5000","currency":"CNY"}.
func (m Money) MarshalJSON() ([]byte, error) {
	data, err := json.Marshal(moneyJSON{big.NewRat(m.units, moneyScale).FloatString(4), m.currency})
	if err != nil {
		return nil, fmt.Errorf("amount of money: %w", err)
	}
	return data, nil
}

// UnmarshalJSON reads what MarshalJSON writes.
func (m *Money) UnmarshalJSON(data []byte) error {
	var j moneyJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return fmt.Errorf("amount of money: %w", err)
	}
	exact, err := parseDecimal(j.Amount)
	if err != nil {
		return fmt.Errorf("amount of money: %w", err)
	}
	*m, err = roundMoney(exact, j.Currency)
	return err
}

type moneyJSON struct {
	Amount   string `json:"amount"`
	Currency string `json:"currency"`
}

// parseDecimal reads a plain decimal number, at most 12 digits before and 6
// after the point, exactly.
func parseDecimal(s string) (*big.Rat, error) {
	wrong := fmt.Errorf("%q is not an amount; write digits with at most 6 decimals, such as \"0.5380\"", s)
	whole, fraction, dotted := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if whole == "" || len(whole) > 12 || len(fraction) > 6 || (dotted && fraction == "") {
		return nil, wrong
	}
	for _, r := range whole + fraction {
		if r < '0' || r > '9' {
			return nil, wrong
		}
	}
	exact, ok := new(big.Rat).SetString(s)
	if !ok {
		return nil, wrong
	}
	return exact, nil
}
