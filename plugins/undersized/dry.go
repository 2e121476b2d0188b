package undersized

import (
	"math"
	"strings"
)

// dryModel holds the thermal characteristics of a dry-type transformer, IEC
// 60076-12:2008: the winding's hot spot follows the load with one time
// constant; the rise over ambient goes with a power of the current, and ageing
// follows Arrhenius' law.
type dryModel struct {
	dryClass
	q       float64 // exponent of the current: 1.6 in still air, 2 with fans
	minutes float64 // winding time constant
}

// dryWindingMinutes is a usual time constant of cast-resin windings where the
// maker gives none.
const dryWindingMinutes = 45

// dryClass is an insulation system of IEC 60076-12, tables 1 and 2: the hot
// spot at which its life is 180,000 h, the highest allowed, and the constant b
// of L = a exp(b/T), whose a follows from the life at the rated hot spot.
type dryClass struct {
	rated, limit float64 // °C
	b            float64 // K
	known        bool
}

// lifeHours is the life at the rated hot spot, h; half of it 6 K above.
const lifeHours = 180_000

func dryClassOf(name string) dryClass {
	switch strings.TrimPrefix(strings.ToUpper(strings.TrimSpace(name)), "CLASS ") {
	case "A", "105":
		return dryClass{95, 130, 15_900, true}
	case "E", "120":
		return dryClass{110, 145, 17_212, true}
	case "B", "130":
		return dryClass{120, 155, 18_115, true}
	case "F", "155":
		return dryClass{145, 180, 20_475, true}
	case "H", "180":
		return dryClass{170, 205, 22_979, true}
	case "200":
		return dryClass{190, 225, 25_086, true}
	case "220":
		return dryClass{210, 245, 27_285, true}
	}
	return dryClass{145, 180, 20_475, false} // F, which cast resin mostly is
}

func newDryModel(class string, fans bool) dryModel {
	m := dryModel{dryClass: dryClassOf(class), q: 1.6, minutes: dryWindingMinutes}
	if fans {
		m.q = 2
	}
	return m
}

// rise is the hot spot's final rise over ambient at load factor k, K.
func (m dryModel) rise(k float64) float64 { return (m.rated - 20) * math.Pow(k, m.q) }

// step advances the hot-spot rise over ambient by some minutes.
func (m dryModel) step(rise, k, minutes float64) float64 {
	to := m.rise(k)
	return to + (rise-to)*math.Exp(-minutes/m.minutes)
}

// ageing is the relative ageing rate: the life at the rated hot spot over that
// at this one.
func (m dryModel) ageing(hotSpot float64) float64 {
	return math.Exp(m.b/(m.rated+kelvin) - m.b/(hotSpot+kelvin))
}

const kelvin = 273
