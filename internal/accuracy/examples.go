package accuracy

import (
	"math"
	"math/rand/v2"

	"github.com/gridwarden/gridwarden/plugins/hiddenmining"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Sample is one measured load with its truth.
type Sample struct {
	Example
	Kind  string // "none", "mine", or the kind of flat load
	Host  int    // number of the host load, for cross-validation by host
	Home  bool   // declared as a dwelling
	Big   bool   // a business or public building
	Truth Truth
}

// Samples takes every host several times, at differing length, resolution and
// share of missing data, adds a mine, a legitimate flat load or nothing, and
// measures it. Homes serve as hosts of small businesses too.
func Samples(rng *rand.Rand, hosts []Load, repeats int, curves bool) []Sample {
	var out []Sample
	for host := range hosts {
		for range repeats {
			l := vary(rng, &hosts[host])
			kind := inject(rng, &l)
			if m, ok := measure(rng, &l, curves); ok {
				out = append(out, Sample{
					Example: Example{Factors: m.Factors, Mine: l.Truth.Mine},
					Kind:    kind, Host: host, Home: l.DeclaredUse == "dwelling", Big: hosts[host].DeclaredUse != "dwelling", Truth: l.Truth,
				})
			}
		}
	}
	return out
}

// vary cuts a stretch out of a host and gives it another resolution.
func vary(rng *rand.Rand, host *Load) Load {
	days := min(host.Days, 21+rng.IntN(100))
	if rng.IntN(4) > 0 {
		days = min(host.Days, 92)
	}
	l := host.Segment(rng.IntN(host.Days-days+1), days)
	if l.StepMinutes == 30 && rng.IntN(2) == 0 {
		l = l.Coarser(60)
	}
	if rng.IntN(4) == 0 {
		lose(rng, &l)
	}
	if l.DeclaredUse == "dwelling" && rng.IntN(4) == 0 {
		l.DeclaredUse, l.Category = "shop", "commercial"
	}
	return l
}

// lose takes out whole days and short gaps.
func lose(rng *rand.Rand, l *Load) {
	for range 1 + rng.IntN(l.Days/7) {
		from, length := rng.IntN(len(l.KW)), 1+rng.IntN(2*l.PerDay())
		for i := from; i < min(from+length, len(l.KW)); i++ {
			l.KW[i] = math.NaN()
		}
	}
}

// inject adds a mine of either make, a flat load or nothing, a third each.
func inject(rng *rand.Rand, l *Load) string {
	temp := Weather(rng, l.First, l.Days)
	switch rng.IntN(6) {
	case 0:
		UnitMiner(rng, l, temp)
	case 1:
		RigMiner(rng, l, temp)
	case 2, 3:
		kinds := FlatKinds()
		kind := kinds[rng.IntN(len(kinds))]
		declared, category, dc := l.DeclaredUse, l.Category, l.RegisteredDC
		AddFlat(rng, kind, l, temp)
		l.DeclaredUse, l.Category, l.RegisteredDC = declared, category, dc // the shape must tell
		return kind
	default:
		return "none"
	}
	return "mine"
}

func measure(rng *rand.Rand, l *Load, curves bool) (hiddenmining.Measures, bool) {
	w := window(l, curves)
	n := w.Subjects[0].Numbers
	n[sdk.AttrPeerNightKW], n[sdk.AttrPeerCount] = 0.3+0.4*rng.Float64(), 100
	return hiddenmining.Measure(w, 0)
}

// Priors of the classes among what is innocent. Of the flat loads that a
// customer has to declare, one in ten is not.
const (
	flatShare  = 0.08
	undeclared = 0.1
)

// declarable are the flat loads that go with a declared use of their own.
func declarable(kind string) bool {
	return kind == "cold_store" || kind == "telecom_mast" || kind == "data_room" || kind == "shop_24h"
}

// Weigh gives each sample the weight of its kind among customers whose
// declared use is not flat by nature; homes, small businesses and buildings
// count alike.
func Weigh(samples []Sample) {
	type class struct {
		kind      string
		home, big bool
	}
	counts := map[class]float64{}
	of := func(s *Sample) class { return class{s.Kind, s.Home, s.Big} }
	for i := range samples {
		counts[of(&samples[i])]++
	}
	each := flatShare / float64(len(FlatKinds()))
	for i := range samples {
		share := each
		switch {
		case samples[i].Kind == "mine":
			share = 1
		case samples[i].Kind == "none":
			share = 1 - flatShare
		case declarable(samples[i].Kind):
			share *= undeclared
		}
		samples[i].Weight = share / counts[of(&samples[i])]
	}
}

// WeighDeclared gives each sample its weight among customers whose declared
// use is flat by nature: mines against flat loads alone.
func WeighDeclared(samples []Sample) {
	counts := map[string]float64{}
	for i := range samples {
		counts[samples[i].Kind]++
	}
	for i := range samples {
		switch {
		case samples[i].Kind == "mine":
			samples[i].Weight = 1 / counts["mine"]
		case samples[i].Kind == "none":
			samples[i].Weight = 0.1 / counts["none"]
		case declarable(samples[i].Kind) && samples[i].Kind != "data_room":
			samples[i].Weight = 0.3 / counts[samples[i].Kind]
		}
	}
}
