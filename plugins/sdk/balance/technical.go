package balance

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Term is one column of the balance with what is known of its coefficient
// before looking: expected value and standard deviation.
type Term struct {
	Name   string
	X      []float64
	Expect float64
	Spread float64
}

// Names of terms that others look for.
const (
	TermLamps = "street_light"
)

// Losses where the records hold none: usual of oil-immersed distribution
// transformers, W by kVA (classes of EN 50588-1 lie within a factor of two).
func usualNoLoadW(kva float64) float64 { return 9 * math.Pow(kva, 0.7) }
func usualLoadW(kva float64) float64   { return 50 * math.Pow(kva, 0.75) }

const (
	assumedPowerFactor = 0.95
	// ClassError is the standard deviation of a meter's gain: half of class 1.
	ClassError = 0.006
)

// Technical returns the terms that need no explanation:
//
//	no-load loss       nameplate, 1 … 0 times: the meter may hang on either side
//	load loss          nameplate · (load / rating)², and as much again in lines
//	through            what grows with the load itself: class error of the
//	                   transformer's meter, losses in services and lines
//	recorded loads     around the clock, and from dusk to dawn with the hours
//	                   of the season left open
func Technical(a *Area, s *sdk.Subject) []Term {
	kva := a.RatedKVA
	if !(kva > 0) {
		kva = 100
	}
	noLoad, load := s.Number(sdk.AttrNoLoadLossW)/1000, s.Number(sdk.AttrLoadLossW)/1000
	spread := 0.3
	if !(noLoad > 0) {
		noLoad, spread = usualNoLoadW(kva)/1000, 0.5
	}
	if !(load > 0) {
		load = usualLoadW(kva) / 1000
	}
	n := len(a.Input)
	one, square, through := make([]float64, n), make([]float64, n), make([]float64, n)
	for t, p := range a.Input {
		k := p / assumedPowerFactor / kva
		one[t], square[t], through[t] = 1, load*k*k, p
	}
	terms := []Term{
		{"no_load", one, 0.8 * noLoad, spread*noLoad + 0.01},
		{"load_loss", square, 1.8, 1},
		{"through", through, 0.001, 0.005},
	}
	if always := s.Number(sdk.AttrUnmeteredKW); always > 0 {
		terms = append(terms, Term{"recorded_always", one, always, 0.1 * always})
	}
	if lamps := s.Number(sdk.AttrStreetLightKW); lamps > 0 {
		dark := make([]float64, n)
		for t := range n {
			dark[t], _ = a.Darkness(t)
		}
		terms = append(terms, Term{TermLamps, dark, lamps, 0.12 * lamps})
		terms = append(terms, DuskTerms(a, 0.5*lamps, 0.4*lamps)...)
	}
	return terms
}

// DuskTerms describe the hours in which lamps go on and off with season and
// cloud: for each of them a level, expected to be so many kW give or take
// spread, and how it drifts over the window.
func DuskTerms(a *Area, expect, spread float64) []Term {
	if a.PerDay == 1 {
		x := make([]float64, a.Days)
		for t := range x {
			x[t] = 0.4
		}
		return []Term{{"dusk", x, expect, spread}}
	}
	var out []Term
	slots := min(a.PerDay, 24)
	for k := range slots {
		if _, maybe := a.Darkness(k * a.PerDay / slots); maybe == 0 {
			continue
		}
		level, drift := make([]float64, a.Days*a.PerDay), make([]float64, a.Days*a.PerDay)
		for d := range a.Days {
			for i := k * a.PerDay / slots; i < (k+1)*a.PerDay/slots; i++ {
				level[d*a.PerDay+i] = 1
				drift[d*a.PerDay+i] = 2*float64(d)/float64(max(a.Days-1, 1)) - 1
			}
		}
		out = append(out, Term{"dusk", level, expect, spread}, Term{"dusk_drift", drift, 0, spread})
	}
	return out
}

// MemberTerms returns a term for each member: its meter's class error, and
// for one of whom it is doubtful that it is here the room to be elsewhere.
func MemberTerms(a *Area) []Term {
	out := make([]Term, len(a.Members))
	for m := range a.Members {
		d := a.Members[m].Doubt
		if d < 0.1 {
			d = 0
		}
		out[m] = Term{"member", a.Members[m].KW, -d, math.Sqrt(ClassError*ClassError + d*(1-d) + 0.001*d)}
	}
	return out
}

// Rhythm returns terms that describe any load with a daily rhythm of its own:
// one for each of so many parts of the day on workdays and one on other days,
// from a day on, each known to so many kW only. Where whole hours are told
// apart, so are Saturdays: a trade shares its Saturdays as it does its hours.
func Rhythm(a *Area, from int, spread float64, slots int) []Term {
	slots = min(a.PerDay, slots)
	kinds := int8(2)
	if slots >= 24 {
		kinds = 3
	}
	out := make([]Term, 0, int(kinds)*slots)
	for kind := range kinds {
		for k := range slots {
			x := make([]float64, a.Days*a.PerDay)
			for d := from; d < a.Days; d++ {
				if min(a.DayKind[d], kinds-1) != kind {
					continue
				}
				for i := k * a.PerDay / slots; i < (k+1)*a.PerDay/slots; i++ {
					x[d*a.PerDay+i] = 1
				}
			}
			out = append(out, Term{"rhythm", x, 0, spread})
		}
	}
	return out
}

// MeanInput is the mean power that passes the transformer, kW.
func (a *Area) MeanInput() float64 { return robust.Mean(a.Input) }
