package detect

import (
	"math"

	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// minPeers is how many peers a band needs to stand on before a wider group is
// taken: same declared use and category, then same category, then everybody.
const minPeers = 8

// band is what peers of a usage point use, the point itself left out.
type band struct {
	low, median, high float64 // mean daily energy, kWh
	nightHigh         float64 // mean night load, kW
	count             int
}

// habit is what a usage point itself uses: tallies over its own days.
type habit struct{ energy, night tally }

// group names peers: those of a category and a declared use, of a category
// (no use), or everybody.
type group struct {
	Category string `json:"category,omitempty"`
	Use      string `json:"use,omitempty"`
}

// Quantiles of the bands.
const (
	bandLow, bandMedian, bandHigh = 0.1, 0.5, 0.9
)

// groupSpread is how the members of a group spread.
type groupSpread struct {
	group
	Energy spread `json:"energy"`
	Night  spread `json:"night"`
}

// groupsOf lists the groups of a point, narrowest first.
func groupsOf(network *grid.Network, p *point) []group {
	c := network.Customer(p.current.CustomerID)
	if c == nil {
		return []group{{}}
	}
	out := make([]group, 0, 3)
	for _, g := range []group{{string(c.Category), c.DeclaredUse}, {string(c.Category), ""}, {}} {
		if len(out) == 0 || out[len(out)-1] != g {
			out = append(out, g)
		}
	}
	return out
}

// peers are the spreads of all groups of a run.
type peers map[group]*groupSpread

// band returns the band of a point; ok is false where it has no peers.
func (p peers) band(groups []group, h habit) (b band, ok bool) {
	energy, night := h.energy.mean(), h.night.mean()
	counted := h.energy.count > 0
	if !counted {
		night = math.NaN()
	}
	for _, g := range groups {
		s := p[g]
		others := 0
		if s != nil {
			others = s.Energy.Count
		}
		if counted {
			others--
		}
		if others < minPeers && g != (group{}) {
			continue
		}
		if others <= 0 {
			return band{}, false
		}
		return band{
			low: s.Energy.without(energy, bandLow), median: s.Energy.without(energy, bandMedian),
			high: s.Energy.without(energy, bandHigh), nightHigh: s.Night.without(night, bandHigh), count: others,
		}, true
	}
	return band{}, false
}

// habitOf tallies a point's own days from the frame.
func (f *frame) habitOf(p *point) habit {
	var h habit
	energy, night := f.columns[columnOf(sdk.EnergyKWh)], f.columns[columnOf(sdk.NightKW)]
	for _, t := range p.tenures {
		if t.record.CustomerID != p.current.CustomerID {
			continue
		}
		at, ok := f.rows[t.record.MeterID]
		if !ok {
			continue
		}
		from, to := at*f.n()+int(t.first-f.days.first), at*f.n()+int(t.last-f.days.first)
		for i := from; i <= to; i++ {
			h.energy.add(energy[i])
			h.night.add(night[i])
		}
	}
	return h
}
