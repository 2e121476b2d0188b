package undersized

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// loading is the hourly load of a transformer.
type loading struct {
	kva      [][]float64 // [day][hour], NaN where missing
	measured int         // hours that were measured
	factored int         // of those, hours whose power factor was assumed or taken from others
	factor   float64     // power factor that those took
	known    bool        // it is the transformer's own median, not an assumption
	members  int         // customers that were added up, 0 for the own meter
	silent   int         // of the area's customers, those without any reading
}

// absurd is the loading, as a multiple of the nameplate, that no transformer
// survives for an interval: what lies above is a wrong value.
const absurd = 5

// ownLoading takes apparent power from the transformer's own curve; nil where
// it has none.
func (c *Config) ownLoading(curve *sdk.Curve, days int, rated float64) *loading {
	l := &loading{}
	kw, kvar := hourly(curve, days)
	if kw == nil {
		return nil
	}
	l.factor, l.known = c.PowerFactor, false
	if pf := medianFactor(kw, kvar); !math.IsNaN(pf) {
		l.factor, l.known = pf, true
	}
	for d := range kw {
		hours := make([]float64, len(kw[d]))
		for h, p := range kw[d] {
			s := math.Hypot(p, kvar[d][h])
			if math.IsNaN(kvar[d][h]) {
				s = p / l.factor
			}
			hours[h] = math.NaN()
			if s <= absurd*rated {
				hours[h] = s
				l.measured++
				if math.IsNaN(kvar[d][h]) {
					l.factored++
				}
			}
		}
		l.kva = append(l.kva, hours)
	}
	if l.measured == 0 {
		return nil
	}
	return l
}

// hourly returns the hourly means of active power, as a magnitude, and of
// reactive power, NaN where missing; nil where the curve has no active power.
// Reactive power comes from the power factor where only that is measured.
func hourly(curve *sdk.Curve, days int) (kw, kvar [][]float64) {
	p := curve.Columns[meter.ActivePower]
	if p == nil || curve.IntervalSeconds <= 0 || len(curve.DayStart) != days+1 {
		return nil, nil
	}
	q, pf := curve.Columns[meter.ReactivePower], curve.Columns[meter.PowerFactor]
	perHour := max(3600/curve.IntervalSeconds, 1)
	for d := range days {
		from, to := int(curve.DayStart[d]), int(curve.DayStart[d+1])
		n := (to - from) / perHour
		active, reactive := make([]float64, n), make([]float64, n)
		for h := range n {
			var sum, sumQ float64
			count, countQ := 0, 0
			for i := from + h*perHour; i < from+(h+1)*perHour; i++ {
				v := math.Abs(float64(p[i]))
				if !(v < 1e7) {
					continue
				}
				sum += v
				count++
				switch {
				case q != nil && math.Abs(float64(q[i])) < 1e7:
					sumQ += math.Abs(float64(q[i]))
					countQ++
				case pf != nil && math.Abs(float64(pf[i])) > 0.2 && math.Abs(float64(pf[i])) <= 1:
					sumQ += v * math.Tan(math.Acos(math.Abs(float64(pf[i]))))
					countQ++
				}
			}
			active[h], reactive[h] = math.NaN(), math.NaN()
			if count > 0 {
				active[h] = sum / float64(count)
			}
			if countQ > 0 {
				reactive[h] = sumQ / float64(countQ)
			}
		}
		kw, kvar = append(kw, active), append(kvar, reactive)
	}
	return kw, kvar
}

// medianFactor is the power factor of the hours that have one, NaN where less
// than a day of them does.
func medianFactor(kw, kvar [][]float64) float64 {
	var factors []float64
	for d := range kw {
		for h, p := range kw[d] {
			if s := math.Hypot(p, kvar[d][h]); s > 0 {
				factors = append(factors, p/s)
			}
		}
	}
	if len(robust.Finite(factors)) < 24 {
		return math.NaN()
	}
	return math.Max(robust.Median(factors), 0.5)
}

// filled returns the hours with missing ones replaced by the median of the
// same hour on other days, so that the oil does not cool down in a gap of data.
func filled(hours [][]float64) [][]float64 {
	var usual [30]float64
	for h := range usual {
		var v []float64
		for _, day := range hours {
			if h < len(day) {
				v = append(v, day[h])
			}
		}
		usual[h] = robust.Median(v)
	}
	overall := robust.Median(usual[:])
	out := make([][]float64, len(hours))
	for d, day := range hours {
		out[d] = append([]float64(nil), day...)
		for h, v := range day {
			if math.IsNaN(v) {
				out[d][h] = usual[min(h, len(usual)-1)]
				if math.IsNaN(out[d][h]) {
					out[d][h] = overall
				}
			}
		}
	}
	return out
}

// quantile returns a quantile of the measured hours of days from … to
// (exclusive), and how many those are.
func (l *loading) quantile(from, to int, q float64) (float64, int) {
	var v []float64
	for _, day := range l.kva[from:to] {
		v = append(v, day...)
	}
	v = robust.Finite(v)
	return robust.Quantile(v, q), len(v)
}
