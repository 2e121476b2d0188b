package accuracy

import (
	"math"

	"github.com/gridwarden/gridwarden/internal/grid"
)

// misplace makes the records of a site wrong, in one of four sites by the
// customers that they list and in one of ten by the lamps.
func (t *trial) misplace(s, next *site, a *Areas) {
	t.lamps(s)
	if s == next || len(s.recorded) < 4 || len(next.recorded) < 4 {
		return
	}
	move := func(from, to *site, r *resident) {
		kept := make([]*resident, 0, len(from.recorded))
		for _, x := range from.recorded {
			if x != r {
				kept = append(kept, x)
			}
		}
		from.recorded = kept
		if to != nil {
			to.recorded = append(to.recorded, r)
			a.Elsewhere[r.load.ID] = from.id
		}
	}
	here := s.loads[t.rng.IntN(len(s.loads))]
	there := next.loads[t.rng.IntN(len(next.loads))]
	if here.thief || there.thief {
		return
	}
	switch t.rng.IntN(14) {
	case 0: // hangs here and is recorded at the neighbour
		move(s, next, here)
		s.truth.Records = append(s.truth.Records, "missing_customer")
		next.truth.Records = append(next.truth.Records, "member_elsewhere")
	case 1:
		move(s, next, here)
		move(next, s, there)
		s.truth.Records = append(s.truth.Records, "swapped")
		next.truth.Records = append(next.truth.Records, "swapped")
	case 2: // in no record at all
		move(s, nil, here)
		s.truth.Records = append(s.truth.Records, "missing_customer")
	}
}

// lamps puts street light on half of the sites and records it more or less
// rightly.
func (t *trial) lamps(s *site) {
	if t.rng.IntN(2) == 0 {
		return
	}
	kw := 0.2 + 1.6*t.rng.Float64()
	for i := range s.extra {
		s.extra[i] += kw * t.dark(i)
	}
	load := grid.UnmeteredLoad{TransformerID: s.id, Kind: "street_light", KW: kw * (1 + 0.05*t.rng.NormFloat64()), Hours: "dusk_to_dawn"}
	switch t.rng.IntN(10) {
	case 0:
		s.truth.Records = append(s.truth.Records, "street_light_missing")
		return
	case 1:
		s.truth.Records = append(s.truth.Records, "street_light_wrong")
		load.KW *= 0.5 + 0.2*float64(t.rng.IntN(2))*4
	}
	s.listed = append(s.listed, load)
}

// dark is the share of interval i in which lamps burn; the days grow longer or
// shorter by three minutes each, and clouds move the switch.
func (t *trial) dark(i int) float64 {
	day := float64(i / t.perDay)
	shift := math.Sin(7*day) * 0.1
	sunset := t.season + 0.05*day*math.Copysign(1, 18.5-t.season)/2 + shift
	sunrise := 24 - sunset + 0.6
	h, step := t.hour(i), 24/float64(t.perDay)
	share := min(max((h+step-sunset)/step, 0), 1)
	return max(share, min(max((sunrise-h)/step, 0), 1))
}
