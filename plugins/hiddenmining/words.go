package hiddenmining

import (
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// currentOf names the load whose current was looked at.
func (m *Measures) currentOf() string {
	if m.stepped() {
		return "what was added"
	}
	return "the load"
}

// words says in words what one piece of evidence is.
func (m *Measures) words(f Factor, s *sdk.Subject) string {
	x := m.Factors[f]
	switch f {
	case StepSignificance:
		return fmt.Sprintf("The base load rose by %.2f kW at its clearest change, %.1f times what the load's own wandering produces.", m.st.Rise, math.Exp(x))
	case StepUniform:
		return fmt.Sprintf("Through the parts of the day the rise is %.0f %% even: night, morning, daytime and evening rose alike.", 100*x)
	case StepNoise:
		return fmt.Sprintf("What was added changes from hour to hour by %.1f %% of its size.", 100*x)
	case StepDrift:
		return fmt.Sprintf("What was added changes from day to day by %.1f %% of its size.", 100*x)
	case StepStays:
		return fmt.Sprintf("%.0f %% of the rise is still there at the end.", 100*x)
	case StepRatio:
		return fmt.Sprintf("The rise is %.0f %% of the mean load before it.", 100*math.Exp(x))
	case StepKW:
		return fmt.Sprintf("The rise is %.2f kW.", m.st.Rise)
	case BaseHome:
		return fmt.Sprintf("The base load of %.2f kW is %.1f times what homes and neighbours hardly exceed (%.2f kW).", m.baseKW, math.Exp(x), homeBase(s))
	case FlatLevel:
		return fmt.Sprintf("%.0f %% of the hours lie within ±3 %% of the day's median.", 100*x)
	case LowerFlat:
		return fmt.Sprintf("The lowest hour of the day lies %.0f %% below the median hour.", 100*x)
	case NightDay:
		return fmt.Sprintf("At night the load is %.2f times that of the daytime.", math.Exp(x))
	case Notch:
		side := "below"
		if x < 0 {
			side = "above"
		}
		return fmt.Sprintf("In the evening peak the load lies %s that of night and day by %.0f %% of the mean.", side, 100*math.Abs(x))
	case Roughness:
		return fmt.Sprintf("From hour to hour the load changes by %.1f %% of its mean.", 100*x)
	case DayToDay:
		return fmt.Sprintf("From day to day the base load changes by %.1f %%.", 100*x)
	case WeekendRatio:
		return fmt.Sprintf("Between workdays and weekends the base load differs by %.1f %%.", 100*(math.Exp(x)-1))
	case HourlySignificance:
		return fmt.Sprintf("All hours of the day rose together by %.1f times what they otherwise wander together.", math.Exp(x))
	case HourlyEven:
		return fmt.Sprintf("Between the hours of the day the rise differs by %.0f %% of its size.", 100*x)
	case OnsetEdge:
		return fmt.Sprintf("At the onset the load jumped within an hour by %.0f %% of the rise.", 100*x)
	case NotchDepth:
		return fmt.Sprintf("Each day the load switches off in the afternoon and on again before night, by %.0f %% of its mean.", 100*x)
	case NotchRegular:
		return fmt.Sprintf("From day to day the depth of that switch-off varies by %.0f %%.", 100*x)
	case StepWeek:
		return fmt.Sprintf("Between workdays and weekends the rise differs by %.0f %% of its size.", 100*x)
	case StepAll:
		return fmt.Sprintf("The rise of the daily mean differs from that of the base load by %.0f %%: a machine lifts both alike.", 100*x)
	case ContractBase:
		return fmt.Sprintf("The base load of %.2f kW is %.0f %% of the contracted %.0f kVA.", m.baseKW, 100*math.Exp(x), s.Number(sdk.AttrContractedKVA))
	case ContractPeak:
		return fmt.Sprintf("On four days in five the highest hour stays below %.0f %% of the contracted %.0f kVA.", 100*math.Exp(x), s.Number(sdk.AttrContractedKVA))
	case NightExpected:
		return fmt.Sprintf("The ratio of night to daytime load is %.2f times the highest that is usual of the declared use.", math.Exp(x))
	case WeatherShare:
		return fmt.Sprintf("%.0f %% of the base load goes with the outdoor temperature.", 100*x)
	case PowerFactor:
		return fmt.Sprintf("The power factor of %s is %.2f; supplies of machines have 0.93 to 0.99, compressors and pumps 0.7 to 0.9, heaters 1.", m.currentOf(), x)
	case Distortion:
		return fmt.Sprintf("The current of %s is distorted by %.0f %%; supplies of machines have 4 to 15 %%, heaters and motors less.", m.currentOf(), x)
	case DropRate:
		return fmt.Sprintf("%d sudden falls recovered in full within hours, as when machines lose their network or trip.", m.drops)
	case DropSize:
		return fmt.Sprintf("Those falls take %.2f kW, %.0f %% of the base load.", m.dropKW, 100*x)
	case LotUnits:
		if x <= 0 {
			return "The sizes of jumps and falls share no unit that chance would not."
		}
		return fmt.Sprintf("The sizes of jumps and falls are multiples of %.2f kW, the size of one machine.", m.unitKW)
	case EnvelopeEven:
		return fmt.Sprintf("With nobody doing anything the load differs by %.1f %% between the hours of the day.", 100*math.Exp(x))
	case EnvelopeTight:
		return fmt.Sprintf("At quiet hours the lowest days lie within %.1f %% of each other.", 100*math.Exp(x))
	case twoWays:
		return "The mine may have begun within the window or run before it; this is what holding both open takes or gives."
	case noSign:
		return "Where a load with no sign of this kind starts."
	case declaredFlat:
		return fmt.Sprintf("The declared use (%s) is flat day and night by nature.", s.Text(sdk.AttrDeclaredUse))
	case registered:
		return "The customer is registered as a data centre."
	case unregistered:
		return "Declared as a data centre without the registration that goes with one."
	}
	return string(f)
}
