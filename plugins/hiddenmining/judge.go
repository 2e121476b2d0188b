package hiddenmining

import (
	"github.com/gridwarden/gridwarden/plugins/sdk"
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
// about as many miners hide behind the declaration of a flat use as there are
// innocent ones among all customers, so that the declaration itself says
// little; but it makes the load compare with its like.
const (
	declaredFlatLogOdds = -0.5
	registeredLogOdds   = -5.0
	unregisteredLogOdds = 1.0 // data centres without the registration are a known cover
	maxListedLogOdds    = 1.5
	listedShare         = 0.5 // of what the load itself says
	// oversize is how many times the declared use's usual highest energy a load
	// may take and still be explained by the declaration.
	oversize = 2.0
)

// explainedByUse reports whether the declared use is flat by nature and large
// enough for the load. A data centre is explained by its registration alone.
func explainedByUse(m *Measures, s *sdk.Subject) bool {
	if !s.Flag(sdk.AttrExpectedFlat) || s.Text(sdk.AttrDeclaredUse) == "data_centre" {
		return false
	}
	high := s.Number(sdk.AttrExpectedHighKWh)
	return !(high > 0) || 24*m.meanKW <= oversize*high
}

func judge(m *Measures, s *sdk.Subject) verdict {
	var v verdict
	flat := explainedByUse(m, s)
	card := dailyCard()
	switch {
	case flat && m.raw:
		card = declaredHourlyCard()
	case flat:
		card = declaredDailyCard()
	case m.raw:
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
	case explainedByUse(m, s):
		v.add(declaredFlat, declaredFlatLogOdds)
	}
	if s.Flag(sdk.AttrListedIP) && v.total > 0 {
		v.add(listed, min(maxListedLogOdds, listedShare*v.total))
	}
}
