package accuracy

import (
	"math"
	"math/rand/v2"
)

// lose takes out whole days and short gaps.
func lose(rng *rand.Rand, l *Load) {
	for range 1 + rng.IntN(l.Days/7) {
		from, length := rng.IntN(len(l.KW)), 1+rng.IntN(2*l.PerDay())
		for i := from; i < min(from+length, len(l.KW)); i++ {
			l.KW[i] = math.NaN()
		}
	}
}
