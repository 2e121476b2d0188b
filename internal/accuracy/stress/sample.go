package stress

import (
	"math/rand/v2"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/registry"
	"github.com/gridwarden/gridwarden/plugins/hiddenmining"
)

// Sample is a measured scene to learn from.
type Sample struct {
	accuracy.Example
	Kind  string
	Host  int
	Big   bool
	Class hiddenmining.Class
	Truth accuracy.Truth

	registered bool // as a data centre
}

// Samples draws scenes on every host, from longer hosts the more of them, and
// measures them with their raw curves.
func Samples(rng *rand.Rand, hosts []accuracy.Load, repeats int, uses *registry.Uses) []Sample {
	var out []Sample
	for number := range hosts {
		n := repeats
		if hosts[number].DeclaredUse != "dwelling" {
			n *= 8
		}
		for range n {
			s := New(rng, &hosts[number], number, Options{})
			if s.Kind == "mine" && rng.IntN(5) == 0 {
				s.cover(rng)
			}
			w := s.Window(rng, uses, 0.01)(true)
			m, ok := hiddenmining.Measure(w, 0)
			if !ok {
				continue
			}
			out = append(out, Sample{
				Example: accuracy.Example{Factors: m.Factors, Mine: s.Kind == "mine"},
				Kind:    s.Kind, Host: number, Big: s.Big, Class: hiddenmining.ClassOf(&m, &w.Subjects[0]), Truth: s.Truth, registered: s.RegisteredDC,
			})
		}
	}
	weigh(out)
	return out
}

// cover hides a mine behind the declaration of a flat use, in half of the
// cases beside the real thing.
func (s *Scene) cover(rng *rand.Rand) {
	use := [...]string{"cold_store", "telecom_mast", "shop_24h"}[rng.IntN(3)]
	s.DeclaredUse, s.Category = use, "commercial"
	if rng.IntN(2) == 0 {
		shape, size := s.shape(rng, use), s.Truth.KW*(0.4+1.2*rng.Float64())
		for i := range s.KW {
			s.KW[i] += size * shape(i)
		}
	}
}

// unlisted is what share of a kind's weight an undeclared one keeps: customers
// who have to declare their use mostly do, and a data room that is not
// registered is to be flagged, whatever it computes.
func unlisted(s *Sample) float64 {
	switch s.Kind {
	case "data_room":
		if s.registered {
			return 0 // the registration clears it, not the card
		}
		return 0.25
	case "cold_store", "telecom_mast", "shop_24h":
		return 0.5
	}
	return 1
}

// shareOf is how common a kind is among the innocent. The six that the shares
// of other benches are counted in make up 8 % of them.
func shareOf(kind string) float64 {
	switch kind {
	case "none":
		return 0.84
	case "absence":
		return 0.03
	case "new_tenant":
		return 0.01
	case "growing_business", "pump", "office_server", "night_storage":
		return 0.008
	case "internet_cafe", "grow_lights":
		return 0.004
	}
	return 0.08 / 6
}

// weigh gives each sample the weight of its kind in its class: homes, small
// businesses and buildings count alike, mines as much as all the innocent.
func weigh(samples []Sample) {
	type group struct {
		kind string
		big  bool
	}
	drawn := map[group]float64{}
	for i := range samples {
		drawn[group{samples[i].Kind, samples[i].Big}]++
	}
	for i := range samples {
		s := &samples[i]
		share := 1.0
		if !s.Mine {
			share = shareOf(s.Kind)
		}
		if s.Class != hiddenmining.Declared {
			share *= unlisted(s)
		}
		s.Weight = share / drawn[group{s.Kind, s.Big}]
	}
}
