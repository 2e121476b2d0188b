package sdk

// Feature names one daily feature of a meter-day. Features are float32
// columns; NaN means that the day does not give the feature.
type Feature string

// Daily features. Powers are in kW. "Hourly" features are computed on means
// over an hour, so that they compare between meters of 5 minute to 1 hour
// resolution. Bad intervals are left out.
const (
	EnergyKWh      Feature = "energy_kwh"       // energy of the day, scaled up for missing intervals, kWh
	MeanKW         Feature = "mean_kw"          // mean power
	MinKW          Feature = "min_kw"           // lowest hourly mean
	P10KW          Feature = "p10_kw"           // quantiles of the hourly means
	P25KW          Feature = "p25_kw"           //
	P50KW          Feature = "p50_kw"           //
	P75KW          Feature = "p75_kw"           //
	P90KW          Feature = "p90_kw"           //
	MaxKW          Feature = "max_kw"           // highest hourly mean
	PeakKW         Feature = "peak_kw"          // highest interval at the meter's own resolution
	NightKW        Feature = "night_kw"         // mean 00:00 to 05:00
	MorningKW      Feature = "morning_kw"       // mean 05:00 to 09:00
	DaytimeKW      Feature = "daytime_kw"       // mean 09:00 to 17:00
	EveningKW      Feature = "evening_kw"       // mean 17:00 to 22:00
	StdKW          Feature = "std_kw"           // standard deviation of the hourly means
	RoughnessKW    Feature = "roughness_kw"     // mean absolute difference of successive hourly means
	FlatShare      Feature = "flat_share"       // share of hours within 3 % of the day's median, 0 … 1
	LongestFlatH   Feature = "longest_flat_h"   // longest run of hours within 5 % of each other's mean, h
	LoadFactor     Feature = "load_factor"      // mean over highest hourly mean, 0 … 1
	GoodShare      Feature = "good_share"       // share of intervals of good quality, 0 … 1
	EstimatedShare Feature = "estimated_share"  // share of intervals with a value that is uncertain, estimated, substituted or edited, 0 … 1
	PowerFactorAvg Feature = "power_factor_avg" // energy-weighted power factor, NaN where not measured
	THDCurrentAvg  Feature = "thd_current_avg"  // mean current THD, %, NaN where not measured
	VoltageAvg     Feature = "voltage_avg"      // mean phase voltage, V, NaN where not measured
)

// Features lists the daily features in the order in which they are stored and sent.
func Features() []Feature {
	return []Feature{
		EnergyKWh, MeanKW, MinKW, P10KW, P25KW, P50KW, P75KW, P90KW, MaxKW, PeakKW,
		NightKW, MorningKW, DaytimeKW, EveningKW, StdKW, RoughnessKW, FlatShare, LongestFlatH,
		LoadFactor, GoodShare, EstimatedShare, PowerFactorAvg, THDCurrentAvg, VoltageAvg,
	}
}

// Valid reports whether f is one of Features.
func (f Feature) Valid() bool {
	for _, known := range Features() {
		if f == known {
			return true
		}
	}
	return false
}
