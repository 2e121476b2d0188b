package undersized

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// result is the judgement of one transformer.
type result struct {
	verdicts   []string
	p95Pct     float64 // worst period's 95th percentile of loading, %
	p95From    int     // first day of that period
	period     int     // its length in days
	ageing     float64 // worst relative ageing averaged over a period
	ageingFrom int
	hotSpotMax float64 // °C
	hotSpotDay int
	maxPct     float64 // highest hourly loading, %
	maxDay     int
	lifeHours  float64 // insulation life used up over the window, h of life at the rated hot spot
}

// leastMeasured is the share of a period's hours that a verdict on the period
// needs.
const leastMeasured = 0.5

// assess computes temperatures and ageing hour by hour and compares them with
// the thresholds.
func (c *Config) assess(l *loading, p *plant, ambient []float64) result {
	r := result{hotSpotMax: math.Inf(-1), period: min(c.Days, len(l.kva))}
	hours := filled(l.kva)
	daily := make([]float64, len(hours)) // mean relative ageing
	p.run(hours, ambient, func(day, hour int, t thermals) {
		daily[day] += t.ageing / float64(len(hours[day]))
		r.lifeHours += t.ageing
		if math.IsNaN(l.kva[day][hour]) {
			return // only measured hours give verdicts
		}
		if t.hottest > r.hotSpotMax {
			r.hotSpotMax, r.hotSpotDay = t.hottest, day
		}
		if pct := 100 * hours[day][hour] / p.kva; pct > r.maxPct {
			r.maxPct, r.maxDay = pct, day
		}
	})
	r.periods(l, daily, p.kva)
	if r.hotSpotMax > p.limit || r.maxPct > c.LoadingPct {
		r.verdicts = append(r.verdicts, sdk.VerdictOverloaded)
	}
	if r.ageing > c.Ageing || r.p95Pct > c.P95Pct {
		r.verdicts = append(r.verdicts, sdk.VerdictUndersized)
	}
	return r
}

// periods finds the worst stretch of the configured length.
func (r *result) periods(l *loading, daily []float64, rated float64) {
	for from := 0; from+r.period <= len(daily); from++ {
		p95, measured := l.quantile(from, from+r.period, 0.95)
		if float64(measured) < leastMeasured*24*float64(r.period) && len(daily) > r.period {
			continue
		}
		if p := 100 * p95 / rated; p > r.p95Pct {
			r.p95Pct, r.p95From = p, from
		}
		sum := 0.0
		for _, v := range daily[from : from+r.period] {
			sum += v
		}
		if mean := sum / float64(r.period); mean > r.ageing {
			r.ageing, r.ageingFrom = mean, from
		}
	}
}

// fitting returns the smallest preferred rating above the present one that
// carries the same load without a verdict, 0 where the series has none.
func (c *Config) fitting(s *sdk.Subject, l *loading, ambient []float64) float64 {
	for _, next := range ratings() {
		if next.kva <= s.Number(sdk.AttrRatedKVA) {
			continue
		}
		p := c.plantOf(s, next.kva)
		if r := c.assess(l, &p, ambient); len(r.verdicts) == 0 {
			return next.kva
		}
	}
	return 0
}
