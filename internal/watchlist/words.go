package watchlist

import (
	"fmt"
	"math"
	"strings"

	"github.com/gridwarden/gridwarden/plugins/sdk/mining"
)

// words draws conclusions in whole sentences.
func (s *Summary) words(metered int) []string {
	out := []string{fmt.Sprintf("%d addresses: %d belonged to one customer while they were seen (%d customers, %d of them metered), %d to several, %d to nobody in the records, %d have expired.",
		s.Addresses, s.Joined, s.Customers, metered, s.Ambiguous, s.Unjoined, s.Expired)}
	if s.Claim != nil {
		out = append(out, s.Claim.words(s.Addresses)...)
	}
	if len(s.Algorithms) > 1 {
		out = append(out, fmt.Sprintf("The hash rates are of %d algorithms and do not add up: power is reckoned for each by itself.", len(s.Algorithms)))
	}
	if metered == 0 {
		return append(out, "No listed customer is metered: the meters cannot say anything of this list.")
	}
	out = append(out, s.standing(metered))
	if s.Expected.HighKW <= 0 {
		return append(out, "The list gives no hash rate with a known algorithm and no total: what power it needs is not known.")
	}
	basis := "The listed hash rates need"
	if s.FromClaim {
		basis = "The claimed energy, shared out over the addresses, needs"
	}
	out = append(out, fmt.Sprintf("%s %s at these customers; their base load beyond their peers' is %s.",
		basis, kws(s.Expected.LowKW, s.Expected.HighKW), kws(s.Beyond.Low, s.Beyond.High)))
	return append(out, s.verdict())
}

// verdict says whether the meters explain the list.
func (s *Summary) verdict() string {
	e := s.Explained
	share := fmt.Sprintf("%.0f to %.0f %%", 100*e.Low, 100*e.High)
	switch {
	case e.High < 0.3:
		return fmt.Sprintf("The meters do not explain the list: they show %s of the power that it needs. Entries, assignments or algorithms are wrong, or the power flows past the meters, which the transformers' balances would show.", share)
	case e.Low >= 0.7:
		return fmt.Sprintf("The meters explain the list: they show %s of the power that it needs.", share)
	case e.High < 0.7:
		return fmt.Sprintf("The meters explain a part of the list: they show %s of the power that it needs.", share)
	}
	return fmt.Sprintf("The meters may explain the list: they show %s of the power that it needs, by which machines are used and how much of the base load is ordinary; algorithm and machine of the largest customers would decide it.", share)
}

// standing says whether more customers stand out of their peers than chance
// would let.
func (s *Summary) standing(metered int) string {
	z := (float64(s.StandOut) - s.StandOutByChance) / math.Sqrt(max(0.09*float64(metered), 1e-9))
	text := fmt.Sprintf("%d of %d metered customers have a base load beyond that of nine in ten peers, where %.0f would by chance: ", s.StandOut, metered, s.StandOutByChance)
	switch {
	case metered < 10:
		return text + "too few to tell."
	case z > 3:
		return text + "more than chance explains, so some of the list is right."
	case z < -3:
		return text + "fewer than chance would bring."
	}
	return text + "no more than chance explains; the list does not choose large users."
}

func (i *Implied) words(addresses int) (out []string) {
	if i.KWPerAddress > 0 {
		out = append(out, fmt.Sprintf("%.0f kWh a day over %d addresses make %.2g kW an address.", i.KWhDay, addresses, i.KWPerAddress))
	}
	if i.JoulesPerHash > 0 {
		text := fmt.Sprintf("The claimed hash rate and energy make %.3g J per hash (%.3g J/TH)", i.JoulesPerHash, i.JoulesPerHash*1e12)
		sha, _ := mining.Find("sha256")
		compared := fmt.Sprintf("; SHA-256 machines need %.3g to %.3g J/TH", sha.Best.JoulesPerHash()*1e12, sha.Worst.JoulesPerHash()*1e12)
		if len(i.Within) > 0 {
			compared += "; of single algorithms " + strings.Join(i.Within, ", ") + " would fit"
		} else {
			compared += "; no single algorithm fits, so it is a total over several, or wrong"
		}
		out = append(out, text+compared+".")
	}
	return out
}

// kws is a range of power in words.
func kws(low, high float64) string {
	if high-low < 0.05 {
		return fmt.Sprintf("%.1f kW", high)
	}
	return fmt.Sprintf("%.1f to %.1f kW", low, high)
}
