package sim

import (
	"math"
	"math/rand/v2"
)

// mine is mining equipment: machines of the same make that run without pause
// at constant power. Dips come from restarts of single machines and from the
// network; fans turn faster in the warmth.
type mine struct {
	unitKW  float64 // one machine
	lots    []lot
	off     [2]float64 // hours of each day in which it rests, to hide; equal: never
	on      [2]float64 // hours in which it runs at all; equal: always
	dropout float64    // restarts of a machine a day
}

// lot is a number of machines that run from a day on.
type lot struct {
	from float64 // day of the history; far below zero: always
	n    int
}

// sinceEver is a day before every history.
const sinceEver = -1e9

func (m *mine) tanPhi() float64 { return tanOf(.975) }

// machines returns how many run on a day.
func (m *mine) machines(day float64) int {
	n := 0
	for _, l := range m.lots {
		if l.from <= day {
			n += l.n
		}
	}
	return n
}

// kw is the nominal power on a day while it runs.
func (m *mine) kw(day float64) float64 { return m.unitKW * float64(m.machines(day)) }

func (m *mine) add(e *env, r *rand.Rand, kw *dayKW) {
	for i := range kw {
		x := (float64(i) + .5) * step
		if m.off[0] < m.off[1] && x >= m.off[0] && x < m.off[1] {
			continue
		}
		if m.on[0] < m.on[1] && (x < m.on[0] || x >= m.on[1]) {
			continue
		}
		n := m.machines(float64(e.day) + x/24)
		if n == 0 {
			continue
		}
		kw[i] += m.unitKW * float64(n) * (1 + .0015*(e.tempC[i]-15)) * (.996 + .008*r.Float64())
	}
	if n := m.machines(float64(e.day)); n > 0 {
		for range n {
			if chance(r, m.dropout) {
				m.restart(r, kw, 1)
			}
		}
		if chance(r, .015) { // the internet line or the pool is down: all idle
			m.restart(r, kw, float64(n))
		}
	}
}

// restart takes n machines' power away for a while.
func (m *mine) restart(r *rand.Rand, kw *dayKW, n float64) {
	from, hours := uniform(r, 0, 23), math.Min(3, .1+.5*r.ExpFloat64())
	var dip dayKW
	dip.block(from, hours, m.unitKW*n*.97)
	for i := range kw {
		if d := dip[i]; d > 0 && kw[i] > d {
			kw[i] -= d
		}
	}
}
