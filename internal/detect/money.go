package detect

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// value says what could be billed for a month, under the tariff in force on
// the last day. Energy that went past the meter is worth what it would have
// cost; other excess, the difference to the tariff that such a use belongs on.
// Where the tariff is not known, nothing is claimed.
func (a *Assessment) value(in *Input) {
	c := in.Network.Customer(a.CustomerID)
	if c == nil || !in.Tariffs.Known(c.TariffID) || !a.MeanKW.Known() {
		return
	}
	a.Currency = in.Tariffs.Currency(c.TariffID)
	month := math.Max(0, float64(a.MeanKW)) * 24 * 30
	var unbilled float64
	for _, f := range a.Findings {
		if pastTheMeter(f.Reason) && !f.Corroborates {
			unbilled = max(unbilled, f.ExcessKWhMonth)
		}
	}
	if unbilled > 0 {
		if money, err := in.Tariffs.Unbilled(c.TariffID, month, unbilled, in.Last); err == nil {
			a.Recoverable = money.Float()
		}
		return
	}
	if recovery, err := in.Tariffs.Recoverable(c.TariffID, c.Category, month, a.ExcessKWhMonth, in.Last); err == nil {
		a.Recoverable = recovery.Amount.Float()
	}
}

func pastTheMeter(reason string) bool {
	return reason == sdk.ReasonFractionalTheft || reason == sdk.ReasonBypassTheft
}

// typicalPrice is what a kWh costs on the customer's tariff at an ordinary
// use; 0 where it is not known.
func typicalPrice(in *Input, customerID string) float64 {
	const ordinaryKWh = 1000
	c := in.Network.Customer(customerID)
	if c == nil || !in.Tariffs.Known(c.TariffID) {
		return 0
	}
	bill, err := in.Tariffs.Bill(c.TariffID, ordinaryKWh, in.Last)
	if err != nil {
		return 0
	}
	return bill.Float() / ordinaryKWh
}
