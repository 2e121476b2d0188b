package undersized

import (
	"math"
	"strings"
)

// dryModel holds the thermal characteristics of a dry-type transformer, IEC
// 60076-12: the winding's hot spot follows the load with one time constant.
type dryModel struct {
	rated   float64 // hot spot at rated load and 20 °C: ageing 1, °C
	limit   float64 // highest hot spot allowed, °C
	q       float64 // exponent of the load: 1.6 in still air, 2 with fans
	minutes float64 // winding time constant
}

// dryWindingMinutes is a usual time constant of cast-resin windings where the
// maker gives none.
const dryWindingMinutes = 45

// halvingK is the rise that halves the life of dry-type insulation.
const halvingK = 10

// dryClasses are the rated and highest hot spots by insulation class.
func dryClass(class string) (rated, limit float64, known bool) {
	switch strings.ToUpper(strings.TrimSpace(class)) {
	case "A", "105":
		return 95, 130, true
	case "E", "120":
		return 110, 145, true
	case "B", "130":
		return 120, 155, true
	case "F", "155":
		return 145, 180, true
	case "H", "180":
		return 175, 205, true
	case "200":
		return 190, 225, true
	case "220":
		return 210, 245, true
	}
	return 145, 180, false
}

func newDryModel(class string, fans bool) dryModel {
	m := dryModel{q: 1.6, minutes: dryWindingMinutes}
	m.rated, m.limit, _ = dryClass(class)
	if fans {
		m.q = 2
	}
	return m
}

func (m dryModel) rise(k float64) float64 { return (m.rated - 20) * math.Pow(k, m.q) }

// step advances the hot-spot rise over ambient by some minutes.
func (m dryModel) step(rise, k, minutes float64) float64 {
	to := m.rise(k)
	return to + (rise-to)*math.Exp(-minutes/m.minutes)
}

func (m dryModel) ageing(hotSpot float64) float64 { return math.Exp2((hotSpot - m.rated) / halvingK) }
