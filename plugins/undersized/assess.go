package undersized

import (
	"math"
	"strings"

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
	hotSpotTop float64 // limit that it is held to
	maxPct     float64 // highest hourly loading, %
	maxDay     int
	dry        bool
	ambient    bool // ambient temperature known
}

// maxAgeing bounds the relative ageing of an hour: beyond it insulation has failed.
const maxAgeing = 1e6

// assess computes temperatures and ageing hour by hour.
func (d *Detector) assess(w *sdk.Window, s *sdk.Subject, l *loading) result {
	rated := s.Number(sdk.AttrRatedKVA)
	r := result{hotSpotTop: d.config.HotSpotC, hotSpotMax: math.Inf(-1), period: min(d.config.Days, w.Days), ambient: w.TemperatureC != nil}
	ambient := func(day int) float64 {
		if w.TemperatureC != nil {
			if t := float64(w.TemperatureC[day]); t > -60 && t < 70 {
				return t
			}
		}
		return d.config.AmbientC
	}
	run, ageing := d.model(s, &r)
	hours := l.filled()
	daily := make([]float64, w.Days) // mean relative ageing
	for day, load := range hours {
		sum := 0.0
		for h, kva := range load {
			k := kva / rated
			hot := run(k, ambient(day))
			sum += min(ageing(hot), maxAgeing)
			if math.IsNaN(l.kva[day][h]) {
				continue // only measured hours give verdicts
			}
			if hot > r.hotSpotMax {
				r.hotSpotMax, r.hotSpotDay = hot, day
			}
			if 100*k > r.maxPct {
				r.maxPct, r.maxDay = 100*k, day
			}
		}
		daily[day] = sum / float64(max(len(load), 1))
	}
	r.periods(l, daily, rated)
	if r.hotSpotMax > r.hotSpotTop || r.maxPct > d.config.LoadingPct {
		r.verdicts = append(r.verdicts, sdk.VerdictOverloaded)
	}
	if r.ageing > d.config.Ageing || r.p95Pct > d.config.P95Pct {
		r.verdicts = append(r.verdicts, sdk.VerdictUndersized)
	}
	return r
}

// model chooses the thermal model by cooling and size: a function that
// advances by an hour and returns the hot spot, and the ageing rate.
func (d *Detector) model(s *sdk.Subject, r *result) (run func(k, ambient float64) float64, ageing func(float64) float64) {
	cooling := strings.ToUpper(s.Text(sdk.AttrCooling))
	if strings.HasPrefix(cooling, "AN") || strings.HasPrefix(cooling, "AF") {
		m := newDryModel(s.Text(sdk.AttrInsulation), strings.Contains(cooling, "F"))
		r.dry, r.hotSpotTop = true, m.limit
		rise := math.NaN()
		return func(k, ambient float64) float64 {
			if math.IsNaN(rise) {
				rise = m.rise(k)
			}
			rise = m.step(rise, k, 60)
			return ambient + rise
		}, m.ageing
	}
	m := distributionONAN()
	switch {
	case strings.Contains(cooling, "AF"):
		m = powerONAF()
	case s.Number(sdk.AttrRatedKVA) > 2500:
		m = powerONAN()
	}
	if p0, pk := s.Number(sdk.AttrNoLoadLossW), s.Number(sdk.AttrLoadLossW); p0 > 0 && pk > 0 {
		m.lossRatio = pk / p0
	}
	var state *oilState
	return func(k, ambient float64) float64 {
		if state == nil {
			first := m.steady(k, ambient)
			state = &first
		}
		*state = m.step(*state, k, ambient, 60)
		return state.hotSpot()
	}, oilAgeing
}

// periods finds the worst stretch of the configured length.
func (r *result) periods(l *loading, daily []float64, rated float64) {
	r.p95Pct, r.ageing = 0, 0
	for from := 0; from+r.period <= len(daily); from++ {
		if p := 100 * l.percentile95(from, from+r.period) / rated; p > r.p95Pct {
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
