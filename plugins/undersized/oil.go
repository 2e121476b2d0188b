package undersized

import (
	"math"
	"strings"
)

// oilModel holds the thermal characteristics of an oil-immersed transformer,
// IEC 60076-7:2018.
type oilModel struct {
	topOilRise      float64 // Δθor: top-oil rise at rated losses, K
	gradient        float64 // Δθhr: hot-spot to top-oil gradient at rated current, K
	lossRatio       float64 // R: load losses at rated current over no-load losses
	oilExponent     float64 // x
	windingExponent float64 // y
	k11, k21, k22   float64
	oilMinutes      float64 // τo
	windingMinutes  float64 // τw
}

// The characteristics that the standard recommends where the maker gives none:
// all have a hot spot of 98 °C at rated load and 20 °C. The loss ratio is the
// standard's; a nameplate or a table of losses replaces it.

// distributionONAN are those of distribution transformers, up to 2,500 kVA.
func distributionONAN() oilModel {
	return oilModel{topOilRise: 55, gradient: 23, lossRatio: 5, oilExponent: 0.8, windingExponent: 1.6, k11: 1, k21: 1, k22: 2, oilMinutes: 180, windingMinutes: 4}
}

// powerONAN and powerONAF are those of medium and large transformers.
func powerONAN() oilModel {
	return oilModel{topOilRise: 52, gradient: 26, lossRatio: 6, oilExponent: 0.8, windingExponent: 1.3, k11: 0.5, k21: 2, k22: 2, oilMinutes: 210, windingMinutes: 10}
}

func powerONAF() oilModel {
	m := powerONAN()
	m.oilMinutes, m.windingMinutes = 150, 7
	return m
}

// powerOF and powerOD are those of pumped oil, undirected and directed.
func powerOF() oilModel {
	return oilModel{topOilRise: 56, gradient: 22, lossRatio: 6, oilExponent: 1, windingExponent: 1.3, k11: 1, k21: 1.3, k22: 1, oilMinutes: 90, windingMinutes: 7}
}

func powerOD() oilModel {
	return oilModel{topOilRise: 49, gradient: 29, lossRatio: 6, oilExponent: 1, windingExponent: 2, k11: 1, k21: 1, k22: 1, oilMinutes: 90, windingMinutes: 7}
}

// oilModelOf chooses by cooling (ON, OF, OD inside; AN, AF outside; K and L
// for other liquids) and size.
func oilModelOf(cooling string, kva float64) oilModel {
	switch {
	case len(cooling) >= 2 && cooling[1] == 'D':
		return powerOD()
	case len(cooling) >= 2 && cooling[1] == 'F':
		return powerOF()
	case strings.Contains(cooling, "AF"):
		return powerONAF()
	case kva > 2500:
		return powerONAN()
	}
	return distributionONAN()
}

// oilState is where the differential equations stand.
type oilState struct {
	topOil     float64 // θo, °C
	fast, slow float64 // Δθh1 and Δθh2, K
}

// steady returns the state after a long time at load factor k and ambient °C.
func (m oilModel) steady(k, ambient float64) oilState {
	return oilState{
		topOil: ambient + m.oilRise(k),
		fast:   m.k21 * m.hotSpotRise(k), slow: (m.k21 - 1) * m.hotSpotRise(k),
	}
}

func (m oilModel) oilRise(k float64) float64 {
	return m.topOilRise * math.Pow((1+m.lossRatio*k*k)/(1+m.lossRatio), m.oilExponent)
}

func (m oilModel) hotSpotRise(k float64) float64 {
	return m.gradient * math.Pow(k, m.windingExponent)
}

// step advances the state by some minutes at constant load and ambient: the
// exact solution of the standard's differential equations, so that the step
// may be as long as the load is constant.
func (m oilModel) step(s oilState, k, ambient, minutes float64) oilState {
	towards := func(from, to, tau float64) float64 { return to + (from-to)*math.Exp(-minutes/tau) }
	return oilState{
		topOil: towards(s.topOil, ambient+m.oilRise(k), m.k11*m.oilMinutes),
		fast:   towards(s.fast, m.k21*m.hotSpotRise(k), m.k22*m.windingMinutes),
		slow:   towards(s.slow, (m.k21-1)*m.hotSpotRise(k), m.oilMinutes/m.k22),
	}
}

// hotSpot is θh, °C.
func (s oilState) hotSpot() float64 { return s.topOil + s.fast - s.slow }

// oilAgeing is the relative ageing rate of paper that is not thermally
// upgraded: 1 at 98 °C, doubled every 6 K.
func oilAgeing(hotSpot float64) float64 { return math.Exp2((hotSpot - 98) / 6) }

// upgradedAgeing is that of thermally upgraded paper: 1 at 110 °C, by
// Arrhenius' law; IEEE C57.91 has the same.
func upgradedAgeing(hotSpot float64) float64 {
	return math.Exp(15_000/(110.0+kelvin) - 15_000/(hotSpot+kelvin))
}
