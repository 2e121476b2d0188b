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
		var common, falls []float64
		for k := 5; k <= n-5; k++ {
			d := p.rises(max(0, k-sp), k, min(n, k+sp))
			s := d[:]
			f := robust.Finite(s)
			if len(f) < 18 {
				common, falls = append(common, math.NaN()), append(falls, math.NaN())
				continue
			}
			slices.Sort(f)
			common = append(common, robust.OfSorted(f, 0.3))
			falls = append(falls, max(-robust.OfSorted(f, 0.7), 0))
		}
		wander := robust.Quantile(falls, 0.9)
		spread := robust.MAD(falls)
		for i, r := range common {
			if t := r / (math.Hypot(wander, spread) + 0.003*m.meanKW + 0.005); t > best {
				best, at, span, rise = t, i+5, sp, r
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
