package watchlist

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

const (
	leastDays  = 5  // of load, below which a customer is not metered
	leastPeers = 10 // below which a wider group is taken
	againstMin = 14 // days before a load is called too small
	slack      = 0.7
	shortfall  = 0.5
	leastKW    = 0.2
	beyondLow  = 0.35
	beyondHigh = 1.3
)

// Measure draws the loads of the usage points from daily features, each from
// the days on which its present customer had it. in needs no loads yet.
func Measure(ctx context.Context, store curve.Store, in Input) (map[string]Load, error) {
	type series struct{ base, mean []float64 }
	if in.Location == nil {
		in.Location = time.UTC
	}
	found := make(map[string]*series)
	base, energy := slices.Index(sdk.Features(), sdk.P10KW), slices.Index(sdk.Features(), sdk.EnergyKWh)
	end := (in.Last + 1).Start(in.Location)
	err := store.Features(ctx, in.First, in.Last, func(meterID string, date curve.Date, f *curve.Features) error {
		u := in.Network.UsagePointOfMeter(meterID, date.Start(in.Location).Add(noon))
		if u == nil || math.IsNaN(float64(f[base])) || math.IsNaN(float64(f[energy])) {
			return nil
		}
		if now := in.Network.UsagePoint(u.ID, end.Add(-1)); now == nil || now.CustomerID != u.CustomerID {
			return nil // a predecessor's use
		}
		s := found[u.ID]
		if s == nil {
			s = &series{}
			found[u.ID] = s
		}
		s.base, s.mean = append(s.base, float64(f[base])), append(s.mean, float64(f[energy]))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading daily features: %w", err)
	}
	out := make(map[string]Load, len(found))
	for id, s := range found {
		out[id] = Load{Days: len(s.base), BaseKW: max(0, robust.Median(s.base)), HighKW: robust.Quantile(s.mean, 0.9) / 24, MeanKWh: robust.Mean(s.mean)}
	}
	return out, nil
}

// meters knows what customers draw and what is usual.
type meters struct {
	in    *Input
	loads map[string]Load // by customer
	own   map[string]bool // customers with a joined address
	peers map[string][]float64
}

func newMeters(in *Input) *meters {
	m := &meters{in: in, loads: make(map[string]Load), own: make(map[string]bool), peers: make(map[string][]float64)}
	end := (in.Last + 1).Start(in.Location).Add(-1)
	for _, u := range in.Network.UsagePointsAt(end) {
		if l, ok := in.Loads[u.ID]; ok && l.Days >= leastDays {
			sum := m.loads[u.CustomerID]
			sum.Days = max(sum.Days, l.Days)
			sum.BaseKW, sum.HighKW, sum.MeanKWh = sum.BaseKW+l.BaseKW, sum.HighKW+l.HighKW, sum.MeanKWh+l.MeanKWh
			m.loads[u.CustomerID] = sum
		}
	}
	return m
}

// listed learns who is listed, and what the others draw.
func (m *meters) listed(list []*address) {
	for _, a := range list {
		if a.status == one {
			m.own[a.customer] = true
		}
	}
	for id, l := range m.loads {
		if m.own[id] {
			continue
		}
		for _, g := range m.groups(id) {
			m.peers[g] = append(m.peers[g], l.BaseKW)
		}
	}
	for g := range m.peers {
		slices.Sort(m.peers[g])
	}
}

// groups are those that a customer is compared with, the narrowest first.
func (m *meters) groups(id string) []string {
	c := m.in.Network.Customer(id)
	if c == nil {
		return []string{""}
	}
	return []string{"use " + string(c.Category) + " " + c.DeclaredUse, "category " + string(c.Category), ""}
}

// usual is the base load of a customer's peers: their median, and what nine in
// ten stay below. Without peers both are 0.
func (m *meters) usual(id string) (median, high float64) {
	for _, g := range m.groups(id) {
		if p := m.peers[g]; len(p) >= leastPeers {
			return robust.OfSorted(p, 0.5), robust.OfSorted(p, 0.9)
		}
	}
	return 0, 0
}

// outcome holds a customer's load against what his listed hash rates need.
func (m *meters) outcome(id string, need Power) string {
	l, ok := m.loads[id]
	if !ok {
		return NotMetered
	}
	_, high := m.usual(id)
	beyond := max(0, l.BaseKW-high)
	switch {
	case need.HighKW < leastKW:
	case l.Days >= againstMin && l.HighKW < shortfall*need.LowKW:
		return TooSmall
	case l.BaseKW >= slack*need.LowKW && beyond >= max(leastKW, beyondLow*need.LowKW) && beyond <= beyondHigh*need.HighKW:
		return Fits
	}
	return Undecided
}

// customers lists those with an address of their own.
func (m *meters) customers(list []*address) []Customer {
	byID := make(map[string]*Customer)
	for _, a := range list {
		if a.status != one {
			continue
		}
		c := byID[a.customer]
		if c == nil {
			c = &Customer{CustomerID: a.customer}
			byID[a.customer] = c
		}
		c.Addresses++
		c.Expected.add(a.power())
		for _, e := range a.valid {
			c.Sources = append(c.Sources, e.Source)
		}
	}
	out := []Customer{}
	for _, id := range slices.Sorted(maps.Keys(byID)) {
		c := byID[id]
		slices.Sort(c.Sources)
		c.Sources = slices.Compact(c.Sources)
		l := m.loads[id]
		_, high := m.usual(id)
		c.Days, c.BaseKW, c.BeyondKW, c.Outcome = l.Days, l.BaseKW, max(0, l.BaseKW-high), m.outcome(id, c.Expected)
		out = append(out, *c)
	}
	slices.SortStableFunc(out, func(x, y Customer) int {
		return cmp.Or(cmp.Compare(y.BeyondKW, x.BeyondKW), strings.Compare(x.CustomerID, y.CustomerID))
	})
	return out
}
