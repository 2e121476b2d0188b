package sim

import (
	"math"
	"math/rand/v2"
)

// load is one consumer of power behind a usage point.
type load interface {
	// add adds the day's mean power to kw. r is the source of this load on
	// this day; an implementation keeps no state of its own.
	add(e *env, r *rand.Rand, kw *dayKW)
	// tanPhi is the ratio of reactive to active power.
	tanPhi() float64
}

// tanOf converts a power factor to tan φ.
func tanOf(pf float64) float64 { return math.Sqrt(1/(pf*pf) - 1) }
