package hiddenmining

import (
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Factors that need the raw curve.
const (
	HourlySignificance Factor = "hourly_significance" // ln of the common rise of all hours over its wandering
	HourlyEven         Factor = "hourly_even"         // spread of the hours' rises over the rise
	OnsetEdge          Factor = "onset_edge"          // sharpest hourly jump at the onset over the rise
	NotchDepth         Factor = "notch_depth"         // depth of a daily switch-off at fixed hours over the mean
	NotchRegular       Factor = "notch_regular"       // spread of that depth from day to day over the depth
)

// profile is the raw curve as hourly means: [valid day][hour].
type profile struct {
	hours [][24]float64
}

func newProfile(c *sdk.Curve, days []int) *profile {
	if c.IntervalSeconds <= 0 || c.IntervalSeconds > 3600 || len(c.DayStart) == 0 {
		return nil
	}
	column := c.Columns[meter.ActivePower]
	if column == nil {
		return nil
	}
	perHour := 3600 / c.IntervalSeconds
	p := &profile{hours: make([][24]float64, len(days))}
	for k, d := range days {
		from, to := int(c.DayStart[d]), int(c.DayStart[d+1])
		for h := range 24 {
			sum, n := 0.0, 0
			for i := from + h*perHour; i < min(from+(h+1)*perHour, to); i++ {
				if finite(column[i]) {
					sum += float64(column[i])
					n++
				}
			}
			p.hours[k][h] = math.NaN()
			if n > 0 {
				p.hours[k][h] = sum / float64(n)
			}
		}
	}
	return p
}

// rises returns how much the median of each hour rose from days before…at to
// at…after.
func (p *profile) rises(before, at, after int) [24]float64 {
	var out [24]float64
	a, b := make([]float64, 0, at-before), make([]float64, 0, after-at)
	for h := range 24 {
		a, b = a[:0], b[:0]
		for k := before; k < at; k++ {
			a = append(a, p.hours[k][h])
		}
		for k := at; k < after; k++ {
			b = append(b, p.hours[k][h])
		}
		out[h] = quickMedian(b) - quickMedian(a)
	}
	return out
}

// quickMedian is the median of the numbers among v, which it reorders.
func quickMedian(v []float64) float64 {
	n := 0
	for _, x := range v {
		if !math.IsNaN(x) {
			v[n] = x
			n++
		}
	}
	v = v[:n]
	if n == 0 {
		return math.NaN()
	}
	slices.Sort(v)
	return (v[(n-1)/2] + v[n/2]) / 2
}

// measureRaw adds the factors of the raw curve.
func (m *Measures) measureRaw(c *sdk.Curve) {
	p := newProfile(c, m.s.day)
	if p == nil {
		return
	}
	m.raw = true
	m.hourlyStep(p)
	m.dailyNotch(p)
	m.measureOutages(c)
	m.measureEnvelope(p)
}

// hourlyStep looks for the day around which all hours rose together.
func (m *Measures) hourlyStep(p *profile) {
	n := len(p.hours)
	best := math.Inf(-1)
	var at, span int
	var rise float64
	for _, sp := range [...]int{7, 14, 28} {
		if n < sp+5 {
			continue
		}
		// A year of days is looked at every few days first: a step stands out
		// from a good way off, and what wanders needs no closer look.
		stride := max(n/60, 1)
		var days []int
		for k := 5; k <= n-5; k += stride {
			days = append(days, k)
		}
		common, falls := p.together(days, sp)
		wander := math.Hypot(robust.Quantile(falls, 0.9), robust.MAD(falls)) + 0.003*m.meanKW + 0.005
		days, common = p.closer(days, common, sp, stride)
		for i, r := range common {
			if t := r / wander; t > best {
				best, at, span, rise = t, days[i], sp, r
			}
		}
	}
	if math.IsInf(best, -1) {
		return
	}
	m.Factors[HourlySignificance] = math.Log(max(best, 0.1))
	if best < 2.5 {
		return
	}
	d := p.rises(max(0, at-span), at, min(n, at+span))
	f := robust.Finite(d[:])
	slices.Sort(f)
	m.Factors[HourlyEven] = (robust.OfSorted(f, 0.85) - robust.OfSorted(f, 0.3)) / rise
	m.Factors[OnsetEdge] = p.edge(at, rise)
}

// together returns for each day the rise that seven hours in ten share, and
// the fall that they share, which is 0 where they do not fall together.
func (p *profile) together(days []int, span int) (rises, falls []float64) {
	for _, k := range days {
		d := p.rises(max(0, k-span), k, min(len(p.hours), k+span))
		f := robust.Finite(d[:])
		if len(f) < 18 {
			rises, falls = append(rises, math.NaN()), append(falls, math.NaN())
			continue
		}
		slices.Sort(f)
		rises = append(rises, robust.OfSorted(f, 0.3))
		falls = append(falls, max(-robust.OfSorted(f, 0.7), 0))
	}
	return rises, falls
}

// closer adds the days around the highest rise that the stride passed over.
func (p *profile) closer(days []int, common []float64, span, stride int) ([]int, []float64) {
	if stride == 1 {
		return days, common
	}
	top := -1
	for i, r := range common {
		if !math.IsNaN(r) && (top < 0 || r > common[top]) {
			top = i
		}
	}
	if top < 0 {
		return days, common
	}
	var more []int
	for k := max(days[top]-stride+1, 5); k <= min(days[top]+stride-1, len(p.hours)-5); k++ {
		more = append(more, k)
	}
	rises, _ := p.together(more, span)
	return append(days, more...), append(common, rises...)
}

// edge returns the sharpest jump between successive hours from a day before to
// a day after the onset, beyond what is usual at that hour, over the rise.
func (p *profile) edge(at int, rise float64) float64 {
	usual := make([]float64, 24)
	v := make([]float64, 0, len(p.hours))
	for h := range 24 {
		v = v[:0]
		for k := range p.hours {
			if h > 0 {
				v = append(v, p.hours[k][h]-p.hours[k][h-1])
			} else if k > 0 {
				v = append(v, p.hours[k][0]-p.hours[k-1][23])
			}
		}
		usual[h] = quickMedian(v)
	}
	best := 0.0
	for k := max(at-1, 0); k <= min(at+1, len(p.hours)-1); k++ {
		for h := range 24 {
			before := math.NaN()
			if h > 0 {
				before = p.hours[k][h-1]
			} else if k > 0 {
				before = p.hours[k-1][23]
			}
			if j := p.hours[k][h] - before - usual[h]; j > best {
				best = j
			}
		}
	}
	return min(best/rise, 3)
}

// dailyNotch looks for a load that switches off and on again at the same hours
// of each day, between afternoon and night.
func (m *Measures) dailyNotch(p *profile) {
	n := len(p.hours)
	from := 0
	if m.stepped() {
		from = m.st.At
	}
	from = min(from, n-3)
	type edgeStat struct{ median, spread float64 }
	var edges [24]edgeStat
	v := make([]float64, 0, n)
	for h := 1; h < 24; h++ {
		v = v[:0]
		for k := from; k < n; k++ {
			v = append(v, p.hours[k][h]-p.hours[k][h-1])
		}
		edges[h] = edgeStat{robust.Median(v), robust.MAD(v)}
	}
	best, spread := 0.0, 0.0
	for off := 15; off <= 20; off++ {
		for on := off + 2; on <= min(off+8, 23); on++ {
			// A switch falls within an hour, so its edge may spread over two.
			down := -(edges[off].median + min(edges[off+1].median, 0))
			up := edges[on].median + max(edges[on-1].median, 0)
			if depth := min(down, up); depth > best {
				best, spread = depth, min(edges[off].spread, edges[on].spread)
			}
		}
	}
	m.Factors[NotchDepth] = best / max(m.meanKW, 0.01)
	if best > 0 {
		m.Factors[NotchRegular] = min(spread/best, 5)
	}
}
