package stress

import (
	"math"
	"math/rand/v2"
)

// supply is how a load draws its current.
type supply struct {
	pf  float64 // power factor
	thd float64 // of the current, %
}

// electrical gives the meter a daily power factor and harmonic distortion: the
// host's and the added load's active power, and the rest of their apparent
// power, add up each by itself.
func (s *Scene) electrical(rng *rand.Rand, added supply) {
	host := supply{0.86 + 0.11*rng.Float64(), 5 + 20*rng.Float64()}
	perDay := s.PerDay()
	s.pf, s.thd = make([]float32, s.Days), make([]float32, s.Days)
	for d := range s.Days {
		own, extra := 0.0, 0.0
		for i := d * perDay; i < (d+1)*perDay; i++ {
			if !math.IsNaN(s.KW[i]) {
				own += s.KW[i]
			}
			extra += s.added[i]
		}
		pf := host.pf + 0.008*rng.NormFloat64()
		q := own*math.Tan(math.Acos(min(pf, 0.999))) + extra*math.Tan(math.Acos(min(added.pf, 0.999)))
		total := own + extra
		h := math.Hypot(own*host.thd, extra*added.thd)
		s.pf[d] = float32(total / math.Hypot(total, q))
		s.thd[d] = float32(h/max(total, 1e-6) + 0.4*rng.NormFloat64())
	}
}
