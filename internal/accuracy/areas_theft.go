package accuracy

import "math"

// steal adds one theft to a site: a share that the meter leaves out, a load
// fed around the meter, or one that somebody taps.
func (t *trial) steal(s *site) {
	from := 0
	if t.rng.Float64() < 0.75 {
		from = int(float64(t.Days) * (0.15 + 0.6*t.rng.Float64()))
	}
	s.truth.FromDay = from
	k := t.rng.IntN(len(s.loads))
	for range 3 { // who takes little has little to steal
		if mean(s.loads[k].taken) < 0.2 {
			k = t.rng.IntN(len(s.loads))
		}
	}
	culprit := s.loads[k]
	switch t.rng.IntN(3) {
	case 0:
		s.truth.Theft, s.truth.Culprit = "fractional", culprit.load.ID
		t.fractional(s, culprit, from*t.perDay)
	case 1:
		s.truth.Theft, s.truth.Culprit = "bypass", culprit.load.ID
		t.bypass(s, culprit, from*t.perDay)
	default:
		s.truth.Theft = "direct_tap"
		t.tap(s, from*t.perDay)
	}
	for _, v := range s.extra {
		s.truth.KW += v / float64(t.n-from*t.perDay)
	}
	if s.truth.Culprit != "" {
		culprit.thief = true
		for i := range culprit.taken {
			s.truth.KW += (culprit.taken[i] - culprit.load.KW[i]) / float64(t.n-from*t.perDay)
		}
	}
	s.truth.Share = s.truth.KW / mean(s.input())
}

// hide takes a share of the load off the meter from an interval on.
func (r *resident) hide(from int, share func(i int) float64) {
	for i := from; i < len(r.load.KW); i++ {
		r.load.KW[i] = r.taken[i] * (1 - share(i))
	}
}

func (t *trial) fractional(s *site, r *resident, from int) {
	share := 0.25 + 0.6*t.rng.Float64()
	switch t.rng.IntN(4) {
	case 0:
		s.truth.Shape = "share_by_hours" // a magnet that is put on in the evening, or taken off by day
		begin := float64(t.rng.IntN(24))
		length := 8 + 8*t.rng.Float64()
		r.hide(from, func(i int) float64 {
			if math.Mod(t.hour(i)-begin+24, 24) < length {
				return share
			}
			return 0
		})
	case 1:
		s.truth.Shape = "share_with_noise" // a phase of the current transformers is shorted, loads of the phases differ
		r.hide(from, func(int) float64 { return min(max(share+0.12*t.rng.NormFloat64(), 0), 0.95) })
	default:
		s.truth.Shape = "constant_share"
		r.hide(from, func(int) float64 { return share })
	}
}

func (t *trial) bypass(s *site, r *resident, from int) {
	level := mean(r.taken)
	switch t.rng.IntN(5) {
	case 0:
		s.truth.Shape = "large_loads" // what is large hangs on the other wire
		limit := level * (0.4 + 0.8*t.rng.Float64())
		r.hide(from, func(i int) float64 { return max(r.taken[i]-limit, 0) / max(r.taken[i], 1e-9) })
	case 1:
		s.truth.Shape = "night_only"
		share := 0.6 + 0.4*t.rng.Float64()
		r.hide(from, func(i int) float64 {
			if h := t.hour(i); h >= 21 || h < 6 {
				return share
			}
			return 0
		})
	case 2:
		s.truth.Shape = "some_circuits" // each circuit is on or off by itself
		share, state := 0.4+0.4*t.rng.Float64(), 0.0
		r.hide(from, func(int) float64 {
			state = 0.7*state + 0.7*t.rng.NormFloat64()
			return min(max(share+0.15*state, 0), 1)
		})
	case 3:
		s.truth.Shape = "base_load" // a constant part of what was metered is moved
		part := level * (0.3 + 0.5*t.rng.Float64())
		r.hide(from, func(i int) float64 { return min(part, 0.9*r.taken[i]) / max(r.taken[i], 1e-9) })
	default:
		s.truth.Shape = "new_load" // a new load before the meter, on the same fuse
		kw := 0.8 + 5*t.rng.Float64()
		dark := map[int]bool{}
		for range t.rng.IntN(5) {
			at := from + t.rng.IntN(t.n-from)
			for i := at; i < min(at+t.perDay/24+t.rng.IntN(3*t.perDay/24), t.n); i++ {
				dark[i] = true
			}
		}
		for i := from; i < t.n; i++ {
			if dark[i] {
				r.taken[i], r.load.KW[i] = 0, 0
				continue
			}
			s.extra[i] += kw * (1 + 0.02*t.rng.NormFloat64())
		}
	}
}

func (t *trial) tap(s *site, from int) {
	kw := 0.6 * math.Exp(2.4*t.rng.Float64())
	switch t.rng.IntN(4) {
	case 0:
		s.truth.Shape = "evening"
		peak := 18 + 3*t.rng.Float64()
		for i := from; i < t.n; i++ {
			d := (t.hour(i) - peak) / 2.5
			s.extra[i] += kw * (0.2 + 1.5*math.Exp(-d*d/2)) * math.Exp(0.2*t.rng.NormFloat64())
		}
	case 1:
		s.truth.Shape = "irrigation_pump" // runs some hours on some days
		begin, on := 4+14*t.rng.Float64(), false
		for i := from; i < t.n; i++ {
			if i == from || i%t.perDay == 0 {
				on = t.rng.Float64() < 0.7
			}
			if h := t.hour(i); on && h >= begin && h < begin+6 {
				s.extra[i] += 2 * kw * (1 + 0.03*t.rng.NormFloat64())
			}
		}
	case 2:
		s.truth.Shape = "household" // a whole house that nobody connected
		house := t.resident(t.homes[t.rng.IntN(len(t.homes))], min(kw, 2))
		for i := from; i < t.n; i++ {
			s.extra[i] += house.taken[i]
		}
	default:
		s.truth.Shape = "flat"
		for i := from; i < t.n; i++ {
			s.extra[i] += kw * (1 + 0.01*t.rng.NormFloat64())
		}
	}
}
