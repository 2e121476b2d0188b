package risk

import "math"

// Case is what the place of a usage point in the queue depends on.
type Case struct {
	Risk           float64 // probability of abnormal use, 0 … 1
	ExcessKWhMonth float64 // energy beyond what is explained, kWh per 30 days
	Recoverable    float64 // money per 30 days
	TypicalPrice   float64 // money per kWh that Recoverable is measured against; 0 leaves money out
	Hazard         float64 // 0 … 1: danger to people or plant, such as an overloaded transformer
	GoodShare      float64 // share of good intervals behind the judgement, 0 … 1; NaN where unknown
}

const (
	halfEnergyKWh = 1000 // excess a month at which the value factor is halfway
	valueFloor    = 0.4  // value factor of a case that recovers nothing
	hazardGain    = 0.5  // a full hazard raises the priority by half
	doubtfulFloor = 0.5  // confidence factor of a judgement on no good interval
)

// Priority returns the place value of a case, 0 … 100:
//
//	100 · risk · value · hazard · confidence
//
//	value      = 0.4 + 0.6 · x / (x + 1000), x in kWh a month: the excess, or
//	             the recoverable money at the typical price where that is more
//	hazard     = (1 + 0.5 · Hazard) / 1.5
//	confidence = 0.5 + 0.5 · GoodShare
//
// It rises with each of risk, energy, money, hazard and good data; what is
// unknown counts as the least.
func Priority(c Case) float64 {
	x := positive(c.ExcessKWhMonth)
	if c.TypicalPrice > 0 {
		x = max(x, positive(c.Recoverable)/c.TypicalPrice)
	}
	value := valueFloor + (1-valueFloor)*x/(x+halfEnergyKWh)
	hazard := (1 + hazardGain*unit(c.Hazard)) / (1 + hazardGain)
	confidence := doubtfulFloor + (1-doubtfulFloor)*unit(c.GoodShare)
	return 100 * unit(c.Risk) * value * hazard * confidence
}

// positive holds v within what a network can carry; NaN and less than nothing are 0.
func positive(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return min(max(v, 0), 1e12)
}

func unit(v float64) float64 {
	if math.IsNaN(v) {
		return 0
	}
	return min(max(v, 0), 1)
}
