package watchlist

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/mining"
)

// noon is when a day's assignment is looked up.
const noon = 12 * time.Hour

// summary reconciles one source, or all together where it is "".
func (m *meters) summary(source string, list []*address, claim Claim) Summary {
	s := Summary{Source: source, LegalBases: []string{}, Algorithms: []AlgorithmSum{}}
	needs := make(map[string]Power) // by customer
	algorithms := make(map[string]*AlgorithmSum)
	for _, whole := range list {
		a := whole.of(source)
		if a == nil {
			continue
		}
		s.count(a, algorithms)
		if a.status == one {
			p := needs[a.customer]
			p.add(a.power())
			needs[a.customer] = p
		}
	}
	slices.Sort(s.LegalBases)
	s.LegalBases = slices.Compact(s.LegalBases)
	for _, code := range slices.Sorted(maps.Keys(algorithms)) {
		s.Algorithms = append(s.Algorithms, *algorithms[code])
	}
	metered := 0
	for _, id := range slices.Sorted(maps.Keys(needs)) {
		if m.add(&s, id, needs[id]) {
			metered++
		}
	}
	s.Customers = len(needs)
	s.StandOutByChance = 0.1 * float64(metered)
	s.claim(claim, metered)
	s.explain()
	s.Conclusion = s.words(metered)
	return s
}

func (s *Summary) count(a *address, algorithms map[string]*AlgorithmSum) {
	s.Addresses++
	s.Entries += len(a.entries)
	for _, e := range a.entries {
		if e.LegalBasis != "" {
			s.LegalBases = append(s.LegalBases, e.LegalBasis)
		}
	}
	switch a.status {
	case expired:
		s.Expired++
		return
	case unjoined:
		s.Unjoined++
	case ambiguous:
		s.Ambiguous++
	case one:
		s.Joined++
	}
	for _, r := range a.rates() {
		sum := algorithms[r.algorithm]
		if sum == nil {
			sum = &AlgorithmSum{Algorithm: r.algorithm}
			algorithms[r.algorithm] = sum
		}
		sum.Addresses++
		sum.HashRateHS += r.hs
		sum.add(r.power())
	}
}

// add takes a customer in; it reports whether he is metered.
func (m *meters) add(s *Summary, id string, need Power) bool {
	switch m.outcome(id, need) {
	case NotMetered:
		s.NotMetered++
		return false
	case Fits:
		s.Fit++
	case TooSmall:
		s.TooSmall++
	default:
		s.Open++
	}
	l := m.loads[id]
	median, high := m.usual(id)
	s.Expected.add(need)
	s.BaseKW += l.BaseKW
	s.Beyond.Low += max(0, l.BaseKW-high)
	s.Beyond.High += l.BaseKW - median // below the median too: what is ordinary cancels
	if l.BaseKW > high {
		s.StandOut++
	}
	return true
}

// claim says what the office's totals come to, and lets them stand for hash
// rates that are not listed.
func (s *Summary) claim(c Claim, metered int) {
	if c == (Claim{}) {
		return
	}
	s.Claim = &Implied{Claim: c}
	if c.KWhDay > 0 && s.Addresses > 0 {
		s.Claim.KWPerAddress = c.KWhDay / 24 / float64(s.Addresses)
	}
	if c.KWhDay > 0 && c.HashRateHS > 0 {
		s.Claim.JoulesPerHash = c.KWhDay / 24 * 1000 / c.HashRateHS
		for _, a := range mining.Algorithms() {
			if s.Claim.JoulesPerHash >= a.Best.JoulesPerHash() && s.Claim.JoulesPerHash <= a.Worst.JoulesPerHash() {
				s.Claim.Within = append(s.Claim.Within, a.Code)
			}
		}
	}
	if s.Expected == (Power{}) && c.KWhDay > 0 && s.Customers > 0 {
		perCustomer := s.Claim.KWPerAddress * float64(s.Joined) / float64(s.Customers)
		kw := perCustomer * float64(metered)
		s.Expected, s.FromClaim = Power{kw, kw, kw}, true
	}
}

// explain puts what the meters show beside what is expected.
func (s *Summary) explain() {
	if s.Expected.HighKW <= 0 {
		return
	}
	low, high := max(0, s.Beyond.Low), max(0, s.Beyond.High)
	s.Beyond = Span{min(low, high), max(low, high)}
	s.Explained = Span{s.Beyond.Low / s.Expected.HighKW, s.Beyond.High / cmp.Or(s.Expected.LowKW, s.Expected.HighKW)}
}
