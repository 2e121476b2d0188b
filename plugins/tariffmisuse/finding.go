package tariffmisuse

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// finding writes down what fits another class, what it is worth and what else
// it may be.
func (v *verdict) finding(w *sdk.Window, s *sdk.Subject, l *shape, b billed, p float64) sdk.Finding {
	f := sdk.Finding{
		Subject: s.ID, Kind: sdk.UsagePoint, Reason: v.reason, AlsoReasons: v.also, Probability: p,
		FirstDay: w.FirstDay + sdk.Date(l.first), LastDay: w.FirstDay + sdk.Date(l.last),
		ExcessKWhMonth: 30 * v.excess, Evidence: v.evidence, Metrics: map[string]float64{},
	}
	if b.assumed {
		f.Evidence = append(f.Evidence, sdk.Evidence{Code: "class_assumed",
			Text: fmt.Sprintf("The tariff is not in the tariff files; class %s is taken from the customer's category.", b.class)})
	}
	v.money(s, &f)
	f.Innocent = v.explanations(w, l, b)
	return f
}

// money says what the use costs as billed and in the class that it fits: the
// whole of it, since the bills are those of the whole use.
func (v *verdict) money(s *sdk.Subject, f *sdk.Finding) {
	class, attribute := "commercial", sdk.AttrBillCommercial
	if v.flat > v.core && !math.IsNaN(s.Number(sdk.AttrBillIndustrial)) && math.IsNaN(s.Number(sdk.AttrBillCommercial)) {
		class, attribute = "industrial", sdk.AttrBillIndustrial
	}
	billed, other, currency := s.Number(sdk.AttrBillBilled), s.Number(attribute), s.Text(sdk.AttrCurrency)
	if math.IsNaN(billed) || math.IsNaN(other) {
		f.Evidence = append(f.Evidence, sdk.Evidence{Code: "money_not_known",
			Text: "What is at stake is not known: the tariff tables hold no usual tariff of the other class to compare with."})
		return
	}
	stake := math.Max(other-billed, 0)
	f.Metrics["bill_billed_month"], f.Metrics["bill_other_class_month"], f.Metrics["money_at_stake_month"] = billed, other, stake
	text := fmt.Sprintf("30 days cost %.2f %s as billed and %.2f %s on the usual %s tariff, if the whole use belongs there: %.2f %s a month are at stake.", billed, currency, other, currency, class, stake, currency)
	if stake == 0 {
		text = fmt.Sprintf("30 days cost %.2f %s as billed and %.2f %s on the usual %s tariff: the billed tariff is the dearer one, no money is at stake (the difference is set to zero).", billed, currency, other, currency, class)
	}
	f.Evidence = append(f.Evidence, sdk.Evidence{Code: "money_at_stake", Value: stake, Unit: currency, Text: text})
}
