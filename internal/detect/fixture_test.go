package detect

import (
	"context"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// memory is a curve.Store for tests whose order of answers can be turned round.
type memory struct {
	days     map[string]map[curve.Date]curve.Day
	features map[string]map[curve.Date]curve.Features
	reversed bool
}

func newMemory() *memory {
	return &memory{days: map[string]map[curve.Date]curve.Day{}, features: map[string]map[curve.Date]curve.Features{}}
}

func (m *memory) PutDays(_ context.Context, days []curve.Day, features []curve.Features) error {
	for i, d := range days {
		if m.days[d.MeterID] == nil {
			m.days[d.MeterID] = map[curve.Date]curve.Day{}
			m.features[d.MeterID] = map[curve.Date]curve.Features{}
		}
		m.days[d.MeterID][d.Date], m.features[d.MeterID][d.Date] = d, features[i]
	}
	return nil
}

func (m *memory) Days(_ context.Context, meterID string, first, last curve.Date) ([]curve.Day, error) {
	var out []curve.Day
	for d := first; d <= last; d++ {
		if day, ok := m.days[meterID][d]; ok {
			out = append(out, day)
		}
	}
	return out, nil
}

func (m *memory) Features(_ context.Context, first, last curve.Date, fn func(string, curve.Date, *curve.Features) error) error {
	var meters []string
	for id := range m.features {
		meters = append(meters, id)
	}
	slices.Sort(meters)
	if m.reversed {
		slices.Reverse(meters)
	}
	for _, id := range meters {
		for d := first; d <= last; d++ {
			if f, ok := m.features[id][d]; ok {
				if err := fn(id, d, &f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (m *memory) Span(context.Context) (first, last curve.Date, ok bool, err error) {
	return 0, 0, false, nil
}

// put stores a quarter-hourly day of power(i) kW with the features that the tests look at.
func (m *memory) put(t testing.TB, meterID string, date curve.Date, loc *time.Location, power func(i int) float64) {
	t.Helper()
	start, end := date.Start(loc), (date + 1).Start(loc)
	n := int(end.Sub(start) / (15 * time.Minute))
	d := curve.Day{MeterID: meterID, Date: date, Start: start.UTC(), Interval: 15 * time.Minute,
		Other: map[meter.Quantity][]float32{meter.VoltageA: make([]float32, n), meter.PowerFactor: make([]float32, n)}}
	for i := range n {
		kw := power(i)
		d.EnergyKWh = append(d.EnergyKWh, kw/4)
		d.Quality = append(d.Quality, meter.Good)
		d.Other[meter.VoltageA][i], d.Other[meter.PowerFactor][i] = 230, 0.97
	}
	if err := m.PutDays(context.Background(), []curve.Day{d}, []curve.Features{curve.Compute(&d)}); err != nil {
		t.Fatal(err)
	}
}

const (
	firstDay = curve.Date(20_000)
	lastDay  = firstDay + 19
)

// district is a small network with load: two transformers, one with a meter;
// thirty households, of which the seventh mines.
func district(t testing.TB) Input {
	t.Helper()
	store := newMemory()
	records := grid.Records{
		Transformers: []grid.PowerTransformer{
			{ID: "TX-EAST-1", RatedKVA: 100, MeterID: "TM-1", Cooling: "ONAN", NoLoadLossW: 290},
			{ID: "TX-WEST-2", RatedKVA: 50},
		},
		Unmetered: []grid.UnmeteredLoad{{TransformerID: "TX-EAST-1", Kind: "street_light", KW: 2, Hours: "dusk_to_dawn"}},
		Calendar:  []grid.CalendarDay{{Date: (firstDay + 3).String(), Kind: "holiday", Name: "Spring"}},
	}
	for d := firstDay; d <= lastDay; d++ {
		for h := range 24 {
			records.Weather = append(records.Weather, grid.WeatherPoint{Time: d.Start(time.UTC).Add(time.Duration(h) * time.Hour), TempC: float64(d-firstDay) + float64(h)/24})
		}
	}
	for i := range 30 {
		customer := fmt.Sprintf("Zhang-Wei-%02d", i)
		records.Customers = append(records.Customers, grid.Customer{ID: customer, Category: grid.Residential, Class: grid.ClassResidential,
			DeclaredUse: "dwelling", DeclaredUseText: "Lin Mei's flat, 12 Canal Street", ContractedKVA: 8, TariffID: "T1", Subject: "person"})
		transformer := "TX-EAST-1"
		if i%3 == 0 {
			transformer = "TX-WEST-2"
		}
		u := grid.UsagePoint{ID: fmt.Sprintf("UP-%04d", i), MeterID: fmt.Sprintf("MTR-%05d", i), CustomerID: customer, TransformerID: transformer, Phase: "A"}
		records.UsagePoints = append(records.UsagePoints, u)
		for d := firstDay; d <= lastDay; d++ {
			store.put(t, u.MeterID, d, time.UTC, func(q int) float64 {
				kw := 0.3 + 0.02*float64(i) + 0.5*math.Abs(math.Sin(float64(q+int(d)*i)/15))
				if i == 7 && d > firstDay+9 {
					kw += 3
				}
				return kw
			})
		}
	}
	for d := firstDay; d <= lastDay; d++ {
		store.put(t, "TM-1", d, time.UTC, func(int) float64 { return 26 })
	}
	return Input{
		Network: grid.NewNetwork(records), Curves: store, First: firstDay, Last: lastDay, Location: time.UTC, Prior: 0.01,
		Now: func() time.Time { return time.Unix(1_800_000_000, 0) },
	}
}
