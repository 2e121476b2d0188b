package detect

import (
	"math"
	"sort"

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

type habit struct{ energy, night float64 }

// peerBands returns the band of each point by id.
func peerBands(network *grid.Network, r *roster, f *frame) map[string]band {
	type key struct{ category, use string }
	groups := func(p *point) []key {
		c := network.Customer(p.current.CustomerID)
		if c == nil {
			return []key{{}}
		}
		return []key{{string(c.Category), c.DeclaredUse}, {string(c.Category), ""}, {}}
	}
	habits := make(map[string]habit, len(r.points))
	energies, nights := make(map[key][]float64), make(map[key][]float64)
	for _, p := range r.points {
		own := p.own()
		energy, days := f.mean(sdk.EnergyKWh, f.days, own)
		if days == 0 {
			continue
		}
		night, _ := f.mean(sdk.NightKW, f.days, own)
		habits[p.id] = habit{energy, night}
		for _, g := range groups(p) {
			energies[g] = append(energies[g], energy)
			if !math.IsNaN(night) {
				nights[g] = append(nights[g], night)
			}
		}
	}
	for g := range energies {
		sort.Float64s(energies[g])
		sort.Float64s(nights[g])
	}
	bands := make(map[string]band, len(r.points))
	for _, p := range r.points {
		h, counted := habits[p.id]
		if !counted {
			h = habit{math.NaN(), math.NaN()}
		}
		for _, g := range groups(p) {
			others := len(energies[g])
			if counted {
				others--
			}
			if others < minPeers && g != (key{}) {
				continue
			}
			if others > 0 {
				bands[p.id] = band{
					low: quantileWithout(energies[g], h.energy, 0.1), median: quantileWithout(energies[g], h.energy, 0.5),
					high: quantileWithout(energies[g], h.energy, 0.9), nightHigh: quantileWithout(nights[g], h.night, 0.9),
					count: others,
				}
			}
			break
		}
	}
	return bands
}

// quantileWithout returns quantile q of the sorted values, one occurrence of
// self left out (NaN: none is), interpolated between neighbours; NaN where
// nothing is left.
func quantileWithout(sorted []float64, self, q float64) float64 {
	n, skip := len(sorted), len(sorted)
	if !math.IsNaN(self) {
		if skip = sort.SearchFloat64s(sorted, self); skip < n {
			n--
		}
	}
	if n == 0 {
		return math.NaN()
	}
	at := func(i int) float64 {
		if i >= skip {
			i++
		}
		return sorted[i]
	}
	position := q * float64(n-1)
	low := int(position)
	if low+1 >= n {
		return at(n - 1)
	}
	share := position - float64(low)
	return at(low)*(1-share) + at(low+1)*share
}
