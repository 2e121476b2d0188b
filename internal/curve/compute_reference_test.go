package curve

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func TestComputeGivesTheBitsOfTheSlowReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDay(t)
		if rapid.Bool().Draw(t, "whole") {
			for i := range d.EnergyKWh {
				if d.EnergyKWh[i] != d.EnergyKWh[i] {
					d.EnergyKWh[i] = 1
				}
				d.Quality[i] = max(d.Quality[i], meter.Uncertain)
			}
		}
		got, want := Compute(d), slowCompute(d)
		for i := range got {
			if math.Float32bits(got[i]) != math.Float32bits(want[i]) {
				t.Fatalf("feature %d is %v, want %v", i, got[i], want[i])
			}
		}
	})
}

func TestValidateFindsWhatItFindsWithoutItsShortCut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDay(t)
		limits := Limits{ContractedKVA: rapid.SampledFrom([]float64{0, 10, 5000, 100_000}).Draw(t, "contract"), RatedKVA: rapid.SampledFrom([]float64{0, 1e6}).Draw(t, "rating")}
		for i := range d.EnergyKWh {
			if !(d.EnergyKWh[i] >= 0) {
				d.EnergyKWh[i] = 1.234
			}
		}
		if at := rapid.IntRange(0, len(d.EnergyKWh)-1).Draw(t, "from"); rapid.Bool().Draw(t, "frozen") {
			for i := at; i < min(len(d.EnergyKWh), at+rapid.IntRange(1, len(d.EnergyKWh)).Draw(t, "length")); i++ {
				d.EnergyKWh[i] = 2.345
			}
		}
		highest := limits.rangeKW() * d.Interval.Hours()
		var counts Counts
		whole := clone(d)
		for i, e := range whole.EnergyKWh {
			if e > highest {
				whole.Quality[i] = meter.Bad
				counts[RuleRange]++
			}
		}
		spikes(&whole, limits, &counts)
		frozen(&whole, &counts)
		if d.unsuspicious(limits, highest) && counts != (Counts{}) {
			t.Fatalf("nothing is suspicious, and yet: %s", counts.String())
		}
	})
}

// slowCompute is Compute as it was written first, hour by hour and run by run.
// Every feature must have the bits that it would give.
func slowCompute(d *Day) Features {
	var f Features
	for i := range f {
		f[i] = float32(math.NaN())
	}
	n := len(d.EnergyKWh)
	if n == 0 || d.Interval <= 0 || d.Interval > time.Hour {
		return f
	}
	h := slowHourly(d)
	shares(d, &f)
	if float64(h.usable) < usableShare*float64(n) {
		return f
	}
	perHour := float64(time.Hour) / float64(d.Interval)
	set := func(i int, v float64) { f[i] = float32(v) }
	energy := h.energy * float64(n) / float64(h.usable)
	mean := energy * perHour / float64(n)
	set(fEnergyKWh, energy)
	set(fMeanKW, mean)
	set(fPeakKW, h.peak*perHour)
	set(fNightKW, h.mean(0, 5))
	set(fMorningKW, h.mean(5, 9))
	set(fDaytimeKW, h.mean(9, 17))
	set(fEveningKW, h.mean(17, 22))
	h.spread(&f)
	h.slowFlatness(&f)
	electrical(d, &f)
	return f
}

func slowHourly(d *Day) hours {
	n := len(d.EnergyKWh)
	perHour := max(1, int(time.Hour/d.Interval))
	h := hours{n: min(maxHours, (n+perHour-1)/perHour)}
	for hour := range h.n {
		from, to := hour*perHour, min(n, (hour+1)*perHour)
		sum, count := 0.0, 0
		for i := from; i < to; i++ {
			if e := d.EnergyKWh[i]; d.Quality[i] != meter.Bad && e == e {
				sum += e
				count++
				if e > h.peak {
					h.peak = e
				}
			}
		}
		h.energy += sum
		h.usable += count
		if float64(count) >= usableShare*float64(to-from) {
			h.kw[hour] = sum / float64(count) * float64(perHour)
		} else {
			h.kw[hour] = math.NaN()
		}
	}
	return h
}

func (h *hours) slowFlatness(f *Features) {
	median := float64(f[fP50KW])
	if median != median {
		return
	}
	// The median is stored as float32: allow its rounding, or an even load
	// would miss itself.
	slack := math.Abs(median) * 1e-6
	flat, count, longest := 0, 0, 0
	for i, v := range h.kw[:h.n] {
		if v != v {
			continue
		}
		count++
		if math.Abs(v-median) <= flatTolerance*median+slack {
			flat++
		}
		if h.n-i > longest {
			longest = max(longest, h.slowRun(i))
		}
	}
	f[fFlatShare] = float32(flat) / float32(count)
	f[fLongestFlatH] = float32(longest)
}

func (h *hours) slowRun(hour int) int {
	low, high, sum := math.Inf(1), math.Inf(-1), 0.0
	length := 0
	for _, v := range h.kw[hour:h.n] {
		if v != v {
			break
		}
		low, high, sum = math.Min(low, v), math.Max(high, v), sum+v
		mean := sum / float64(length+1)
		if high-mean > runTolerance*mean || mean-low > runTolerance*mean {
			break
		}
		length++
	}
	return length
}
