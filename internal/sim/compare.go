package sim

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// Measured are statistics of real households, comparable with Stats.
type Measured struct {
	Households, Days int
	DailyKWh         [len(quantileShares)]float64
	MeanKWh          [len(quantileShares)]float64
	HouseLF          Spread      // at the file's own resolution
	Profile          [24]float64 // mean household by hour, kW
	ADMDKW           float64     // of the first 100 households that share their days
	GroupLF          float64
}

// MeasureFile reads a wide file of household readings (meter_id, date, p1 …
// pN in kWh, N a multiple of 24) and measures it. Days with a missing value
// are left out. A name that ends in .gz is unpacked.
func MeasureFile(file string) (*Measured, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("readings to compare with: %w", err)
	}
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if strings.HasSuffix(file, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("%s: %w; is it a gzip file?", file, err)
		}
		defer func() { _ = z.Close() }()
		r = z
	}
	return measure(file, r)
}

// realDay is one complete day of the file.
type realDay struct {
	meter string
	date  curve.Date
	kwh   []float64
}

func measure(file string, r io.Reader) (*Measured, error) {
	c := csv.NewReader(r)
	c.ReuseRecord = true
	head, err := c.Read()
	if err != nil {
		return nil, fmt.Errorf("%s:1: %w; the first line is meter_id,date,p1,…", file, err)
	}
	n := len(head) - 2
	if n < 24 || n%24 != 0 || n > 1440 {
		return nil, fmt.Errorf("%s:1: %d columns of readings; 24, 48, 96 or 288 after meter_id and date are right", file, n)
	}
	var days []realDay
	for {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		line, _ := c.FieldPos(0)
		d := realDay{meter: strings.Clone(rec[0])}
		if d.date, err = curve.ParseDate(rec[1]); err != nil {
			return nil, fmt.Errorf("%s:%d: %w", file, line, err)
		}
		for _, s := range rec[2:] {
			if s == "" {
				break
			}
			v, err := strconv.ParseFloat(s, 64)
			if err != nil || math.IsNaN(v) || v < 0 || v > 1e6 {
				return nil, fmt.Errorf("%s:%d: %q is not an energy; write kWh, 0 or more", file, line, s)
			}
			d.kwh = append(d.kwh, v)
		}
		if len(d.kwh) == n {
			days = append(days, d)
		}
	}
	if len(days) == 0 {
		return nil, fmt.Errorf("%s: no complete day in it", file)
	}
	return summarise(days, n), nil
}

func summarise(days []realDay, n int) *Measured {
	m := &Measured{Days: len(days)}
	sums, counts, lfs := make(map[string]float64), make(map[string]float64), make(map[string]float64)
	var daily []float64
	perHour := n / 24
	order := make(map[string]int)
	group := make(map[curve.Date][]float64)
	members := make(map[curve.Date]float64)
	for _, d := range days {
		var total, top float64
		for i, v := range d.kwh {
			total += v
			top = math.Max(top, v)
			m.Profile[i/perHour] += v / float64(len(days))
		}
		daily = append(daily, total)
		sums[d.meter] += total
		counts[d.meter]++
		if top > 0 {
			lfs[d.meter] += total / float64(n) / top
		}
		if _, ok := order[d.meter]; !ok {
			order[d.meter] = len(order)
		}
		if order[d.meter] >= 100 {
			continue
		}
		if group[d.date] == nil {
			group[d.date] = make([]float64, n)
		}
		members[d.date]++
		for i, v := range d.kwh {
			group[d.date][i] += v
		}
	}
	m.Households = len(sums)
	var means, lf []float64
	for id := range sums {
		means, lf = append(means, sums[id]/counts[id]), append(lf, lfs[id]/counts[id])
	}
	for k, q := range quantileShares {
		m.DailyKWh[k], m.MeanKWh[k] = quantile(daily, q), quantile(means, q)
	}
	m.HouseLF = spread(lf)
	m.groupStats(group, members, perHour)
	return m
}

// groupStats measures the days on which nearly all of the group have readings.
func (m *Measured) groupStats(group map[curve.Date][]float64, members map[curve.Date]float64, perHour int) {
	var most, used float64
	for _, n := range members {
		most = math.Max(most, n)
	}
	for date, g := range group {
		if members[date] < .8*most {
			continue
		}
		var top, total float64
		for _, v := range g {
			top = math.Max(top, v)
			total += v
		}
		m.ADMDKW = math.Max(m.ADMDKW, top*float64(perHour)/members[date])
		m.GroupLF += total / float64(len(g)) / math.Max(top, 1e-9)
		used++
	}
	m.GroupLF /= math.Max(1, used)
}

// Print writes the statistics for people, beside those of real households
// where real is not nil.
func (s *Stats) Print(w io.Writer, real *Measured) error {
	p := &printer{w: w}
	row := func(name, unit string, sim float64, other func(*Measured) float64, want string) {
		p.printf("%-44s %8.2f %-4s", name, sim, unit)
		if real != nil && other != nil {
			p.printf(" %8.2f", other(real))
		} else if real != nil {
			p.printf(" %8s", "")
		}
		p.printf("  %s\n", want)
	}
	p.printf("%-44s %8s %-4s", fmt.Sprintf("%d households without a story", s.Households), "sim", "")
	if real != nil {
		p.printf(" %8s", "file")
	}
	p.printf("  wanted\n")
	row("after-diversity maximum demand of 100", "kW", s.ADMDKW, func(m *Measured) float64 { return m.ADMDKW }, "0.8 … 2.5")
	row("daily load factor of 100", "", s.GroupLF, func(m *Measured) float64 { return m.GroupLF }, ".40 … .70")
	row("daily load factor of one house, 5 % of houses", "", s.HouseLF.P5, func(m *Measured) float64 { return m.HouseLF.P5 }, ".08 …")
	row("  half of the houses", "", s.HouseLF.P50, func(m *Measured) float64 { return m.HouseLF.P50 }, "")
	row("  95 %", "", s.HouseLF.P95, func(m *Measured) float64 { return m.HouseLF.P95 }, "… .35, more where homes are heated by electricity")
	row("hour of the mean peak", "h", s.PeakHour, nil, "17 … 22")
	row("share of energy 10 to 16 h, workdays", "", s.DayShare[0], nil, "")
	row("share of energy 10 to 16 h, days of rest", "", s.DayShare[1], nil, "more than on workdays")
	for k, q := range quantileShares {
		row(fmt.Sprintf("energy of a day, %.0f %% of household-days", 100*q), "kWh", s.DailyKWh[k], func(m *Measured) float64 { return m.DailyKWh[k] }, "")
	}
	for k, q := range quantileShares {
		row(fmt.Sprintf("mean day of a household, %.0f %% of them", 100*q), "kWh", s.MeanKWh[k], func(m *Measured) float64 { return m.MeanKWh[k] }, "")
	}
	for h, v := range s.Profile {
		row(fmt.Sprintf("mean household, %02d to %02d h", h, h+1), "kW", v, func(m *Measured) float64 { return m.Profile[h] }, "")
	}
	for d, v := range s.Weekly {
		row("mean energy of a household, "+time.Weekday(d).String(), "kWh", v, nil, "")
	}
	row("district's peak", "kW", s.DistrictPeakKW, nil, "")
	row("losses of transformers and lines", "%", s.LossPct, nil, "")
	row("loading of transformers (95 % of time), median", "%", s.LoadingP95.P50, nil, "")
	row("  the heaviest", "%", s.LoadingP95.P95, nil, "")
	for _, kind := range sortedKinds(s.KindDailyKWh) {
		k := s.KindDailyKWh[kind]
		p.printf("%-44s %8.1f %8.1f %8.1f kWh a day (5, 50, 95 %% of them)\n", kind, k.P5, k.P50, k.P95)
	}
	return p.err
}

// printer keeps the first error.
type printer struct {
	w   io.Writer
	err error
}

func (p *printer) printf(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.w, format, args...)
	}
}
