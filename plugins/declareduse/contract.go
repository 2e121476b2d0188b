package declareduse

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// overContract is the demand above the contract in the hours of a curve.
type overContract struct {
	hours, of int     // hours above, of those measured
	days      int     // days with such an hour
	highest   float64 // kVA
	measured  bool    // reactive power or power factor was measured in those hours
}

// share of the hours that are above the contract.
func (o *overContract) share() float64 {
	if o == nil || o.of == 0 {
		return 0
	}
	return float64(o.hours) / float64(o.of)
}

// sustained tells use beyond the contract from single peaks: more than a tenth
// of all hours.
func (o *overContract) sustained() bool { return o.share() > 0.1 }

// demandFactor is the power factor that a peak in kW is turned into kVA with.
func (c *Config) demandFactor(l *load) (factor float64, measured bool) {
	if l.factor >= 0.3 && l.factor <= 1 {
		return l.factor, true
	}
	return c.PowerFactor, false
}

// exceeds reports whether one day in ten has an hour above the contract.
func (c *Config) exceeds(l *load, s *sdk.Subject) bool {
	factor, _ := c.demandFactor(l)
	contracted := s.Number(sdk.AttrContractedKVA)
	return contracted > 0 && l.peakKW < 1e7 && l.peakKW/factor > (1+c.ContractTolerance)*contracted
}

// count goes through the hours of the last month.
func (c *Config) count(curve *sdk.Curve, w *sdk.Window, s *sdk.Subject, l *load) *overContract {
	p := curve.Columns[meter.ActivePower]
	limit := (1 + c.ContractTolerance) * s.Number(sdk.AttrContractedKVA)
	if p == nil || curve.IntervalSeconds <= 0 || len(curve.DayStart) != w.Days+1 || !(limit > 0) {
		return nil
	}
	q, pf := curve.Columns[meter.ReactivePower], curve.Columns[meter.PowerFactor]
	factor, measured := c.demandFactor(l)
	perHour := max(3600/curve.IntervalSeconds, 1)
	out := &overContract{measured: measured}
	for d := l.first; d <= l.last; d++ {
		from, to := int(curve.DayStart[d]), int(curve.DayStart[d+1])
		above := false
		for h := from; h+perHour <= to; h += perHour {
			sum, n := 0.0, 0
			for i := h; i < h+perHour; i++ {
				kw := math.Abs(float64(p[i]))
				switch {
				case !(kw < 1e7):
					continue
				case q != nil && math.Abs(float64(q[i])) < 1e7:
					sum += math.Hypot(kw, float64(q[i]))
					out.measured = true
				case pf != nil && math.Abs(float64(pf[i])) > 0.2 && math.Abs(float64(pf[i])) <= 1:
					sum += kw / math.Abs(float64(pf[i]))
					out.measured = true
				default:
					sum += kw / factor
				}
				n++
			}
			if n == 0 {
				continue
			}
			out.of++
			kva := sum / float64(n)
			out.highest = math.Max(out.highest, kva)
			if kva > limit {
				out.hours++
				above = true
			}
		}
		if above {
			out.days++
		}
	}
	return out
}

// capacity weighs a demand above the contract.
func (v *verdict) capacity(c *Config, l *load, s *sdk.Subject, over *overContract) {
	contracted := s.Number(sdk.AttrContractedKVA)
	if !(contracted > 0) || math.IsNaN(l.peakKW) {
		return
	}
	factor, measured := c.demandFactor(l)
	ratio := l.peakKW / factor / contracted
	source := "assumed"
	if measured {
		source = "measured"
	}
	text := fmt.Sprintf("One day in ten has an hour above %.1f kW, %.0f %% of the contracted %.0f kVA at a power factor of %.2f (%s).", l.peakKW, 100*ratio, contracted, factor, source)
	if over != nil && over.hours > 0 {
		text += fmt.Sprintf(" In %d of %d hours, on %d days, the demand was more than %.0f %% above the contract; the highest was %.1f kVA.", over.hours, over.of, over.days, 100*c.ContractTolerance, over.highest)
	}
	weight := maxCapacity * ramp(ratio, 1+c.ContractTolerance, 1.55+c.ContractTolerance)
	if weight >= negligible {
		weight += maxSustained * ramp(over.share(), 0.05, 0.3)
	}
	v.add(sdk.Evidence{Code: "peak_over_contract", Value: ratio, LogOdds: weight, Text: text}, "above_contracted")
	if weight < negligible {
		return
	}
	v.over = true
	v.explain("contract_not_updated", sdk.Open, "A customer who grew may have asked for more power and wait for it; the records hold %.0f kVA.", contracted)
	if over != nil && over.of > 0 {
		outcome := sdk.Unlikely
		if over.hours < 5 {
			outcome = sdk.Open
		}
		v.explain("single_peaks", outcome, "A motor or a machine that starts now and then: %d of %d hours are above.", over.hours, over.of)
	}
}
