package undersized

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// assumedPowerFactor stands in where no reactive power is measured.
const assumedPowerFactor = 0.95

// loading is the hourly load of a transformer.
type loading struct {
	kva      [][]float64 // [day][hour], NaN where missing
	assumed  bool        // power factor assumed throughout
	measured int         // hours that were measured
}

// absurd is the loading, as a multiple of the nameplate, that no transformer
// survives for an interval: what lies above is a wrong value.
const absurd = 5

// newLoading takes apparent power from the transformer's own curve.
func newLoading(c *sdk.Curve, days int, rated float64) *loading {
	p := c.Columns[meter.ActivePower]
	if p == nil || c.IntervalSeconds <= 0 || len(c.DayStart) != days+1 {
		return nil
	}
	q, pf := c.Columns[meter.ReactivePower], c.Columns[meter.PowerFactor]
	perHour := max(3600/c.IntervalSeconds, 1)
	l := &loading{assumed: true}
	for d := range days {
		from, to := int(c.DayStart[d]), int(c.DayStart[d+1])
		hours := make([]float64, (to-from)/perHour)
		for h := range hours {
			sum, n := 0.0, 0
			for i := from + h*perHour; i < from+(h+1)*perHour; i++ {
				s := apparent(p, q, pf, i, &l.assumed)
				if s <= absurd*rated {
					sum += s
					n++
				}
			}
			hours[h] = math.NaN()
			if n > 0 {
				hours[h] = sum / float64(n)
				l.measured++
			}
		}
		l.kva = append(l.kva, hours)
	}
	if l.measured == 0 {
		return nil
	}
	return l
}

// apparent is the apparent power of interval i in kVA, NaN where missing.
func apparent(p, q, pf []float32, i int, assumed *bool) float64 {
	kw := math.Abs(float64(p[i]))
	switch {
	case !(kw < 1e7):
		return math.NaN()
	case q != nil && math.Abs(float64(q[i])) < 1e7:
		*assumed = false
		return math.Hypot(kw, float64(q[i]))
	case pf != nil && math.Abs(float64(pf[i])) > 0.2 && math.Abs(float64(pf[i])) <= 1:
		*assumed = false
		return kw / math.Abs(float64(pf[i]))
	}
	return kw / assumedPowerFactor
}

// filled returns the hours with missing ones replaced by the median of the
// same hour on other days, so that the oil does not cool down in a gap of data.
func (l *loading) filled() [][]float64 {
	usual := make([]float64, 30)
	for h := range usual {
		var v []float64
		for _, day := range l.kva {
			if h < len(day) {
				v = append(v, day[h])
			}
		}
		usual[h] = robust.Median(v)
	}
	overall := robust.Median(usual)
	out := make([][]float64, len(l.kva))
	for d, day := range l.kva {
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

// percentile95 returns the 95th percentile of the measured hours of days
// from … to (exclusive).
func (l *loading) percentile95(from, to int) float64 {
	var v []float64
	for _, day := range l.kva[from:to] {
		v = append(v, day...)
	}
	return robust.Quantile(v, 0.95)
}
