package sim

import (
	"math"
	"math/rand/v2"
)

// mix is the finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection
// that spreads every input bit over the whole word.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb
	return x ^ (x >> 31)
}

// hash combines keys into one word; the order of keys matters.
func hash(keys ...uint64) uint64 {
	h := uint64(0x243f6a8885a308d3)
	for _, k := range keys {
		h = mix(h ^ k)
	}
	return h
}

// Streams of randomness, one for each purpose, so that a change in one part of
// the model leaves the others as they were.
const (
	streamLayout uint64 = iota + 1
	streamStories
	streamHousehold
	streamBusiness
	streamWeather
	streamDay
	streamGaps
	streamRecords
	streamRipple
	streamVacation
	streamTrips
	streamShift
	streamRegister
	streamEvents
	streamDisguise
)

// newRand returns the random source of the given keys.
func newRand(keys ...uint64) *rand.Rand {
	h := hash(keys...)
	return rand.New(rand.NewPCG(h, mix(h)))
}

// unit maps keys to a number in [0, 1).
func unit(keys ...uint64) float64 { return float64(hash(keys...)>>11) / (1 << 53) }

func uniform(r *rand.Rand, lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }

// logNormal has the given median; sigma is the standard deviation of the logarithm.
func logNormal(r *rand.Rand, median, sigma float64) float64 {
	return median * math.Exp(sigma*r.NormFloat64())
}

// between returns a whole number from lo to hi, both inclusive.
func between(r *rand.Rand, lo, hi int) int { return lo + r.IntN(hi-lo+1) }

func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

func pick[T any](r *rand.Rand, from ...T) T { return from[r.IntN(len(from))] }

// smoothNoise interpolates between random knots one period apart: noise in
// [-1, 1] that is continuous in x and known at every x without its past.
func smoothNoise(x, period float64, keys ...uint64) float64 {
	x /= period
	k := math.Floor(x)
	f := x - k
	h := hash(keys...)
	a := unit(h, uint64(int64(k)))
	b := unit(h, uint64(int64(k)+1))
	s := f * f * (3 - 2*f)
	return 2*(a+(b-a)*s) - 1
}

// hashString is FNV-1a.
func hashString(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

func hypot(a, b float64) float64 { return math.Sqrt(a*a + b*b) }
