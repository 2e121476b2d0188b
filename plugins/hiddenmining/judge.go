package hiddenmining

import (
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// verdict is the evidence on one subject: pieces that add up to the
// log-likelihood ratio of abnormal use.
type verdict struct {
	pieces []piece
	total  float64
}

type piece struct {
	factor  Factor
	logOdds float64
}

// Pieces beside the score card.
const (
	noSign       Factor = "no_sign"           // what is usual of a load with no sign at all
	declaredFlat Factor = "declared_flat_use" // the declared use is flat by nature
	registered   Factor = "registered_data_centre"
	unregistered Factor = "unregistered_data_centre"
	listed       Factor = "listed_address"
)

// Log-odds of what the records say. They come from counting, not from a fit:
// with four of five flat uses declared rightly and one miner in thirty hiding
// behind such a declaration, a declaration is 25 times as usual of the
// innocent, of which half is granted, as records are only mostly right.
const (
	declaredFlatLogOdds = -2.5
	registeredLogOdds   = -5.0
	unregisteredLogOdds = 1.0 // data centres without the registration are a known cover
	maxListedLogOdds    = 1.5
	listedShare         = 0.5 // of what the load itself says
)

func judge(m *Measures, s *sdk.Subject) verdict {
	var v verdict
	card := dailyCard()
	if m.raw {
		card = hourlyCard()
	}
	v.add(noSign, card.Base)
	for i := range card.Rows {
		if x, ok := m.Factors[card.Rows[i].Factor]; ok {
			v.add(card.Rows[i].Factor, card.Rows[i].At(x))
		}
	}
	v.weighRecords(m, s)
	v.total = min(max(v.total, -maxTotal), maxTotal)
	return v
}

// maxTotal bounds what one detector may claim: a thousand times the evidence
// that a case needs at a prior of one in a hundred.
const maxTotal = 11.5

func (v *verdict) add(f Factor, logOdds float64) {
	if logOdds == 0 {
		return
	}
	v.pieces = append(v.pieces, piece{f, logOdds})
	v.total += logOdds
}

// weighRecords adds what declared use, registration and watchlist say.
func (v *verdict) weighRecords(m *Measures, s *sdk.Subject) {
	switch {
	case s.Flag(sdk.AttrRegisteredDC):
		v.add(registered, registeredLogOdds)
	case s.Text(sdk.AttrDeclaredUse) == "data_centre":
		v.add(unregistered, unregisteredLogOdds)
	case s.Flag(sdk.AttrExpectedFlat):
		// A declaration explains a load of the declared size.
		share := 1.0
		if high := s.Number(sdk.AttrExpectedHighKWh); high > 0 {
			share = 1 - robust.Ramp(24*m.meanKW/high, 1, 2.5)
		}
		v.add(declaredFlat, share*declaredFlatLogOdds)
	}
	if s.Flag(sdk.AttrListedIP) && v.total > 0 {
		v.add(listed, min(maxListedLogOdds, listedShare*v.total))
	}
}
