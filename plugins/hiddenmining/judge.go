package hiddenmining

import (
	"math"

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
	twoWays      Factor = "two_ways" // what the choice between the two hypotheses costs
)

// Log-odds of what the records say. They come from counting, not from a fit:
// about as many miners hide behind the declaration of a flat use as there are
// innocent ones among all customers, so that the declaration itself says
// little; but it makes the load compare with its like.
const (
	declaredFlatLogOdds = -0.5
	registeredLogOdds   = -5.0
	unregisteredLogOdds = 1.0 // data centres without the registration are a known cover
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

// Class is which loads a load is compared with.
type Class string

// Classes.
const (
	Homes    Class = "homes"    // dwellings
	Others   Class = "others"   // everybody whose declared use is not flat by nature
	Declared Class = "declared" // those whose declared use is
)

// ClassOf returns the class of a subject.
func ClassOf(m *Measures, s *sdk.Subject) Class {
	switch {
	case explainedByUse(m, s):
		return Declared
	case home(s):
		return Homes
	}
	return Others
}

// cards are the score cards by class, without and with the raw curve.
type cards struct{ daily, hourly map[Class]hypotheses }

// hypotheses are the two ways in which a mine can be behind a load, each with
// a card of its own: a mine that ran before the first day shows no step, and
// that it shows none must not speak for it or against it.
type hypotheses struct{ begun, standing Card }

func newCards() cards {
	return cards{
		daily: map[Class]hypotheses{
			Homes: {homesDailyBegun(), homesDailyStanding()}, Others: {othersDailyBegun(), othersDailyStanding()},
			Declared: {declaredDailyBegun(), declaredDailyStanding()},
		},
		hourly: map[Class]hypotheses{
			Homes: {homesHourlyBegun(), homesHourlyStanding()}, Others: {othersHourlyBegun(), othersHourlyStanding()},
			Declared: {declaredHourlyBegun(), declaredHourlyStanding()},
		},
	}
}

// standingShare is the share of mines that already run when a window begins.
const standingShare = 0.25

// Either joins the log-likelihood ratios of the two hypotheses to that of
// either being true: ln(¾ exp(begun) + ¼ exp(standing)).
func Either(begun, standing float64) float64 {
	a, b := math.Log(1-standingShare)+begun, math.Log(standingShare)+standing
	if a < b {
		a, b = b, a
	}
	return a + math.Log1p(math.Exp(b-a))
}

func judge(cards cards, m *Measures, s *sdk.Subject) verdict {
	var v verdict
	h := cards.daily[ClassOf(m, s)]
	if m.raw {
		h = cards.hourly[ClassOf(m, s)]
	}
	begun, standing := h.begun.Score(m.Factors), h.standing.Score(m.Factors)
	card := h.begun
	if m.standing = math.Log(standingShare)+standing > math.Log(1-standingShare)+begun; m.standing {
		card = h.standing
	}
	v.add(noSign, card.Base)
	for i := range card.Rows {
		if x, ok := m.Factors[card.Rows[i].Factor]; ok {
			v.add(card.Rows[i].Factor, card.Rows[i].At(x))
		}
	}
	v.add(twoWays, Either(begun, standing)-v.total)
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

// weighRecords adds what declared use and registration say.
func (v *verdict) weighRecords(m *Measures, s *sdk.Subject) {
	switch {
	case s.Flag(sdk.AttrRegisteredDC):
		v.add(registered, registeredLogOdds)
	case s.Text(sdk.AttrDeclaredUse) == "data_centre":
		v.add(unregistered, unregisteredLogOdds)
	case explainedByUse(m, s):
		v.add(declaredFlat, declaredFlatLogOdds)
	}
}
