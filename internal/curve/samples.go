package curve

import (
	"math"
	"slices"
)

// powerCells and meanCells are into how many cells an interval is divided. One
// reading stands for a cell, the first in it: more of them would be more
// exact, but a set that takes every reading and knows each again when it
// comes a second time has no bound.
const (
	powerCells = 15
	meanCells  = 3
)

// sample is a reading of a quantity that is sampled. The highest bit of at
// marks an uncertain one.
type sample struct {
	at uint32
	v  float32
}

const uncertainBit = 1 << 31

func sampleOf(p point) sample {
	s := sample{p.at, float32(p.v)}
	if p.u {
		s.at |= uncertainBit
	}
	return s
}

func (s sample) when() uint32    { return s.at &^ uncertainBit }
func (s sample) uncertain() bool { return s.at&uncertainBit != 0 }

// sooner orders readings of one moment, too, so that it does not matter which
// came first.
func (s sample) sooner(o sample) bool {
	if s.when() != o.when() {
		return s.when() < o.when()
	}
	if s.at != o.at {
		return s.at < o.at
	}
	return s.v < o.v
}

// samples are in order of time, one a cell.
type samples []sample

// add takes a reading; cell is the length of a cell in milliseconds. at is
// where it is now, grown whether its cell had none.
func (l *samples) add(s sample, cell uint32) (changed bool, at int, grown bool) {
	want := s.when() / cell // margin is a multiple of every cell
	at = len(*l)
	for at > 0 {
		have := (*l)[at-1].when() / cell
		if have < want {
			break
		}
		at--
		if have == want {
			if !s.sooner((*l)[at]) {
				return false, at, false
			}
			(*l)[at] = s
			return true, at, false
		}
	}
	*l = insertAt(*l, at, s)
	return true, at, true
}

// insertAt inserts as slices.Insert does, and leaves little room beyond: sets
// of a whole fleet are held.
func insertAt[T any](list []T, at int, v T) []T {
	const room = 16
	if len(list) == cap(list) {
		list = append(make([]T, 0, len(list)+room), list...)
	}
	return slices.Insert(list, at, v)
}

// thin leaves the first and the last one.
func (l *samples) thin() {
	if n := len(*l); n > 2 {
		*l = samples{(*l)[0], (*l)[n-1]}
	}
}

// means are the samples of one quantity.
type means struct {
	code int
	samples
}

// column returns the means of the intervals before limit, NaN where there are
// none; nil where all are.
func (d *workDay) column(m *means, n, limit int) []float32 {
	decimals := kept[m.code].decimals
	var column []float32
	for i := 0; i < len(m.samples); {
		k, sum, count := d.slotOf(m.samples[i].when()), 0.0, 0
		for ; i < len(m.samples) && d.slotOf(m.samples[i].when()) == k; i++ {
			sum += float64(m.samples[i].v)
			count++
		}
		if k >= limit || k >= n {
			break
		}
		if column == nil {
			column = slices.Repeat([]float32{float32(math.NaN())}, n)
		}
		column[k] = float32(round(sum/float64(count), decimals))
	}
	return column
}

func round(v float64, decimals int) float64 {
	return math.Round(v*powersOfTen[decimals]) / powersOfTen[decimals]
}
