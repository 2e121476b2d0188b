package accuracy

import (
	"math"
	"math/rand/v2"
)

// FlatKinds are the legitimate loads that look like mines.
func FlatKinds() []string {
	return []string{"cold_store", "telecom_mast", "data_room", "shop_24h", "ev_charger", "heat_pump"}
}

// AddFlat adds a legitimate flat load of a kind to a load in place; half of
// them begin within the window. The records name it in four of five cases.
func AddFlat(rng *rand.Rand, kind string, l *Load, temp []float64) {
	mean := l.MeanKW()
	size := math.Exp(math.Log(1.5) + rng.Float64()*math.Log(max(7, 0.6*mean)/1.5))
	from := 0
	if rng.Float64() < 0.5 {
		from = int(float64(l.Days) * (0.15 + 0.6*rng.Float64()))
	}
	power := flatShape(rng, kind, l, temp)
	for i := range l.KW {
		if i/l.PerDay() >= from {
			l.KW[i] += size * power(i)
		}
	}
	l.Truth = Truth{Flat: kind, KW: size, Ratio: size / mean, FromDay: from}
	declareFlat(rng, kind, l)
}

func declareFlat(rng *rand.Rand, kind string, l *Load) {
	if rng.Float64() > 0.8 {
		return
	}
	switch kind {
	case "cold_store", "telecom_mast", "shop_24h":
		l.DeclaredUse, l.Category = kind, "commercial"
	case "data_room":
		l.DeclaredUse, l.Category, l.RegisteredDC = "data_centre", "commercial", true
	}
}

// flatShape returns the power of a load of unit size in interval i.
func flatShape(rng *rand.Rand, kind string, l *Load, temp []float64) func(i int) float64 {
	perDay := l.PerDay()
	at := func(i int) (hour float64, t float64, weekend bool) {
		minute := i * l.StepMinutes
		day := i / perDay
		w := (int(l.First) + day + 4) % 7
		return float64(minute%1440) / 60, temp[min(minute/60, len(temp)-1)], w == 0 || w == 6
	}
	bell := func(h, centre, width float64) float64 {
		return math.Exp(-(h - centre) * (h - centre) / (2 * width * width))
	}
	switch kind {
	case "cold_store":
		duty, phase, period := 0.55+0.2*rng.Float64(), rng.Float64(), (0.4+1.2*rng.Float64())*60/float64(l.StepMinutes)
		defrost := rng.IntN(6)
		return func(i int) float64 {
			h, t, _ := at(i)
			d := min(max(duty+0.012*(t-12)+0.08*bell(h, 11, 3), 0.2), 1)
			cycle := math.Mod(phase+float64(i)/period*(1+0.1*math.Sin(float64(i)/50)), 1)
			v := d
			if period > 1 { // the cycle is longer than the interval and shows
				v = 0.1
				if cycle < d {
					v = 1
				}
			} else {
				v += 0.12 * rng.NormFloat64()
			}
			if int(h)%6 == defrost {
				v += 0.15
			}
			return max(v, 0) * (1 + 0.03*rng.NormFloat64())
		}
	case "telecom_mast":
		traffic, cooling := 0.04+0.1*rng.Float64(), 0.003+0.012*rng.Float64()
		return func(i int) float64 {
			h, t, _ := at(i)
			return 1 + traffic*(bell(h, 19, 5)-bell(h, 4, 3)) + cooling*max(t-10, 0) + 0.012*rng.NormFloat64()
		}
	case "data_room":
		office, growth := 0.05*rng.Float64(), 0.0015*rng.Float64()
		return func(i int) float64 {
			h, t, weekend := at(i)
			v := 1 + growth*float64(i/perDay) + 0.004*max(t-14, 0) + 0.01*rng.NormFloat64()
			if !weekend {
				v += office * bell(h, 14, 4)
			}
			return v
		}
	case "shop_24h":
		base := 0.5 + 0.15*rng.Float64()
		return func(i int) float64 {
			h, t, _ := at(i)
			v := base + 0.3*bell(h, 18, 5) + 0.12*bell(h, 12, 3) + 0.008*max(t-15, 0)
			if h < 7 || h > 18 {
				v += 0.1
			}
			return v * (1 + 0.06*rng.NormFloat64())
		}
	case "ev_charger":
		start, nightly := 18+6*rng.Float64(), 0.4+0.55*rng.Float64()
		var day, beginAt, endAt = -1, 0.0, 0.0
		return func(i int) float64 {
			if d := (i*l.StepMinutes/60 + 12) / 24; d != day { // a night runs from noon to noon
				day, beginAt, endAt = d, math.Inf(1), 0
				if rng.Float64() < nightly {
					beginAt = float64(d)*24 - 24 + start + 0.7*rng.NormFloat64()
					endAt = beginAt + 1.5 + 4.5*rng.Float64()
				}
			}
			h := float64(i*l.StepMinutes) / 60
			if h >= beginAt && h < endAt {
				return 1.6 * (1 + 0.01*rng.NormFloat64())
			}
			return 0
		}
	default: // heat_pump
		setback, slope := 0.3*rng.Float64(), 0.05+0.03*rng.Float64()
		return func(i int) float64 {
			h, t, _ := at(i)
			v := slope * max(17-t, 0)
			if h < 6 || h > 22 {
				v *= 1 - setback
			}
			v += 0.5 * bell(h, 6.5, 0.8)
			return max(v*(1+0.2*rng.NormFloat64()), 0)
		}
	}
}
