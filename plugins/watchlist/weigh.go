package watchlist

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// outcome is how the list and the meter go together.
type outcome int

const (
	open        outcome = iota // the meter cannot say
	supports                   // the base load carries what the hash rate needs
	contradicts                // the customer never drew what the hash rate needs
)

// Weights, log-odds. They are set, not fitted: lists of addresses with known
// outcomes are not public. An address that was wrongly assigned and a load that
// fits by chance are each taken for one in three or so; the host bounds all
// corroboration together at 1.5 and at half of the evidence that it supports.
const (
	listedAlone  = 1.2  // an address of his own is on a list
	listedShared = 0.2  // … that he held with others
	fitsNarrow   = 1.8  // the load fits a narrow range of expected power …
	fitsWide     = 1.0  // … or a wide one, into which many loads fall
	fallsShort   = -1.4 // the load cannot carry it
)

// Bounds of the comparison.
const (
	slack      = 0.7  // hash rates are estimates from shares found: so much less, and as much more, still fits
	shortfall  = 0.5  // the load falls short below this share of what the best machines need
	leastKW    = 0.2  // below this, the power of a hash rate is lost in any household
	beyond     = 0.35 // of what the best machines need, so much must stand out of the peers' night load
	leastDays  = 14   // before anything contradicts
	narrow     = 6.0  // high over low
	wide       = 40.0
	unknownKW  = 0.3 // usual night load where there are no peers
	beyondMost = 1.3 // of what the least efficient machines need, within which what stands out fits
)

// verdict is the comparison with what follows from it.
type verdict struct {
	listing
	outcome   outcome
	usual     float64 // night load that nine in ten peers stay below, kW
	standsOut float64 // base load beyond that, kW
	explained string  // the register's own reason for a high base load, "" for none

	listed, fits float64 // log-odds
}

func (v *verdict) total() float64 { return v.listed + v.fits }

func weigh(l listing, load *load, s *sdk.Subject) verdict {
	v := verdict{listing: l, usual: unknownKW, listed: listedAlone}
	if kw := amount(s, sdk.AttrPeerNightKW); kw > 0 {
		v.usual = kw
	}
	v.standsOut = max(0, load.base-v.usual)
	if l.shared >= l.entries {
		v.listed = listedShared
	}
	if s.Flag(sdk.AttrRegisteredDC) {
		v.explained = "registered_data_centre"
	}
	switch {
	case l.lowKW < leastKW && l.highKW < leastKW: // no hash rate, or too little to be seen
	case load.days >= leastDays && load.highest < shortfall*l.lowKW:
		v.outcome, v.fits = contradicts, fallsShort
	case load.base >= slack*l.lowKW && v.standsOut >= max(leastKW, beyond*l.lowKW) && v.standsOut <= beyondMost*l.highKW:
		v.outcome = supports
		v.fits = fitsNarrow - (fitsNarrow-fitsWide)*robust.Ramp(math.Log(l.highKW/l.lowKW), math.Log(narrow), math.Log(wide))
		if v.explained != "" {
			v.fits = 0
		}
	}
	return v
}
