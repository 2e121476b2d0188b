package stress

import (
	"math"
	"math/rand/v2"

	"github.com/gridwarden/gridwarden/internal/accuracy"
)

// Lookalikes are the innocent loads that look like mines or rise like them.
func Lookalikes() []string {
	return []string{
		"cold_store", "telecom_mast", "data_room", "shop_24h", "ev_charger", "heat_pump",
		"internet_cafe", "growing_business", "grow_lights", "pump", "office_server", "night_storage", "absence", "new_tenant",
	}
}

// added by kind: power factor and distortion of the current.
func character(rng *rand.Rand, kind string) supply {
	switch kind {
	case "cold_store", "pump", "heat_pump":
		return supply{0.72 + 0.2*rng.Float64(), 2 + 6*rng.Float64()}
	case "night_storage":
		return supply{0.999, 1 + 2*rng.Float64()}
	case "ev_charger":
		return supply{0.985 + 0.01*rng.Float64(), 3 + 6*rng.Float64()}
	}
	return supply{0.88 + 0.11*rng.Float64(), 6 + 18*rng.Float64()}
}

// lookalike adds the scene's kind of innocent load; half begin within the window.
func (s *Scene) lookalike(rng *rand.Rand) supply {
	mean, perDay := s.MeanKW(), s.PerDay()
	from := 0
	if rng.IntN(2) == 0 {
		from = int(float64(s.Days) * (0.1 + 0.75*rng.Float64()))
	}
	size := math.Exp(math.Log(1) + rng.Float64()*math.Log(max(9, 0.8*mean)))
	switch s.Kind {
	case "office_server":
		size = 0.15 + 0.6*rng.Float64()
	case "pump", "grow_lights":
		size = 0.1 + 1.2*rng.Float64()
	}
	shape := s.shape(rng, s.Kind)
	for i := from * perDay; i < len(s.KW); i++ {
		s.added[i] = size * shape(i)
	}
	switch s.Kind {
	case "absence": // nobody is there for some days: what is left is even
		length := min(3+rng.IntN(20), s.Days/2)
		from = rng.IntN(s.Days - length)
		for d := from; d < from+length; d++ {
			values := s.KW[d*perDay : (d+1)*perDay]
			low := lowest(values)
			for i, v := range values {
				s.added[d*perDay+i] = -0.95 * max(v-low, 0)
			}
		}
	case "new_tenant", "growing_business":
		s.grow(rng, from)
	}
	s.Truth = accuracy.Truth{Flat: s.Kind, KW: size, Ratio: size / mean, FromDay: from}
	s.declare(rng)
	return character(rng, s.Kind)
}

func lowest(v []float64) float64 {
	low := math.Inf(1)
	for _, x := range v {
		if x < low {
			low = x
		}
	}
	return low
}

// grow lets the host's own load grow: at once with a tenant, over weeks with
// trade, and then mostly while it is open.
func (s *Scene) grow(rng *rand.Rand, from int) {
	perDay := s.PerDay()
	gain, weeks := 0.4+2*rng.Float64(), 0.0
	if s.Kind == "growing_business" {
		gain, weeks = 0.2+1.2*rng.Float64(), 1+8*rng.Float64()
	}
	for i := range s.KW {
		s.added[i] = 0
		if i < from*perDay || math.IsNaN(s.KW[i]) {
			continue
		}
		g := gain
		if weeks > 0 {
			h := float64(i%perDay*s.StepMinutes) / 60
			g *= min(float64(i/perDay-from)/(7*weeks), 1) * (0.15 + 0.85*bell(h, 13.5, 4))
		}
		s.added[i] = g * s.KW[i]
	}
}

// declare lets the records name a use of its own in four of five cases.
func (s *Scene) declare(rng *rand.Rand) {
	if rng.IntN(5) == 0 {
		return
	}
	switch s.Kind {
	case "cold_store", "telecom_mast", "shop_24h", "internet_cafe":
		s.DeclaredUse, s.Category = s.Kind, "commercial"
	case "data_room":
		s.DeclaredUse, s.Category, s.RegisteredDC = "data_centre", "commercial", true
	case "growing_business":
		s.DeclaredUse, s.Category = "shop", "commercial"
	default:
		return
	}
	s.ContractedKVA = max(s.ContractedKVA, 2*s.Truth.KW)
}

func bell(h, centre, width float64) float64 {
	d := math.Mod(h-centre+36, 24) - 12
	return math.Exp(-d * d / (2 * width * width))
}
