package detect

import (
	"math"
	"sort"
)

// tally adds up daily values so that the sum does not depend on their order:
// in whole steps of 2^-24, far below what a meter resolves.
type tally struct {
	sum   int64
	count int32
}

const (
	tallyStep = 1 << 24
	tallyMost = 1 << 26 // kWh or kW of one day; ten years of it still fit
)

func (t *tally) add(v float32) {
	if v != v {
		return // NaN: the day has no value
	}
	x := min(max(float64(v), -tallyMost), tallyMost)
	t.sum += int64(math.Round(x * tallyStep))
	t.count++
}

// mean is NaN where nothing was added.
func (t *tally) mean() float64 {
	if t.count == 0 {
		return math.NaN()
	}
	return float64(t.sum) / tallyStep / float64(t.count)
}

// spread is what the quantiles of many values need of them: a few neighbours
// around each quantile, so that any one value can be left out later without
// the others at hand.
type spread struct {
	Count int         `json:"n"`
	Cuts  []neighbour `json:"cuts"`
}

// neighbour holds the sorted values around one quantile.
type neighbour struct {
	Quantile float64   `json:"q"`
	First    int       `json:"i"` // place of Values[0] among all sorted values
	Values   []float64 `json:"v"`
}

// newSpread sorts values and keeps what the quantiles need.
func newSpread(values []float64, quantiles ...float64) spread {
	sort.Float64s(values)
	n := len(values)
	s := spread{Count: n}
	for _, q := range quantiles {
		if n == 0 {
			s.Cuts = append(s.Cuts, neighbour{Quantile: q})
			continue
		}
		// The places that are looked at with all values, and with one left out.
		with, without := int(q*float64(n-1)), int(q*float64(max(n-2, 0)))
		first := max(0, min(without, n-2))
		last := min(n-1, with+2)
		s.Cuts = append(s.Cuts, neighbour{q, first, append([]float64(nil), values[first:last+1]...)})
	}
	return s
}

// without returns quantile q, which newSpread was told of, one occurrence of
// self left out (NaN: none is), interpolated between neighbours; NaN where
// nothing is left.
func (s *spread) without(self, q float64) float64 {
	n := s.Count
	if !math.IsNaN(self) {
		n--
	}
	if n <= 0 {
		return math.NaN()
	}
	for _, c := range s.Cuts {
		if c.Quantile == q { //nolint:gocritic // the same constant, not a result
			return c.interpolate(n, self)
		}
	}
	return math.NaN()
}

func (c *neighbour) interpolate(n int, self float64) float64 {
	at := func(i int) float64 {
		if v := c.value(i); !math.IsNaN(self) && v >= self {
			return c.value(i + 1)
		}
		return c.value(i)
	}
	position := c.Quantile * float64(n-1)
	low := int(position)
	if low+1 >= n {
		return at(n - 1)
	}
	share := position - float64(low)
	return at(low)*(1-share) + at(low+1)*share
}

// value returns the value at a place; what a damaged plan lacks is NaN.
func (c *neighbour) value(i int) float64 {
	if i -= c.First; i < 0 || i >= len(c.Values) {
		return math.NaN()
	}
	return c.Values[i]
}
