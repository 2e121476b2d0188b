package stress

import (
	"math"
	"math/rand/v2"
)

// shape returns the power of a look-alike of unit size in interval i.
func (s *Scene) shape(rng *rand.Rand, kind string) func(i int) float64 {
	perDay := s.PerDay()
	at := func(i int) (hour, t float64, weekend bool) {
		w := (int(s.First) + i/perDay + 4) % 7
		return float64(i%perDay*s.StepMinutes) / 60, s.TempC[min(i*s.StepMinutes/60, len(s.TempC)-1)], w == 0 || w == 6
	}
	switch kind {
	case "cold_store", "pump":
		return s.cycles(rng, kind == "cold_store", at)
	case "telecom_mast":
		traffic, air, phase := 0.03+0.09*rng.Float64(), 0.2*rng.Float64(), 2*rng.Float64()
		return func(i int) float64 {
			h, t, _ := at(i)
			return 1 + traffic*(bell(h, 19+phase, 5)-bell(h, 4, 3)) + air*min(max((t-18)/15, 0), 1) + 0.01*rng.NormFloat64()
		}
	case "data_room", "office_server":
		air, growth, jobs := 0.1*rng.Float64(), 0.001*rng.Float64(), 0.04*rng.Float64()
		return func(i int) float64 {
			h, t, weekend := at(i)
			v := 1 + growth*float64(i/perDay) + air*min(max((t-10)/20, 0), 1) + 0.008*rng.NormFloat64() + jobs*bell(h, 2, 1)
			if !weekend {
				v += jobs * bell(h, 14, 4)
			}
			return v
		}
	case "shop_24h", "internet_cafe":
		return s.premises(rng, kind == "internet_cafe", at)
	case "ev_charger", "night_storage":
		return s.nights(rng, kind == "night_storage", at)
	case "heat_pump":
		return heatPump(rng, at)
	case "grow_lights":
		hours, on := [...]float64{12, 18, 20}[rng.IntN(3)], 24*rng.Float64()
		return func(i int) float64 {
			if h, _, _ := at(i); math.Mod(h-on+24, 24) < hours {
				return 1 + 0.005*rng.NormFloat64()
			}
			return 0.03
		}
	}
	return func(int) float64 { return 0 }
}

type clock func(i int) (hour, t float64, weekend bool)

// cycles are compressors and pumps: on and off by a thermostat or float.
func (s *Scene) cycles(rng *rand.Rand, cold bool, at clock) func(i int) float64 {
	period := (0.3 + 1.5*rng.Float64()) * 60 // minutes
	duty, warm := 0.4+0.35*rng.Float64(), 0.01
	compressors := 1
	if cold {
		compressors = 1 + rng.IntN(4)
	} else {
		warm = 0
	}
	phase := make([]float64, compressors)
	for k := range phase {
		phase[k] = rng.Float64()
	}
	const parts = 5
	return func(i int) float64 {
		h, t, _ := at(i)
		d := min(max(duty+warm*(t-10)+0.1*bell(h, 12, 4), 0.15), 0.97)
		on := 0.0
		for k := range phase {
			for range parts {
				if phase[k] < d {
					on++
				}
				phase[k] = math.Mod(phase[k]+float64(s.StepMinutes)/parts/period*(1+0.15*rng.NormFloat64())+1, 1)
			}
		}
		return 0.08 + on/float64(parts*compressors)
	}
}

// premises are shops and cafés that are open all night: less of it by night.
func (s *Scene) premises(rng *rand.Rand, cafe bool, at clock) func(i int) float64 {
	base, evening, lights := 0.45+0.2*rng.Float64(), 0.25, 0.08
	if cafe {
		base, evening = 0.25+0.2*rng.Float64(), 0.6
	}
	day, custom := -1, 1.0
	return func(i int) float64 {
		h, t, weekend := at(i)
		if d := i / s.PerDay(); d != day {
			day, custom = d, 0.85+0.3*rng.Float64()
			if weekend {
				custom *= 1.15
			}
		}
		v := base + custom*(evening*bell(h, 20, 4)+0.15*bell(h, 13, 3)) + 0.006*max(t-16, 0)
		if h < 6.5 || h > 18.5 {
			v += lights
		}
		return v * (1 + 0.05*rng.NormFloat64())
	}
}

// nights are loads of some hours a night: a car, or heaters that charge more
// the colder it is.
func (s *Scene) nights(rng *rand.Rand, storage bool, at clock) func(i int) float64 {
	start, often := 17+8*rng.Float64(), 0.35+0.6*rng.Float64()
	if storage {
		start, often = 22+2*rng.Float64(), 1
	}
	night, from, to := -1, 0.0, 0.0
	return func(i int) float64 {
		clockHour := float64(i*s.StepMinutes) / 60
		if n := int(clockHour+10) / 24; n != night {
			night, from, to = n, 0, 0
			if rng.Float64() < often {
				from = float64(n)*24 - 24 + start
				to = from + 1 + 5*rng.Float64()
				if storage {
					_, t, _ := at(i)
					to = from + min(max(0.5*(17-t), 0), 8)
				} else {
					from += 0.8 * rng.NormFloat64()
				}
			}
		}
		step := float64(s.StepMinutes) / 60
		return 1.5 * min(max((min(to, clockHour+step)-max(from, clockHour))/step, 0), 1)
	}
}

func heatPump(rng *rand.Rand, at clock) func(i int) float64 {
	slope, setback, limit := 0.04+0.05*rng.Float64(), 0.4*rng.Float64(), 14+4*rng.Float64()
	return func(i int) float64 {
		h, t, _ := at(i)
		v := slope * max(limit-t, 0)
		if h < 6 || h >= 22 {
			v *= 1 - setback
		}
		v += 0.4 * bell(h, 6.5, 0.7)
		return max(v*(1+0.25*rng.NormFloat64()), 0)
	}
}
