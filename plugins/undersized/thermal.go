package undersized

import (
	"math"
	"strings"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// plant is the transformer as the thermal model has it.
type plant struct {
	kva        float64
	losses     losses
	assumed    bool // losses by rating, not by nameplate
	dry        bool
	limit      float64 // of the hot spot, °C
	classKnown bool    // dry-type: the insulation class is on the nameplate
	oil        oilModel
	resin      dryModel
	ageing     func(hotSpot float64) float64
}

// plantOf takes the nameplate of a transformer as if its rating were kva.
func (c *Config) plantOf(s *sdk.Subject, kva float64) plant {
	cooling := strings.ToUpper(strings.TrimSpace(s.Text(sdk.AttrCooling)))
	p := plant{kva: kva, limit: c.HotSpotC, ageing: oilAgeing}
	p.dry = strings.HasPrefix(cooling, "AN") || strings.HasPrefix(cooling, "AF") || strings.HasPrefix(cooling, "GN")
	p.losses = losses{s.Number(sdk.AttrNoLoadLossW), s.Number(sdk.AttrLoadLossW)}
	if kva != s.Number(sdk.AttrRatedKVA) || !p.losses.usable(kva) {
		p.losses, p.assumed = typicalLosses(kva, p.dry), true
	}
	if p.dry {
		p.resin = newDryModel(s.Text(sdk.AttrInsulation), strings.Contains(cooling, "F"))
		p.limit, p.classKnown, p.ageing = p.resin.limit, p.resin.known, p.resin.ageing
		return p
	}
	p.oil = oilModelOf(cooling, kva)
	p.oil.lossRatio = p.losses.ratio()
	if c.UpgradedPaper {
		p.ageing = upgradedAgeing
	}
	return p
}

// usable reports whether losses can be those of such a transformer: not more
// than a tenth of its rating, and no-load losses that are the smaller part.
func (l losses) usable(kva float64) bool {
	return l.noLoad > 0 && l.load > l.noLoad && l.load < 100*kva && l.ratio() < 40
}

// subSteps divide an hour, so that the ageing of an hour in which the winding
// warms up is not taken at its end.
const subSteps = 4

// thermals are the temperatures of one hour.
type thermals struct {
	hottest float64 // highest hot spot, °C
	ageing  float64 // mean relative ageing rate
}

// run goes through hours of load factor and ambient, days of hours each, and
// hands over each hour's temperatures. It starts from the steady state of the
// first day's mean: what came before the window is not known.
func (p *plant) run(load [][]float64, ambient []float64, each func(day, hour int, t thermals)) {
	var state oilState
	var rise float64
	started := false
	for day, hours := range load {
		if !started && len(hours) > 0 {
			mean := 0.0
			for _, kva := range hours {
				mean += kva / p.kva / float64(len(hours))
			}
			state, rise, started = p.oil.steady(mean, ambient[day]), p.resin.rise(mean), true
		}
		for hour, kva := range hours {
			k, t := kva/p.kva, thermals{hottest: math.Inf(-1)}
			for range subSteps {
				hot := 0.0
				if p.dry {
					rise = p.resin.step(rise, k, 60/subSteps)
					hot = ambient[day] + rise
				} else {
					state = p.oil.step(state, k, ambient[day], 60/subSteps)
					hot = state.hotSpot()
				}
				t.hottest = math.Max(t.hottest, hot)
				t.ageing += math.Min(p.ageing(hot), maxAgeing) / subSteps
			}
			each(day, hour, t)
		}
	}
}

// maxAgeing bounds the relative ageing of an hour: beyond it insulation has failed.
const maxAgeing = 1e6

// ambients are the temperatures around the transformer on the window's days;
// a day without weather takes the nearest that has it within a week. assumed
// counts those for which there is none.
func (c *Config) ambients(w *sdk.Window) (celsius []float64, assumed int) {
	known := func(d int) bool {
		return d >= 0 && d < len(w.TemperatureC) && w.TemperatureC[d] > -60 && w.TemperatureC[d] < 70
	}
	celsius = make([]float64, w.Days)
	for d := range celsius {
		celsius[d] = math.NaN()
		for off := 0; off <= 7; off++ {
			if known(d - off) {
				celsius[d] = float64(w.TemperatureC[d-off])
				break
			}
			if known(d + off) {
				celsius[d] = float64(w.TemperatureC[d+off])
				break
			}
		}
		if math.IsNaN(celsius[d]) {
			celsius[d] = c.AmbientC
			assumed++
		}
		celsius[d] += c.EnclosureK
	}
	return celsius, assumed
}
