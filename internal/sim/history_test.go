package sim

import (
	"math"
	"testing"

	"github.com/gridwarden/gridwarden/internal/curve"
)

func dateOffset(n int) curve.Date { return curve.Date(n) }

// history is all days of one area.
type history struct {
	d    *District
	a    *area
	days []*areaDay
}

func (d *District) historyOf(a *area) *history { return d.lastDaysOf(a, int(d.last-d.first)+1) }

func (d *District) lastDaysOf(a *area, n int) *history {
	h := &history{d: d, a: a}
	for date := d.last - curve.Date(n) + 1; date <= d.last; date++ {
		h.days = append(h.days, a.dayOf(d.seed, d.env(date)))
	}
	return h
}

func (h *history) index(t *testing.T, p *point) int {
	t.Helper()
	for k, q := range h.a.points {
		if q == p {
			return k
		}
	}
	t.Fatalf("%s is not behind %s", p.id, h.a.id)
	return 0
}

// mean is the mean power of what get picks, over days from … to (exclusive)
// and hours from … to.
func (h *history) mean(from, to int, hours [2]float64, get func(*areaDay) *dayKW) float64 {
	var s, n float64
	for _, d := range h.days[from:to] {
		c := get(d)
		for i := int(hours[0] * 4); i < int(hours[1]*4); i++ {
			s += c[i]
			n++
		}
	}
	return s / n
}

func metered(k int) func(*areaDay) *dayKW {
	return func(d *areaDay) *dayKW { return &d.points[k].Metered }
}

func truly(k int) func(*areaDay) *dayKW {
	return func(d *areaDay) *dayKW { return &d.points[k].True }
}

// residual is what the transformer's meter sees beyond the meters behind it
// (as they hang in truth), its losses and the recorded lamps.
func residual(_ *area) func(*areaDay) *dayKW {
	return func(d *areaDay) *dayKW {
		r := d.Metered
		for i := range r {
			for k := range d.points {
				r[i] -= d.points[k].Metered[i]
			}
			r[i] -= d.loss[i] + d.street[i]
		}
		return &r
	}
}

// story finds a planted story with its point.
func (d *District) story(t *testing.T, name string) story {
	t.Helper()
	for _, s := range d.stories {
		if s.planted.Story == name {
			return s
		}
	}
	t.Fatalf("no story %s", name)
	return story{}
}

// p95 is the 95th percentile of the loading of the last 30 days, without
// the given loads of points.
func (h *history) p95(without map[int]load) float64 {
	var all []float64
	days := h.days[max(0, len(h.days)-30):]
	for n, d := range days {
		kva := d.kva
		if without != nil {
			e := h.d.env(h.d.last - curve.Date(len(days)-1-n))
			kva = h.without(d, e, without)
		}
		for _, v := range kva {
			all = append(all, v/h.a.kva)
		}
	}
	return quantile(all, .95)
}

// without is the area's apparent power as if some loads were not there; line
// losses are left as they are, which makes it an upper estimate.
func (h *history) without(d *areaDay, e *env, loads map[int]load) (kva dayKW) {
	kvar := d.kvar
	var kw dayKW
	for i := range kw {
		kw[i] = math.Sqrt(math.Max(0, d.kva[i]*d.kva[i]-kvar[i]*kvar[i]))
	}
	for k, l := range loads {
		p := h.a.points[k]
		for n, own := range p.loads {
			if own == l {
				var a, q dayKW
				addLoad(e, l, p.seed, uint64(n), &a, &q)
				for i := range kw {
					kw[i] -= a[i]
					kvar[i] -= q[i]
				}
			}
		}
	}
	for i := range kw {
		kva[i] = math.Hypot(kw[i], kvar[i])
	}
	return kva
}
