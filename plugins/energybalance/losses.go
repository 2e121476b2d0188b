package energybalance

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// term is one column of the balance with what is known of its coefficient
// before looking: expected value and standard deviation.
type term struct {
	name   string
	x      []float64
	expect float64
	spread float64
}

// Nameplate losses where the records hold none: usual of oil-immersed
// distribution transformers, W by kVA.
func usualNoLoadW(kva float64) float64 { return 9 * math.Pow(kva, 0.7) }
func usualLoadW(kva float64) float64   { return 50 * math.Pow(kva, 0.75) }

const (
	assumedPowerFactor = 0.95
	lampTerm           = "street_light"
)

// technical returns the terms that need no explanation: no-load loss, losses
// that grow with the square of the load (in the transformer and, of the same
// shape, in the lines), the class error of the meters, recorded lamps.
func technical(a *area, s *sdk.Subject) []term {
	kva := a.rated
	if !(kva > 0) {
		kva = 100
	}
	noLoad, load := s.Number(sdk.AttrNoLoadLossW)/1000, s.Number(sdk.AttrLoadLossW)/1000
	spread := 0.1
	if !(noLoad > 0) {
		noLoad, spread = usualNoLoadW(kva)/1000, 0.4
	}
	if !(load > 0) {
		load = usualLoadW(kva) / 1000
	}
	n := len(a.input)
	one, square, through := make([]float64, n), make([]float64, n), make([]float64, n)
	for t, p := range a.input {
		k := p / assumedPowerFactor / kva
		one[t], square[t], through[t] = 1, load*k*k, p
	}
	terms := []term{
		{"no_load", one, noLoad, spread*noLoad + 0.01},
		{"load_loss", square, 1.6, 0.8},
		{"meter_class", through, 0, 0.004},
	}
	if always := s.Number(sdk.AttrUnmeteredKW); always > 0 {
		terms = append(terms, term{"recorded_always", one, always, 0.15 * always})
	}
	if lamps := s.Number(sdk.AttrStreetLightKW); lamps > 0 {
		dark, dusk := make([]float64, n), make([]float64, n)
		for t := range n {
			dark[t], dusk[t] = darkness(a, t)
			dark[t] *= lamps
			dusk[t] *= lamps
		}
		terms = append(terms, term{lampTerm, dark, 1, 0.2}, term{"street_light_dusk", dusk, 0.5, 0.3})
	}
	return terms
}

// darkness returns 1, 0 when lamps surely burn at interval t, 0, 0 when they
// surely do not, and 0, 1 in the hours that depend on season and latitude.
func darkness(a *area, t int) (sure, maybe float64) {
	if a.perDay == 1 {
		return 0.45, 0.1
	}
	switch hour := float64(t%a.perDay) * 24 / float64(a.perDay); {
	case hour < 4 || hour >= 22:
		return 1, 0
	case hour < 8 || hour >= 16:
		return 0, 1
	}
	return 0, 0
}
