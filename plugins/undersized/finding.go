package undersized

import (
	"fmt"
	"strings"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// basis is what a judgement rests on.
type basis struct {
	config      *Config
	window      *sdk.Window
	subject     *sdk.Subject
	loading     *loading
	plant       *plant
	ambient     []float64
	assumedDays int // days without weather
}

// finding writes down why a transformer is overloaded or undersized.
func (r *result) finding(b *basis) sdk.Finding {
	w, c := b.window, b.config
	day := func(d int) sdk.Date { return w.FirstDay + sdk.Date(d) }
	f := sdk.Finding{
		Subject: b.subject.ID, Kind: sdk.Transformer, Reason: r.verdicts[len(r.verdicts)-1], AlsoReasons: r.verdicts[:len(r.verdicts)-1],
		Probability: 1, Verdicts: r.verdicts, FirstDay: w.FirstDay, LastDay: w.LastDay(),
		Metrics: map[string]float64{
			sdk.MetricLoadingP95Pct: r.p95Pct, sdk.MetricHotSpotMaxC: r.hotSpotMax,
			"loading_max_pct": r.maxPct, "relative_ageing": r.ageing, "life_hours_used": r.lifeHours,
		},
	}
	f.Evidence = []sdk.Evidence{
		{Code: "loading_p95", Value: r.p95Pct, Unit: "%", FirstDay: day(r.p95From), LastDay: day(r.p95From + r.period - 1),
			Text: fmt.Sprintf("In the worst %d days one hour in twenty is loaded above %.0f %% of the %.0f kVA nameplate; undersized above %.0f %% (%s).", r.period, r.p95Pct, b.plant.kva, c.P95Pct, b.text())},
		{Code: "relative_ageing", Value: r.ageing, FirstDay: day(r.ageingFrom), LastDay: day(r.ageingFrom + r.period - 1),
			Text: fmt.Sprintf("Over the worst %d days the insulation ages %.2f times as fast as at its rated hot spot; undersized above %.2g. The window's %d days cost %.0f hours of such life.", r.period, r.ageing, c.Ageing, w.Days, r.lifeHours)},
		{Code: "hot_spot", Value: r.hotSpotMax, Unit: "°C", FirstDay: day(r.hotSpotDay), LastDay: day(r.hotSpotDay),
			Text: fmt.Sprintf("The winding's hot spot reached %.0f °C by the model; overloaded above %.0f °C (%s).", r.hotSpotMax, b.plant.limit, b.plant.standard())},
		{Code: "loading_max", Value: r.maxPct, Unit: "%", FirstDay: day(r.maxDay), LastDay: day(r.maxDay),
			Text: fmt.Sprintf("The highest hour was loaded at %.0f %%; overloaded above %.0f %%.", r.maxPct, c.LoadingPct)},
	}
	if text := b.loading.peakShares(w, r.p95From, r.p95From+r.period); text != "" {
		f.Evidence = append(f.Evidence, sdk.Evidence{Code: "peak_shares", Text: text, FirstDay: day(r.p95From), LastDay: day(r.p95From + r.period - 1)})
	}
	if fit := c.fitting(b.subject, b.loading, b.ambient); fit > 0 {
		f.Evidence = append(f.Evidence, sdk.Evidence{Code: "fitting_rating", Value: fit, Unit: "kVA",
			Text: fmt.Sprintf("%.0f kVA is the next preferred rating that carries this load within all of these limits (losses of a new unit).", fit)})
		f.Metrics["fitting_kva"] = fit
	}
	f.Innocent = r.explanations(b)
	return f
}

// text says what was measured and what was assumed.
func (b *basis) text() string {
	l := b.loading
	out := []string{fmt.Sprintf("%d hours measured", l.measured)}
	if l.members > 0 {
		out[0] = fmt.Sprintf("no meter of its own: the sum of %d customers, known unmetered loads and losses over %d hours", l.members, l.measured)
		if l.silent > 0 {
			out = append(out, fmt.Sprintf("%d customers without readings left out, so that it is rather more", l.silent))
		}
	}
	switch {
	case l.members > 0:
		out = append(out, fmt.Sprintf("power factor %.2f assumed where none is measured", l.factor))
	case l.factored == 0:
		out = append(out, "reactive power measured")
	case l.known:
		out = append(out, fmt.Sprintf("power factor %.2f, its own median, for %d hours", l.factor, l.factored))
	default:
		out = append(out, fmt.Sprintf("power factor %.2f assumed", l.factor))
	}
	if b.assumedDays > 0 {
		out = append(out, fmt.Sprintf("ambient %.0f °C assumed on %d days", b.config.AmbientC, b.assumedDays))
	}
	if b.config.EnclosureK > 0 {
		out = append(out, fmt.Sprintf("%.0f K warmer inside its enclosure", b.config.EnclosureK))
	}
	if b.plant.assumed {
		out = append(out, fmt.Sprintf("losses of %.0f W and %.0f W by rating", b.plant.losses.noLoad, b.plant.losses.load))
	}
	if b.plant.dry && !b.plant.classKnown {
		out = append(out, "insulation class F assumed")
	}
	return strings.Join(out, ", ")
}

func (p *plant) standard() string {
	if p.dry {
		return "IEC 60076-12"
	}
	return "IEC 60076-7"
}

// explanations says what else the load may be.
func (r *result) explanations(b *basis) []sdk.Explanation {
	season := sdk.Explanation{Code: "seasonal_peak", Outcome: sdk.Unlikely,
		Text: fmt.Sprintf("The worst %d days begin on %s; a cold or hot spell passes, a load that was added does not.", r.period, b.window.FirstDay+sdk.Date(r.p95From))}
	if r.p95From+r.period >= b.window.Days-7 {
		season.Outcome = sdk.Open
	}
	out := []sdk.Explanation{season}
	if b.loading.members > 0 {
		out = append(out, sdk.Explanation{Code: "wrong_mapping", Outcome: sdk.Open,
			Text: "Without a meter on the transformer a customer who hangs elsewhere is counted here; a clamp on the secondary side tells."})
	} else if r.maxPct > 150 && r.p95Pct < 80 {
		out = append(out, sdk.Explanation{Code: "switching_or_fault", Outcome: sdk.Open,
			Text: fmt.Sprintf("One hour in twenty is above %.0f %% only: a feeder that was switched over for a while, or a wrong reading, looks so.", r.p95Pct)})
	}
	return out
}
