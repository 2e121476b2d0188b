package detect

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/mining"
)

// listing is what the watchlist says of a customer through his addresses.
type listing struct {
	entries int
	shared  int // of the entries, on an address that others held as well while it was seen

	// The hash rate and the power that it needs, of the addresses that were
	// his alone. Two entries that tell of the same machines, at two times or
	// by two offices, count once.
	hashrateHS    float64
	lowKW, highKW float64
	algorithms    []string // codes of package mining, by name; "" for one that is not known
	sources       []string // by name
	bases         []string
	expires       time.Time // when the last of the entries expires; zero: one never does
}

// listings joins the watchlist with the assignment of addresses: an entry
// counts for the customer who held the address while it was seen, unless the
// entry had expired by the end of the run.
func listings(network *grid.Network, asOf time.Time) map[string]listing {
	byIP := make(map[string][]grid.IPAssignment)
	for _, a := range network.IPAssignments {
		byIP[a.IP] = append(byIP[a.IP], a)
	}
	gathered := make(map[string]*gathering)
	for _, e := range network.Watchlist {
		if !e.Expires.IsZero() && !asOf.Before(e.Expires) || e.FirstSeen.After(asOf) {
			continue
		}
		holders := make(map[string]bool) // a customer may have held the address twice meanwhile
		for _, a := range byIP[e.IP] {
			if overlaps(e, a) {
				holders[a.CustomerID] = true
			}
		}
		for customer := range holders {
			g := gathered[customer]
			if g == nil {
				g = &gathering{rates: make(map[machines]float64), offices: make(map[string]bool), legal: make(map[string]bool)}
				gathered[customer] = g
			}
			g.add(e, len(holders) > 1)
		}
	}
	out := make(map[string]listing, len(gathered))
	for customer, g := range gathered {
		out[customer] = g.whole()
	}
	return out
}

// overlaps reports whether the address was seen while it was assigned. An
// entry's last_seen belongs to it; an assignment's end does not.
func overlaps(e grid.WatchlistEntry, a grid.IPAssignment) bool {
	seenTo := e.LastSeen
	if seenTo.IsZero() {
		seenTo = e.FirstSeen
	}
	return (a.To.IsZero() || e.FirstSeen.Before(a.To)) && (a.From.IsZero() || !seenTo.Before(a.From))
}

// machines are those behind one address that run one algorithm.
type machines struct{ ip, algorithm string }

// gathering is a listing in the making.
type gathering struct {
	listing
	rates   map[machines]float64 // the highest hash rate seen
	offices map[string]bool
	legal   map[string]bool
	forever bool
}

func (g *gathering) add(e grid.WatchlistEntry, shared bool) {
	g.entries++
	if e.Source != "" {
		g.offices[e.Source] = true
	}
	if e.LegalBasis != "" {
		g.legal[e.LegalBasis] = true
	}
	if g.forever = g.forever || e.Expires.IsZero(); !g.forever && e.Expires.After(g.expires) {
		g.expires = e.Expires
	}
	if shared {
		g.shared++ // whose machines they are, nobody can say
		return
	}
	algorithm, _ := mining.Resolve(e.Algorithm, e.Coin)
	at := machines{e.IP, algorithm.Code}
	g.rates[at] = max(g.rates[at], e.HashrateHS)
}

func (g *gathering) whole() listing {
	out := g.listing
	if g.forever {
		out.expires = time.Time{}
	}
	known := make(map[string]bool)
	for _, at := range slices.SortedFunc(maps.Keys(g.rates), func(x, y machines) int {
		return strings.Compare(x.ip+" "+x.algorithm, y.ip+" "+y.algorithm)
	}) {
		rate := g.rates[at]
		known[at.algorithm] = true
		out.hashrateHS += rate
		if low, high, ok := mining.ExpectedKW(at.algorithm, rate); ok {
			out.lowKW += low
			out.highKW += high
		}
	}
	out.algorithms = slices.Sorted(maps.Keys(known))
	out.sources, out.bases = slices.Sorted(maps.Keys(g.offices)), slices.Sorted(maps.Keys(g.legal))
	return out
}

// listed gives a customer's listing as attributes. Names of offices stay here.
func (a *attributes) listed(l listing) {
	a.numbers[sdk.AttrListedIP] = 1
	a.numbers[sdk.AttrListedEntries] = float64(l.entries)
	a.positive(sdk.AttrListedShared, float64(l.shared))
	a.positive(sdk.AttrListedHashrate, l.hashrateHS)
	a.positive(sdk.AttrListedLowKW, l.lowKW)
	a.positive(sdk.AttrListedHighKW, l.highKW)
	switch len(l.algorithms) {
	case 0:
	case 1:
		a.text(sdk.AttrListedAlgorithm, l.algorithms[0])
	default:
		a.text(sdk.AttrListedAlgorithm, mining.Mixed)
	}
	a.text(sdk.AttrListedSources, l.provenance())
}

// longestBasis bounds what is quoted of a legal basis, in letters.
const longestBasis = 120

// provenance says how many offices list the customer, on which legal basis and
// until when.
func (l *listing) provenance() string {
	offices := "1 office"
	if len(l.sources) > 1 {
		offices = fmt.Sprintf("%d offices", len(l.sources))
	}
	var bases []string
	for _, b := range l.bases {
		text := []rune(strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || r == unicode.ReplacementChar {
				return ' '
			}
			return r
		}, b))
		if len(text) > longestBasis {
			text = append(text[:longestBasis], '…')
		}
		if bases = append(bases, string(text)); len(bases) == 3 && len(l.bases) > 3 {
			bases = append(bases, fmt.Sprintf("and %d more", len(l.bases)-3))
			break
		}
	}
	basis := "no legal basis given"
	if len(bases) > 0 {
		basis = "legal basis: " + strings.Join(bases, "; ")
	}
	until := "without expiry"
	if !l.expires.IsZero() {
		until = "valid until " + l.expires.Format(time.DateOnly)
	}
	return offices + ", " + basis + ", " + until
}
