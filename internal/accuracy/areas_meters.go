package accuracy

import (
	"context"
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// write puts a site into the records and its meters' days into the store.
func (a *Areas) write(ctx context.Context, t *trial, s *site, records *grid.Records) error {
	input := s.input()
	s.plate = fitPlate(input)
	total := Load{ID: s.id + "-M", StepMinutes: t.StepMinutes, First: firstAreaDay, Days: t.Days, KW: make([]float64, t.n)}
	gain := 1 + 0.003*t.rng.NormFloat64()
	line, outside := 0.3+2.2*t.rng.Float64(), 1.0
	if t.rng.IntN(4) == 0 {
		outside = 0 // the meter hangs on the low-voltage side and does not see the transformer's own losses
	}
	noise := 0.001 + 0.003*t.rng.Float64()
	for i, v := range input {
		x := v / 0.94 / s.plate[0]
		total.KW[i] = (v + outside*s.plate[1]/1000 + (outside+line)*s.plate[2]/1000*x*x) * gain * (1 + noise*t.rng.NormFloat64())
	}
	transformer := grid.PowerTransformer{ID: s.id, RatedKVA: s.plate[0], MeterID: total.ID}
	if t.rng.IntN(3) > 0 {
		transformer.NoLoadLossW, transformer.LoadLossW = s.plate[1], s.plate[2]
	}
	records.Transformers = append(records.Transformers, transformer)
	records.Unmetered = append(records.Unmetered, s.listed...)
	phases := t.phaseVoltages(s)
	seen := 0.0
	for _, r := range s.recorded {
		seen += mean(r.load.KW)
		t.measure(r)
		phase := "ABC"
		if r.phase < 3 {
			shown := r.phase
			if t.Voltage && t.rng.IntN(25) == 0 {
				shown = (r.phase + 1 + t.rng.IntN(2)) % 3
				a.Rephased[r.load.ID] = true
			}
			phase = string("ABC"[shown])
		}
		l := &r.load
		records.Customers = append(records.Customers, grid.Customer{ID: l.ID, Category: grid.Category(l.Category), DeclaredUse: l.DeclaredUse})
		records.UsagePoints = append(records.UsagePoints, grid.UsagePoint{ID: l.ID, MeterID: l.ID, CustomerID: l.ID, TransformerID: s.id, Phase: grid.Phase(phase)})
		from := phases
		if home := a.Elsewhere[l.ID]; home != "" {
			from = nil // its voltage is that of the transformer it hangs on
		}
		if err := t.put(ctx, a.Store, r, from); err != nil {
			return err
		}
	}
	a.Truth[s.id] = s.truth
	a.Loss[s.id] = 1 - seen/mean(total.KW)
	return putDays(ctx, a.Store, total.days())
}

// measure makes a meter of a true load: class, clock, gaps, estimates.
func (t *trial) measure(r *resident) {
	class := [...]float64{0.002, 0.004, 0.008}[t.rng.IntN(3)]
	gain := 1 + class*t.rng.NormFloat64()
	for i := range r.load.KW {
		r.load.KW[i] *= gain
	}
	if t.rng.IntN(20) == 0 { // a clock that is off by up to an hour
		shift := (2*t.rng.Float64() - 1) * float64(t.perDay) / 24
		r.load.KW = shifted(r.load.KW, shift)
	}
	for i, v := range r.load.KW { // registers count whole watt-hours
		kwh := v * float64(t.StepMinutes) / 60
		r.load.KW[i] = math.Round(kwh*1000) / 1000 * 60 / float64(t.StepMinutes)
	}
	switch t.rng.IntN(12) {
	case 0, 1:
		lose(t.rng, &r.load)
	case 2: // a modem that fails for some days
		days := 1 + t.rng.IntN(max(t.Days/6, 1))
		at := t.rng.IntN(t.Days - days)
		for i := at * t.perDay; i < (at+days)*t.perDay; i++ {
			r.load.KW[i] = math.NaN()
		}
	case 3:
		if t.rng.IntN(4) == 0 { // never read
			for i := range r.load.KW {
				r.load.KW[i] = math.NaN()
			}
		}
	}
}

// shifted reads v a part of an interval or some of them earlier or later.
func shifted(v []float64, by float64) []float64 {
	out := make([]float64, len(v))
	for i := range out {
		at := min(max(float64(i)+by, 0), float64(len(v)-1))
		low := int(at)
		out[i] = v[low] + (at-float64(low))*(v[min(low+1, len(v)-1)]-v[low])
	}
	return out
}

// put stores a meter's days: one meter in eight has estimated intervals, and
// where the trial has voltage, the phase's voltage less the drop in its service.
func (t *trial) put(ctx context.Context, store *curve.Memory, r *resident, phases [][]float64) error {
	days := r.load.days()
	if t.rng.IntN(8) == 0 {
		for range 1 + t.rng.IntN(4) {
			d := &days[t.rng.IntN(len(days))]
			for i := range d.Quality {
				if d.Quality[i] == meter.Good {
					d.Quality[i] = meter.Uncertain
					d.Flag(i, meter.Estimated)
					d.EnergyKWh[i] = math.Max(mean(r.taken)*d.Interval.Hours(), 0)
				}
			}
		}
	}
	if t.Voltage {
		if phases == nil {
			phases = t.strangerVoltages()
		}
		names := [...]meter.Quantity{meter.VoltageA, meter.VoltageB, meter.VoltageC}
		drop := 0.3 + t.rng.Float64()
		for d := range days {
			days[d].Other = map[meter.Quantity][]float32{}
			for p, name := range names {
				if r.phase < 3 && p != 0 {
					continue // a single-phase meter knows one voltage, whatever the phase
				}
				column := make([]float32, t.perDay)
				for i := range column {
					at := d*t.perDay + i
					source := phases[p]
					if r.phase < 3 {
						source = phases[r.phase]
					}
					column[i] = float32(math.Round(10*(source[at]-drop*r.taken[at]+0.15*t.rng.NormFloat64())) / 10)
				}
				days[d].Other[name] = column
			}
		}
	}
	return putDays(ctx, store, days)
}

func putDays(ctx context.Context, store *curve.Memory, days []curve.Day) error {
	features := make([]curve.Features, len(days))
	for d := range days {
		features[d] = curve.Compute(&days[d])
	}
	if err := store.PutDays(ctx, days, features); err != nil {
		return fmt.Errorf("storing an area's meter-days: %w", err)
	}
	return nil
}

// feederVoltage is what all transformers of the feeder share.
func (t *trial) feederVoltage() []float64 {
	out := make([]float64, t.n)
	slow := 0.0
	for i := range out {
		slow = 0.97*slow + 0.25*t.rng.NormFloat64()
		out[i] = 231 + slow - 1.5*math.Exp(-math.Pow((t.hour(i)-19)/3, 2))
	}
	return out
}

// phaseVoltages are the voltages at a site's busbar.
func (t *trial) phaseVoltages(s *site) [][]float64 {
	if !t.Voltage {
		return nil
	}
	load := [3][]float64{}
	for p := range load {
		load[p] = append([]float64(nil), s.extra...)
		for i := range load[p] {
			load[p][i] /= 3
		}
	}
	for _, r := range s.loads {
		for i, v := range r.taken {
			if r.phase < 3 {
				load[r.phase][i] += v
				continue
			}
			for p := range load {
				load[p][i] += v / 3
			}
		}
	}
	return t.busbar(load, s.plate[0])
}

func (t *trial) busbar(load [3][]float64, kva float64) [][]float64 {
	out := make([][]float64, 3)
	for p := range out {
		out[p] = make([]float64, t.n)
		for i := range out[p] {
			out[p][i] = t.mv[i] - 230*0.05*3*load[p][i]/kva + 0.1*t.rng.NormFloat64()
		}
	}
	return out
}

// strangerVoltages are those of a transformer that is not looked at.
func (t *trial) strangerVoltages() [][]float64 {
	load := [3][]float64{}
	for p := range load {
		load[p] = make([]float64, t.n)
		for range 8 {
			for i, v := range t.resident(t.homes[t.rng.IntN(len(t.homes))], 0).taken {
				load[p][i] += v
			}
		}
	}
	return t.busbar(load, 63)
}
