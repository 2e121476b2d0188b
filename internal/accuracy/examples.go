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
	Home  bool
	Truth Truth
}

// Samples takes every host several times, at differing length, resolution and
// share of missing data, adds a mine, a legitimate flat load or nothing, and
// measures it. Weights give the flat loads 8 % of what is innocent.
func Samples(rng *rand.Rand, hosts []Load, repeats int, curves bool) []Sample {
	var out []Sample
	for host := range hosts {
		for range repeats {
			l := vary(rng, &hosts[host])
			kind := inject(rng, &l)
			if m, ok := measure(rng, &l, curves); ok {
				out = append(out, Sample{
					Example: Example{Factors: m.Factors, Mine: l.Truth.Mine},
					Kind:    kind, Host: host, Home: l.DeclaredUse == "dwelling", Truth: l.Truth,
				})
			}
		}
	}
	weigh(out)
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

// weigh lets homes and others count alike, and within each the innocent and
// the mines; a flat load counts 8 % of the innocent.
func weigh(samples []Sample) {
	type class struct {
		kind string
		home bool
	}
	of := func(s *Sample) class {
		if s.Kind == "none" || s.Kind == "mine" {
			return class{s.Kind, s.Home}
		}
		return class{"flat", s.Home}
	}
	share := map[string]float64{"none": 0.92, "flat": 0.08, "mine": 1}
	counts := map[class]float64{}
	for i := range samples {
		counts[of(&samples[i])]++
	}
	for i := range samples {
		c := of(&samples[i])
		samples[i].Weight = share[c.kind] / counts[c]
	}
}
