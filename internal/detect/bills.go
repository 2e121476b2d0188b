package detect

import (
	"math"

	"github.com/gridwarden/gridwarden/internal/tariff"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// billedPowerFactor turns a measured peak into the demand of a table that
// prices kVA.
const billedPowerFactor = 0.95

// monthDays is the length of the month that bills are given for.
const monthDays = 30

// bills puts in what 30 days of the point's mean use cost on the tariff billed
// and on the usual tariff of each other class of the same jurisdiction, under
// the tables in force on the run's last day. The mean is over the days of the
// run on which the current customer was measured; time of use is billed by the
// mean load of the day's parts, demand by the mean of the monthly peaks. A
// bill that cannot be computed is left out.
func (a *attributes) bills(in *Input, f *frame, p *point) {
	c := in.Network.Customer(p.current.CustomerID)
	if c == nil || !in.Tariffs.Known(c.TariffID) {
		return
	}
	use, ok := f.useOf(p)
	if !ok {
		return
	}
	a.text(sdk.AttrCurrency, in.Tariffs.Currency(c.TariffID))
	a.bill(in, sdk.AttrBillBilled, c.TariffID, use)
	for _, other := range [...]struct{ class, name string }{
		{tariff.Residential, sdk.AttrBillResidential}, {tariff.Commercial, sdk.AttrBillCommercial},
		{tariff.Industrial, sdk.AttrBillIndustrial}, {tariff.Agricultural, sdk.AttrBillAgriculture},
	} {
		if usual := in.Tariffs.Usual(c.TariffID, other.class); usual != "" && other.class != in.Tariffs.Kind(c.TariffID) {
			a.bill(in, other.name, usual, use)
		}
	}
}

func (a *attributes) bill(in *Input, name, tariffID string, use tariff.Use) {
	if in.Tariffs.DemandPer(tariffID, in.Last) == "kva" {
		use.Demand /= billedPowerFactor
	}
	if bill, err := in.Tariffs.BillUse(tariffID, use, in.Last); err == nil {
		setNumber(a.numbers, name, bill.Total.Float())
	}
}

// useOf is the mean use of a point's own days, over 30 days; ok is false where
// nothing was measured, or where the frame does not hold what bills need.
func (f *frame) useOf(p *point) (use tariff.Use, ok bool) {
	energy, peak := f.columns[columnOf(sdk.EnergyKWh)], f.columns[columnOf(sdk.MaxKW)]
	parts := [...]struct {
		column   []float32
		from, to int // hours
	}{
		{f.columns[columnOf(sdk.NightKW)], 0, 5}, {f.columns[columnOf(sdk.MorningKW)], 5, 9},
		{f.columns[columnOf(sdk.DaytimeKW)], 9, 17}, {f.columns[columnOf(sdk.EveningKW)], 17, 22},
	}
	complete := energy != nil && peak != nil
	for _, part := range parts {
		complete = complete && part.column != nil
	}
	if !complete {
		return use, false
	}
	var day tally
	var means [len(parts)]tally
	peaks := make([]float64, (f.n()+monthDays-1)/monthDays) // by month counted back from the last day
	for _, t := range p.tenures {
		at, known := f.rows[t.record.MeterID]
		if !known || t.record.CustomerID != p.current.CustomerID {
			continue
		}
		for date := t.first; date <= t.last; date++ {
			i := at*f.n() + int(date-f.days.first)
			day.add(energy[i])
			for k := range parts {
				means[k].add(parts[k].column[i])
			}
			month := &peaks[int(f.days.last-date)/monthDays]
			*month = max(*month, positiveOr0(peak[i]))
		}
	}
	if day.count == 0 || !(day.mean() >= 0) {
		return use, false
	}
	use.KWh = monthDays * day.mean()
	hours, rest := new([24]float64), day.mean()
	for k, part := range parts {
		mean := math.Max(means[k].mean(), 0)
		if means[k].count == 0 {
			mean = day.mean() / 24
		}
		for h := part.from; h < part.to; h++ {
			hours[h] = mean
			rest -= mean
		}
	}
	for h := 22; h < 24; h++ { // no feature of their own: what the day has left
		hours[h] = math.Max(rest/2, 0)
	}
	use.ByHour = hours
	months := 0
	for _, kw := range peaks {
		if kw > 0 {
			use.Demand += kw
			months++
		}
	}
	use.Demand /= float64(max(months, 1))
	return use, true
}

// positiveOr0 takes NaN and negative values for nothing.
func positiveOr0(v float32) float64 {
	if v > 0 {
		return min(float64(v), tallyMost)
	}
	return 0
}
