package hiddenmining

import (
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Factors of the lower envelope: what is left at each hour of the day when
// people do nothing, on the raw curve.
const (
	EnvelopeEven  Factor = "envelope_even"  // spread of the envelope between hours, over its median
	EnvelopeTight Factor = "envelope_tight" // how closely the lowest days bunch at quiet hours, over the envelope
)

// envelopeDays are the days without which an envelope is an accident.
const envelopeDays = 7

// measureEnvelope takes, for each hour, the load that nine days in ten exceed.
// Machines leave an envelope that is the same at all hours and is reached
// closely on most days; a mast breathes with its traffic, a shop with its
// customers, a cold room with its thermostat. Up to a third of the hours may
// lie lower, so that a switch-off in the evening costs nothing.
func (m *Measures) measureEnvelope(p *profile) {
	n := len(p.hours)
	from := 0
	if m.stepped() {
		from = min(m.st.At, max(n-envelopeDays, 0))
	}
	if n-from < envelopeDays {
		return
	}
	var low, bunch []float64
	v := make([]float64, 0, n)
	for h := range 24 {
		v = v[:0]
		for k := from; k < n; k++ {
			if x := p.hours[k][h]; !math.IsNaN(x) {
				v = append(v, x)
			}
		}
		if len(v) < envelopeDays {
			continue
		}
		slices.Sort(v)
		low = append(low, robust.OfSorted(v, 0.1))
		bunch = append(bunch, robust.OfSorted(v, 0.4)-robust.OfSorted(v, 0.1))
	}
	if len(low) < 18 {
		return
	}
	slices.Sort(low)
	slices.Sort(bunch)
	level := max(robust.OfSorted(low, 0.6), 0.01)
	m.Factors[EnvelopeEven] = math.Log(max((robust.OfSorted(low, 0.95)-robust.OfSorted(low, 0.35))/level, 0.003))
	m.Factors[EnvelopeTight] = math.Log(max(robust.OfSorted(bunch, 0.25)/level, 0.003))
}
