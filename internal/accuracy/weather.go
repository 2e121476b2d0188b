package accuracy

import (
	"math"
	"math/rand/v2"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// Weather returns an outdoor temperature in °C for each hour of the days: a
// temperate year, a daily swing and spells of a few days.
func Weather(rng *rand.Rand, first curve.Date, days int) []float64 {
	out := make([]float64, days*24)
	spell := rng.NormFloat64() * 3
	mean, swing := 6+8*rng.Float64(), 3+3*rng.Float64()
	for d := range days {
		spell = 0.8*spell + 1.9*rng.NormFloat64()
		season := -8 * math.Cos(2*math.Pi*(float64(int(first)+d)-15)/365.25)
		for h := range 24 {
			out[d*24+h] = mean + season + spell + swing*math.Sin(2*math.Pi*float64(h-9)/24)
		}
	}
	return out
}
