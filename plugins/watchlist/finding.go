package watchlist

import (
	"fmt"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/mining"
)

// reason is the principal reason code of the finding.
func (v *verdict) reason() string {
	switch v.outcome {
	case supports:
		return "listed_address_load_fits"
	case contradicts:
		return "listed_address_load_too_small"
	}
	return "listed_address"
}

func (v *verdict) finding(w *sdk.Window, s *sdk.Subject, l *load, p float64) sdk.Finding {
	return sdk.Finding{
		Subject: s.ID, Kind: sdk.UsagePoint, Reason: v.reason(), Probability: p,
		FirstDay: w.FirstDay + sdk.Date(l.first), LastDay: w.FirstDay + sdk.Date(l.last),
		Evidence: v.evidence(l), Innocent: v.innocent(s, l),
		Metrics: map[string]float64{"base_load_kw": l.base, "base_beyond_peers_kw": v.standsOut},
	}
}

func (v *verdict) evidence(l *load) []sdk.Evidence {
	sources := v.sources
	if sources == "" {
		sources = "the office and its legal basis are not recorded"
	}
	out := []sdk.Evidence{{
		Code: "listed_entries", Value: v.entries, LogOdds: v.listed,
		Text: fmt.Sprintf("%.0f entries about addresses of this customer (%s)", v.entries, sources),
	}}
	if v.lowKW > 0 {
		out = append(out, sdk.Evidence{
			Code: "expected_power", Value: v.lowKW, Unit: "kW",
			Text: fmt.Sprintf("the listed hash rate (%s) needs %.2f kW with the most efficient machines in use and %.2f kW with the least", v.name(), v.lowKW, v.highKW),
		})
	}
	text := fmt.Sprintf("the load stays above %.2f kW nine hours in ten, of which %.2f kW stand out of the night load that nine in ten peers stay below (%.2f kW), over %d days: ", l.base, v.standsOut, v.usual, l.days)
	switch v.outcome {
	case supports:
		text += "that carries what the hash rate needs"
	case contradicts:
		text = fmt.Sprintf("nine days in ten the mean load is below %.2f kW (%d days), less than half of what even the most efficient machines would need", l.highest, l.days)
	case open:
		text += "the meter says neither yes nor no to the list"
	}
	return append(out, sdk.Evidence{Code: "base_load", Value: l.base, Unit: "kW", Text: text, LogOdds: v.fits})
}

// name is the algorithm in words.
func (v *verdict) name() string {
	if a, ok := mining.Find(v.algorithm); ok {
		return a.Name
	}
	if v.algorithm == mining.Mixed {
		return "several algorithms"
	}
	return "algorithm not known"
}

// innocent says which innocent explanations were looked at, and how they fared.
func (v *verdict) innocent(s *sdk.Subject, l *load) []sdk.Explanation {
	out := []sdk.Explanation{v.sharedAddress(), v.wrongAddress(l), v.infected()}
	if s.Text(sdk.AttrDeclaredUse) == "internet_cafe" {
		out = append(out, sdk.Explanation{
			Code: "guests_network", Outcome: sdk.Open,
			Text: "an internet cafe's address is that of all its guests: what a guest's computer does stands under it, and two cafes on one list need not be alike",
		})
	}
	if v.explained != "" {
		out = append(out, sdk.Explanation{
			Code: v.explained, Outcome: sdk.Explains,
			Text: "the customer is registered as a data centre: the base load is what was applied for, and says nothing for or against the list",
		})
	}
	return out
}

func (v *verdict) sharedAddress() sdk.Explanation {
	e := sdk.Explanation{Code: "shared_address", Outcome: sdk.Unlikely,
		Text: "by the providers' records each listed address was this customer's alone while it was seen"}
	if v.shared > 0 {
		e.Outcome = sdk.Open
		e.Text = fmt.Sprintf("%.0f of %.0f entries are on addresses that several customers held while they were seen (carrier-grade translation, or passed on): their hash rate is left out here", v.shared, v.entries)
	}
	return e
}

func (v *verdict) wrongAddress(l *load) sdk.Explanation {
	e := sdk.Explanation{Code: "wrong_or_relayed_address"}
	switch v.outcome {
	case contradicts:
		e.Outcome = sdk.Explains
		e.Text = fmt.Sprintf("the meter shows too little for machines at this place (%.2f kW against %.2f kW): the entry may be wrong, or the address only relays; machines fed past the meter would look the same and are for the transformer's balance to tell", l.highest, v.lowKW)
	case supports:
		e.Outcome = sdk.Unlikely
		e.Text = "an address that was assigned wrongly would meet a fitting load only by chance"
	case open:
		e.Outcome = sdk.Open
		e.Text = "a wrong entry, a wrong assignment or a relay (VPN, proxy) would look the same on the meter"
	}
	return e
}

func (v *verdict) infected() sdk.Explanation {
	e := sdk.Explanation{Code: "infected_computer", Outcome: sdk.Open,
		Text: "malware that mines on ordinary computers cannot be told apart while algorithm and hash rate are not in the list"}
	switch {
	case v.lowKW > 0 && v.algorithm == "randomx" && v.lowKW < 0.5:
		e.Text = "RandomX at this rate runs on ordinary computers: malware on the customer's computers is possible"
	case v.lowKW > 0 && v.algorithm != "randomx" && v.algorithm != mining.Mixed:
		e.Outcome = sdk.Unlikely
		e.Text = v.name() + " at this rate needs machines bought for it, which malware on ordinary computers does not have"
	case v.lowKW > 0:
		e.Outcome = sdk.Unlikely
		e.Text = fmt.Sprintf("a hash rate that needs %.1f kW or more is beyond a few infected computers", v.lowKW)
	}
	return e
}
