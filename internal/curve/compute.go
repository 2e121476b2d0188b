package curve

import (
	"math"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Positions in Features; a test holds them to sdk.Features.
const (
	fEnergyKWh = iota
	fMeanKW
	fMinKW
	fP10KW
	fP25KW
	fP50KW
	fP75KW
	fP90KW
	fMaxKW
	fPeakKW
	fNightKW
	fMorningKW
	fDaytimeKW
	fEveningKW
	fStdKW
	fRoughnessKW
	fFlatShare
	fLongestFlatH
	fLoadFactor
	fGoodShare
	fEstimatedShare
	fPowerFactorAvg
	fTHDCurrentAvg
	fVoltageAvg
)

// Shares of a day, of an hour or of a part of the day that must be usable
// before a feature of it is given.
const usableShare = 0.5

// Tolerances of the flatness features, as shares.
const (
	flatTolerance = 0.03
	runTolerance  = 0.05
)

const maxHours = 26 // a day with two hours put in; never more

// Compute returns the daily features of d, as plugins/sdk/features.go
// documents them. Bad and missing intervals are left out; a feature is NaN
// where less than half of what it is made of is usable. On days of 23 or 25
// hours the hour that is skipped or repeated is taken to lie in the night,
// where every zone has it.
func Compute(d *Day) Features {
	var f Features
	for i := range f {
		f[i] = float32(math.NaN())
	}
	n := len(d.EnergyKWh)
	if n == 0 || d.Interval <= 0 || d.Interval > time.Hour {
		return f
	}
	whole := shares(d, &f)
	h := hourly(d, whole)
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
	h.flatness(&f)
	electrical(d, &f)
	return f
}

// hours are the hourly means of a day by elapsed hour, NaN where too little is usable.
type hours struct {
	kw     [maxHours]float64
	n      int // hours of the day
	usable int // usable intervals
	energy float64
	peak   float64 // highest interval, kWh
}

// hourly returns the hourly means. whole says that no interval is bad.
func hourly(d *Day, whole bool) hours {
	n := len(d.EnergyKWh)
	perHour := max(1, int(time.Hour/d.Interval))
	h := hours{n: min(maxHours, (n+perHour-1)/perHour)}
	if whole && n == perHour*h.n && h.quick(d.EnergyKWh, perHour) {
		return h
	}
	h = hours{n: h.n}
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

// quick does what hourly does for days of whole hours that have every
// interval; it reports false where one is missing.
func (h *hours) quick(energies []float64, perHour int) bool {
	scale := float64(perHour)
	for hour := range h.n {
		values := energies[:perHour]
		energies = energies[perHour:]
		sum := 0.0
		if len(values) == 4 { // by far the most frequent
			a, b, c, d := values[0], values[1], values[2], values[3]
			sum = sum + a + b + c + d
			peak := h.peak
			if a > peak {
				peak = a
			}
			if b > peak {
				peak = b
			}
			if c > peak {
				peak = c
			}
			if d > peak {
				peak = d
			}
			h.peak = peak
		} else {
			for _, e := range values {
				sum += e
				if e > h.peak {
					h.peak = e
				}
			}
		}
		h.energy += sum
		h.kw[hour] = sum / scale * scale
	}
	h.usable = perHour * h.n
	return h.energy == h.energy
}

// mean returns the mean power between two wall-clock hours.
func (h *hours) mean(from, to int) float64 {
	shift := h.n - 24 // the hour put in or left out lies in the night
	if from > 0 {
		from += shift
	}
	to += shift
	sum, count := 0.0, 0
	for hour := max(0, from); hour < min(to, h.n); hour++ {
		if v := h.kw[hour]; v == v {
			sum += v
			count++
		}
	}
	if count == 0 || float64(count) < usableShare*float64(to-from) {
		return math.NaN()
	}
	return sum / float64(count)
}

// spread sets what the sorted hourly means give.
func (h *hours) spread(f *Features) {
	var sorted [maxHours]float64
	count := 0
	sum, steps, roughness, previous := 0.0, 0, 0.0, math.NaN()
	for _, v := range h.kw[:h.n] {
		if diff := math.Abs(v - previous); diff == diff {
			roughness += diff
			steps++
		}
		previous = v
		if v != v {
			continue
		}
		sum += v
		at := count
		for at > 0 && sorted[at-1] > v {
			sorted[at] = sorted[at-1]
			at--
		}
		sorted[at] = v
		count++
	}
	if float64(count) < usableShare*float64(h.n) || count == 0 {
		return
	}
	values := sorted[:count]
	mean := sum / float64(count)
	variance := 0.0
	for _, v := range values {
		variance += (v - mean) * (v - mean)
	}
	f[fMinKW], f[fMaxKW] = float32(values[0]), float32(values[count-1])
	for i, q := range [...]float64{0.10, 0.25, 0.50, 0.75, 0.90} {
		f[fP10KW+i] = float32(quantile(values, q))
	}
	f[fStdKW] = float32(math.Sqrt(variance / float64(count)))
	if steps > 0 {
		f[fRoughnessKW] = float32(roughness / float64(steps))
	}
	if top := values[count-1]; top > 0 {
		f[fLoadFactor] = float32(mean / top)
	}
}

// quantile interpolates linearly between order statistics (type 7 of Hyndman and Fan).
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(at)
	if low+1 >= len(sorted) {
		return sorted[len(sorted)-1]
	}
	return sorted[low] + (at-float64(low))*(sorted[low+1]-sorted[low])
}

// flatness needs the median that spread has set.
func (h *hours) flatness(f *Features) {
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
			longest = max(longest, h.run(i))
		}
	}
	f[fFlatShare] = float32(flat) / float32(count)
	f[fLongestFlatH] = float32(longest)
}

// run returns how many hours from hour on stay within 5 % of their own mean;
// that hour has a value.
func (h *hours) run(hour int) int {
	low := h.kw[hour]
	if low-low > runTolerance*low { // below zero
		return 0
	}
	high, sum := low, low
	length := 1
	for _, v := range h.kw[hour+1 : h.n] {
		if v != v {
			break
		}
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
		sum += v
		mean := sum / float64(length+1)
		if high-mean > runTolerance*mean || mean-low > runTolerance*mean {
			break
		}
		length++
	}
	return length
}

// shares sets the share of good intervals, and that of intervals whose value
// is not as the meter delivered it for good: uncertain, estimated, substituted
// or edited. It reports whether no interval is bad.
func shares(d *Day, f *Features) (whole bool) {
	good, bad := 0, 0
	for _, q := range d.Quality {
		switch q {
		case meter.Good:
			good++
		case meter.Bad:
			bad++
		}
	}
	n := len(d.EnergyKWh)
	estimated := 0
	if d.Flags != nil || good+bad < n {
		for i, q := range d.Quality {
			doubted := q == meter.Uncertain || d.Flags != nil && d.Flags[i]&(meter.Estimated|meter.Substituted|meter.Edited) != 0
			if doubted && d.Usable(i) {
				estimated++
			}
		}
	}
	f[fGoodShare], f[fEstimatedShare] = float32(good)/float32(n), float32(estimated)/float32(n)
	return bad == 0
}

// electrical sets the features of the quantities beyond active energy.
func electrical(d *Day, f *Features) {
	if len(d.Other) == 0 {
		return
	}
	if pf := weighted(d, d.Other[meter.PowerFactor]); pf == pf {
		f[fPowerFactorAvg] = float32(pf)
	} else if kvar := d.Other[meter.ReactivePower]; len(kvar) == len(d.EnergyKWh) {
		f[fPowerFactorAvg] = float32(factorOf(d, kvar))
	}
	f[fTHDCurrentAvg] = float32(average(d, d.Other[meter.THDCurrent]))
	sum, count := 0.0, 0
	for _, q := range [...]meter.Quantity{meter.VoltageA, meter.VoltageB, meter.VoltageC} {
		if v := average(d, d.Other[q]); v == v && v > 0 {
			sum += v
			count++
		}
	}
	if count > 0 {
		f[fVoltageAvg] = float32(sum / float64(count))
	}
}

// average returns the mean of a column where at least half of it is there.
func average(d *Day, column []float32) float64 {
	sum, count := 0.0, 0
	for _, v := range column {
		if v == v {
			sum += float64(v)
			count++
		}
	}
	if count == 0 || float64(count) < usableShare*float64(len(d.EnergyKWh)) {
		return math.NaN()
	}
	return sum / float64(count)
}

// weighted returns the energy-weighted mean of a column.
func weighted(d *Day, column []float32) float64 {
	sum, energy, count := 0.0, 0.0, 0
	for i, v := range column {
		if v == v && d.Usable(i) {
			sum += float64(v) * d.EnergyKWh[i]
			energy += d.EnergyKWh[i]
			count++
		}
	}
	if energy <= 0 || float64(count) < usableShare*float64(len(d.EnergyKWh)) {
		return math.NaN()
	}
	return sum / energy
}

// factorOf returns the power factor of the day's active and reactive energy.
func factorOf(d *Day, kvar []float32) float64 {
	active, reactive, count := 0.0, 0.0, 0
	for i, q := range kvar {
		if q == q && d.Usable(i) {
			active += d.EnergyKWh[i]
			reactive += math.Abs(float64(q)) * d.Interval.Hours()
			count++
		}
	}
	if active <= 0 || float64(count) < usableShare*float64(len(kvar)) {
		return math.NaN()
	}
	return active / math.Hypot(active, reactive)
}
