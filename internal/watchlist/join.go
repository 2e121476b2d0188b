package watchlist

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk/mining"
)

// status is how an address fared.
type status int

const (
	expired status = iota
	unjoined
	ambiguous
	one // customer
)

// address is one listed address with who held it.
type address struct {
	ip       string
	entries  []grid.WatchlistEntry // of all sources
	valid    []grid.WatchlistEntry // of those, neither expired nor of a later day
	status   status
	customer string // where the status is one
}

// join finds the customer of each address: whoever held it while it was seen.
func join(network *grid.Network, asOf time.Time) []*address {
	held := make(map[string][]grid.IPAssignment)
	for _, a := range network.IPAssignments {
		held[a.IP] = append(held[a.IP], a)
	}
	byIP := make(map[string]*address)
	var out []*address
	for _, e := range network.Watchlist {
		a := byIP[e.IP]
		if a == nil {
			a = &address{ip: e.IP}
			byIP[e.IP] = a
			out = append(out, a)
		}
		a.entries = append(a.entries, e)
		if (e.Expires.IsZero() || asOf.Before(e.Expires)) && !e.FirstSeen.After(asOf) {
			a.valid = append(a.valid, e)
		}
	}
	for _, a := range out {
		a.resolve(held[a.ip])
	}
	slices.SortFunc(out, func(x, y *address) int { return strings.Compare(x.ip, y.ip) })
	return out
}

func (a *address) resolve(held []grid.IPAssignment) {
	if len(a.valid) == 0 {
		a.status = expired
		return
	}
	a.status = unjoined
	for _, h := range held {
		if !slices.ContainsFunc(a.valid, func(e grid.WatchlistEntry) bool { return seenWhile(e, h) }) {
			continue
		}
		switch {
		case a.status == unjoined:
			a.status, a.customer = one, h.CustomerID
		case a.customer != h.CustomerID:
			a.status = ambiguous
		}
	}
	if a.status == ambiguous {
		a.customer = ""
	}
}

// seenWhile reports whether the address was seen while it was assigned. An
// entry's last_seen belongs to it; an assignment's end does not.
func seenWhile(e grid.WatchlistEntry, h grid.IPAssignment) bool {
	to := e.LastSeen
	if to.IsZero() {
		to = e.FirstSeen
	}
	return (h.To.IsZero() || e.FirstSeen.Before(h.To)) && (h.From.IsZero() || !to.Before(h.From))
}

func (a *address) sources() []string {
	var out []string
	for _, e := range a.entries {
		out = append(out, e.Source)
	}
	return out
}

// of narrows an address to one source; nil where the source does not list it.
func (a *address) of(source string) *address {
	if source == "" {
		return a
	}
	out := *a
	keep := func(list []grid.WatchlistEntry) []grid.WatchlistEntry {
		var kept []grid.WatchlistEntry
		for _, e := range list {
			if e.Source == source {
				kept = append(kept, e)
			}
		}
		return kept
	}
	out.entries, out.valid = keep(a.entries), keep(a.valid)
	if len(out.entries) == 0 {
		return nil
	}
	if len(out.valid) == 0 {
		out.status, out.customer = expired, ""
	}
	return &out
}

// rate is a hash rate under an algorithm.
type rate struct {
	algorithm string
	hs        float64
}

// rates are those of the machines behind the address: of several entries with
// the same algorithm the highest, since they tell of the same machines.
func (a *address) rates() []rate {
	var out []rate
	for _, e := range a.valid {
		algorithm, _ := mining.Resolve(e.Algorithm, e.Coin)
		at := slices.IndexFunc(out, func(r rate) bool { return r.algorithm == algorithm.Code })
		if at < 0 {
			out = append(out, rate{algorithm.Code, e.HashrateHS})
		} else {
			out[at].hs = max(out[at].hs, e.HashrateHS)
		}
	}
	slices.SortFunc(out, func(x, y rate) int { return cmp.Compare(x.algorithm, y.algorithm) })
	return out
}

// power is what the rates need; the zero Power where none is known.
func (a *address) power() Power {
	var p Power
	for _, r := range a.rates() {
		p.add(r.power())
	}
	return p
}

func (r rate) power() Power {
	algorithm, ok := mining.Find(r.algorithm)
	if !ok || r.hs <= 0 {
		return Power{}
	}
	low, typical, high := algorithm.KW(r.hs)
	return Power{low, typical, high}
}
