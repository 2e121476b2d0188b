package mining

import (
	"math"
	"strings"
)

// Mixed stands in sdk.AttrListedAlgorithm for several algorithms together.
const Mixed = "mixed"

// Find returns the algorithm of a name as people write it: its code, name or a
// synonym, whatever the case and punctuation.
func Find(name string) (a Algorithm, ok bool) {
	want := plain(name)
	if want == "" {
		return Algorithm{}, false
	}
	for _, a := range Algorithms() {
		if plain(a.Code) == want || plain(a.Name) == want {
			return a, true
		}
		for _, s := range a.Synonyms {
			if plain(s) == want {
				return a, true
			}
		}
	}
	return Algorithm{}, false
}

// OfCoin returns the algorithm that a coin is mined with, by its ticker.
func OfCoin(ticker string) (a Algorithm, ok bool) {
	want := strings.ToUpper(strings.TrimSpace(ticker))
	if want == "" {
		return Algorithm{}, false
	}
	for _, a := range Algorithms() {
		for _, c := range a.Coins {
			if c == want {
				return a, true
			}
		}
	}
	return Algorithm{}, false
}

// Resolve returns the algorithm of a record that may name it, the coin, or
// both; the algorithm goes before the coin.
func Resolve(name, coin string) (a Algorithm, ok bool) {
	if a, ok = Find(name); ok {
		return a, true
	}
	if strings.TrimSpace(name) != "" {
		if a, ok = OfCoin(name); ok { // a ticker in the wrong column
			return a, true
		}
		return Algorithm{}, false // an algorithm that is not known is not the coin's usual one
	}
	if a, ok = OfCoin(coin); ok {
		return a, true
	}
	return Find(coin)
}

// plain drops case and everything but letters and digits.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		case r >= 'A' && r <= 'Z':
			return r - 'A' + 'a'
		}
		return -1
	}, s)
}

// ExpectedKW returns the power that a hash rate of an algorithm needs, kW: low
// with the most efficient machines in use, high with the least. ok is false
// where the algorithm is not known or the hash rate is none.
func ExpectedKW(algorithm string, hashesPerSecond float64) (low, high float64, ok bool) {
	a, ok := Find(algorithm)
	if !ok || !(hashesPerSecond > 0) || math.IsInf(hashesPerSecond, 0) {
		return 0, 0, false
	}
	low, _, high = a.KW(hashesPerSecond)
	return low, high, true
}

// KW returns the power that a hash rate needs, kW: with the most efficient
// machines in use, with typical ones and with the least efficient.
func (a Algorithm) KW(hashesPerSecond float64) (low, typical, high float64) {
	kw := func(m Machine) float64 { return m.JoulesPerHash() * hashesPerSecond / 1000 }
	return kw(a.Best), kw(a.Typical), kw(a.Worst)
}

// RigClass is a size of machine in which mining comes.
type RigClass struct {
	Code          string
	Text          string
	LowKW, HighKW float64
}

// RigClasses lists the sizes in which mining machines come: mining power grows
// in steps of these.
func RigClasses() []RigClass {
	return []RigClass{
		{"gpu_rig", "a rig of two to eight graphics cards", 0.3, 1.2},
		{"asic", "an ASIC miner", 1.3, 3.6},
	}
}

// ClassOf returns the class that a step of power falls into; ok is false where
// it is smaller than any rig, lies between the classes or is more than one
// machine draws.
func ClassOf(kw float64) (c RigClass, ok bool) {
	for _, c := range RigClasses() {
		if kw >= c.LowKW && kw <= c.HighKW {
			return c, true
		}
	}
	return RigClass{}, false
}
