package sim

import (
	"context"
	"math"
	"sort"
)

// Quantiles are the shares at which Stats gives daily energies.
var quantileShares = [...]float64{.05, .10, .25, .50, .75, .90, .95}

// Stats are measured statistics of the district's history.
type Stats struct {
	Households int                          // that were measured: plain dwellings, no story
	ADMDKW     float64                      // after-diversity maximum demand of groups of 100 households, kW a household (mean of the groups)
	GroupLF    float64                      // daily load factor of such a group, mean of the days
	HouseLF    Spread                       // daily load factor of one house, a mean of its days for each house
	PeakHour   float64                      // hour of the group's mean daily peak
	Profile    [24]float64                  // mean household by hour, kW
	Weekly     [7]float64                   // mean daily energy of a household by weekday, Sunday first, kWh
	DayShare   [2]float64                   // share of the energy used from 10 to 16 h on workdays, on days of rest
	DailyKWh   [len(quantileShares)]float64 // quantiles of household-days
	MeanKWh    [len(quantileShares)]float64 // quantiles of households' mean day

	DistrictPeakKW float64 // of the sum of the transformer meters
	LossPct        float64 // of transformers and lines, of the energy that enters
	LoadingP95     Spread  // of the transformers: 95th percentile of loading, %
	KindDailyKWh   map[string]Spread
}

// Spread is how a number is distributed over its subjects.
type Spread struct{ P5, P50, P95 float64 }

// Stats measures the history. Energies are true ones at the service, gaps aside.
func (d *District) Stats(ctx context.Context) (*Stats, error) {
	days := int(d.last-d.first) + 1
	m := &measuring{days: days, kinds: make(map[string][]float64), loading: make([][]float64, len(d.areas))}
	for _, p := range d.points {
		if p.house != nil && !d.planted(p) {
			m.houses = append(m.houses, p)
		}
	}
	m.groups = make([]dayKW, max(1, len(m.houses)/100))
	m.peaks = make([]float64, len(m.groups))
	for date := d.first; date <= d.last; date++ {
		all, err := d.day(ctx, date)
		if err != nil {
			return nil, err
		}
		m.take(d, d.env(date), all)
	}
	return m.result(d), nil
}

func (d *District) planted(p *point) bool {
	for _, s := range d.stories {
		if s.point == p {
			return true
		}
	}
	return false
}

// measuring holds what is summed up while the days go by.
type measuring struct {
	days    int
	houses  []*point
	groups  []dayKW // of the present day
	peaks   []float64
	lf      float64
	daily   []float64
	houseLF map[*point]float64
	mean    map[*point]float64
	profile dayKW
	byDay   [7]float64
	nByDay  [7]int
	share   [2]float64
	total   [2]float64
	peak    float64
	in, out float64
	loading [][]float64
	kinds   map[string][]float64
	kindSum map[*point]float64
}

func (m *measuring) take(d *District, e *env, all []*areaDay) {
	if m.mean == nil {
		m.houseLF, m.mean, m.kindSum = make(map[*point]float64), make(map[*point]float64), make(map[*point]float64)
	}
	curves := make(map[*point]*dayKW, len(d.points))
	var district dayKW
	for i, a := range d.areas {
		for k, p := range a.points {
			curves[p] = &all[i].points[k].True
			m.kindSum[p] += curves[p].sum()
		}
		for t := range district {
			district[t] += all[i].Metered[t]
			m.loading[i] = append(m.loading[i], 100*all[i].kva[t]/a.kva)
		}
		m.in += all[i].Metered.sum()
		m.out += all[i].line.sum() + all[i].loss.sum()
	}
	for _, v := range district {
		m.peak = math.Max(m.peak, v)
	}
	for g := range m.groups {
		m.groups[g] = dayKW{}
	}
	rest := 0
	if e.rest {
		rest = 1
	}
	for n, p := range m.houses {
		c := curves[p]
		kwh, top := c.sum(), 0.
		for t, v := range c {
			top = math.Max(top, v)
			m.profile[t] += v
			if g := n / 100; g < len(m.groups) {
				m.groups[g][t] += v
			}
			if t >= 40 && t < 64 {
				m.share[rest] += v * step
			}
		}
		m.total[rest] += kwh
		m.daily = append(m.daily, kwh)
		m.mean[p] += kwh / float64(m.days)
		if top > 0 {
			m.houseLF[p] += kwh / 24 / top / float64(m.days)
		}
		m.byDay[e.weekday] += kwh
		m.nByDay[e.weekday]++
	}
	for g := range m.groups {
		top := 0.
		for _, v := range m.groups[g] {
			top = math.Max(top, v)
		}
		m.peaks[g] = math.Max(m.peaks[g], top)
		m.lf += m.groups[g].sum() / 24 / top / float64(m.days*len(m.groups))
	}
}

func (m *measuring) result(d *District) *Stats {
	s := &Stats{Households: len(m.houses), GroupLF: m.lf, DistrictPeakKW: m.peak, LossPct: 100 * m.out / m.in, KindDailyKWh: make(map[string]Spread)}
	for _, p := range m.peaks {
		s.ADMDKW += p / float64(min(100, len(m.houses))*len(m.peaks))
	}
	top := 0.
	for t, v := range m.profile {
		s.Profile[t/4] += v / 4 / float64(len(m.houses)*m.days)
		if v > top {
			top, s.PeakHour = v, (float64(t)+.5)*step
		}
	}
	for w := range s.Weekly {
		s.Weekly[w] = m.byDay[w] / float64(max(1, m.nByDay[w]))
	}
	for k := range s.DayShare {
		s.DayShare[k] = m.share[k] / math.Max(1e-9, m.total[k])
	}
	var means, lfs, p95 []float64
	for _, p := range m.houses {
		means, lfs = append(means, m.mean[p]), append(lfs, m.houseLF[p])
	}
	for i := range m.loading {
		p95 = append(p95, quantile(m.loading[i], .95))
	}
	for k, q := range quantileShares {
		s.DailyKWh[k], s.MeanKWh[k] = quantile(m.daily, q), quantile(means, q)
	}
	s.HouseLF, s.LoadingP95 = spread(lfs), spread(p95)
	for _, p := range d.points {
		if !d.planted(p) {
			m.kinds[p.kind] = append(m.kinds[p.kind], m.kindSum[p]/float64(m.days))
		}
	}
	for kind, v := range m.kinds {
		s.KindDailyKWh[kind] = spread(v)
	}
	return s
}

func spread(v []float64) Spread {
	return Spread{quantile(v, .05), quantile(v, .5), quantile(v, .95)}
}

// quantile sorts v and returns its q-quantile (nearest rank).
func quantile(v []float64, q float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	sort.Float64s(v)
	return v[int(math.Round(q*float64(len(v)-1)))]
}

func sortedKinds(m map[string]Spread) []string {
	out := make([]string, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}
