package undersized

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// ratings are the preferred ratings of distribution transformers, kVA.
var ratings = [...]float64{25, 50, 63, 80, 100, 125, 160, 200, 250, 315, 400, 500, 630, 800, 1000, 1250, 1600, 2000, 2500}

// finding writes down why a transformer is overloaded or undersized.
func (r *result) finding(w *sdk.Window, s *sdk.Subject, l *loading, c *Config) sdk.Finding {
	rated := s.Number(sdk.AttrRatedKVA)
	day := func(d int) sdk.Date { return w.FirstDay + sdk.Date(d) }
	f := sdk.Finding{
		Subject: s.ID, Kind: sdk.Transformer, Reason: r.verdicts[len(r.verdicts)-1], AlsoReasons: r.verdicts[:len(r.verdicts)-1],
		Probability: 1, Verdicts: r.verdicts,
		Metrics: map[string]float64{
			sdk.MetricLoadingP95Pct: r.p95Pct, sdk.MetricHotSpotMaxC: r.hotSpotMax,
			"loading_max_pct": r.maxPct, "relative_ageing": r.ageing,
		},
	}
	f.FirstDay, f.LastDay = w.FirstDay, w.LastDay()
	basis := fmt.Sprintf("%d hours measured", l.measured)
	if l.assumed {
		basis += fmt.Sprintf(", power factor %.2f assumed", assumedPowerFactor)
	}
	if !r.ambient {
		basis += fmt.Sprintf(", ambient %.0f °C assumed", c.AmbientC)
	}
	f.Evidence = []sdk.Evidence{
		{Code: "loading_p95", Value: r.p95Pct, Unit: "%", FirstDay: day(r.p95From), LastDay: day(r.p95From + r.period - 1),
			Text: fmt.Sprintf("In the worst %d days one hour in twenty is loaded above %.0f %% of the %.0f kVA nameplate; undersized above %.0f %% (%s).", r.period, r.p95Pct, rated, c.P95Pct, basis)},
		{Code: "relative_ageing", Value: r.ageing, FirstDay: day(r.ageingFrom), LastDay: day(r.ageingFrom + r.period - 1),
			Text: fmt.Sprintf("Over the worst %d days the insulation ages %.2f times as fast as at rated load and 20 °C; undersized above %.2g.", r.period, r.ageing, c.Ageing)},
		{Code: "hot_spot", Value: r.hotSpotMax, Unit: "°C", FirstDay: day(r.hotSpotDay), LastDay: day(r.hotSpotDay),
			Text: fmt.Sprintf("The winding's hot spot reached %.0f °C; overloaded above %.0f °C (%s).", r.hotSpotMax, r.hotSpotTop, r.standard())},
		{Code: "loading_max", Value: r.maxPct, Unit: "%", FirstDay: day(r.maxDay), LastDay: day(r.maxDay),
			Text: fmt.Sprintf("The highest hour was loaded at %.0f %%; overloaded above %.0f %%.", r.maxPct, c.LoadingPct)},
	}
	if fit := fitting(rated * math.Max(r.p95Pct/c.P95Pct, math.Pow(math.Max(r.ageing, 1e-3), 0.08))); fit > rated {
		f.Evidence = append(f.Evidence, sdk.Evidence{Code: "fitting_rating", Value: fit, Unit: "kVA",
			Text: fmt.Sprintf("A rating of %.0f kVA would carry this load.", fit)})
	}
	f.Innocent = []sdk.Explanation{{Code: "seasonal_peak", Outcome: r.seasonal(w),
		Text: fmt.Sprintf("The worst %d days begin on %s; a cold or hot spell passes, a load that was added does not.", r.period, day(r.p95From))}}
	return f
}

func (r *result) standard() string {
	if r.dry {
		return "IEC 60076-12"
	}
	return "IEC 60076-7"
}

// seasonal tells whether the worst days may be a spell that has passed.
func (r *result) seasonal(w *sdk.Window) sdk.Outcome {
	if r.p95From+r.period >= w.Days-7 {
		return sdk.Open
	}
	return sdk.Unlikely
}

// fitting returns the next preferred rating, or the wanted one beyond them.
func fitting(kva float64) float64 {
	for _, r := range ratings {
		if r >= kva {
			return r
		}
	}
	return math.Ceil(kva/100) * 100
}
