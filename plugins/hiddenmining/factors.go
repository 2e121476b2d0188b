package hiddenmining

import (
	"math"
	"slices"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Factor names one measured quantity that the score card weighs.
type Factor string

// Factors. Those of a step are NaN where no step stands out, and a factor
// that is NaN weighs nothing.
const (
	StepSignificance Factor = "step_significance" // ln of the step's t
	StepUniform      Factor = "step_uniform"      // least over most of the rise in the parts of the day
	StepNoise        Factor = "step_noise"        // growth of hour-to-hour variation over the rise
	StepDrift        Factor = "step_drift"        // growth of day-to-day variation over the rise
	StepStays        Factor = "step_stays"        // share of the rise still there at the end
	StepRatio        Factor = "step_ratio"        // ln of the rise over the mean load before
	StepKW           Factor = "step_kw"           // ln of the rise in kW
	BaseHome         Factor = "base_home"         // ln of base load over that of homes
	FlatLevel        Factor = "flat_level"        // share of hours within ±3 %
	LowerFlat        Factor = "lower_flat"        // (median − lowest) over the median
	NightDay         Factor = "night_day"         // ln of night over daytime load
	Notch            Factor = "notch"             // evening below night and day, over the mean
	Roughness        Factor = "roughness"         // hour-to-hour variation over the mean
	DayToDay         Factor = "day_to_day"        // day-to-day variation of the base over the base
	WeekendRatio     Factor = "weekend_ratio"     // ln of weekend over workday base load
	StepWeek         Factor = "step_week"         // difference of the rise between workdays and weekends over the rise
	StepAll          Factor = "step_all"          // rise of the daily mean against that of the base load, |1 − ratio|
	ContractBase     Factor = "contract_base"     // ln of base load over contracted capacity
	ContractPeak     Factor = "contract_peak"     // ln of the usual highest hour over contracted capacity
	NightExpected    Factor = "night_expected"    // ln of night over daytime load against the usual highest of the declared use
	WeatherShare     Factor = "weather_share"     // how much of the base load goes with the temperature
	PowerFactor      Factor = "power_factor"      // of what was added, else of the load
	Distortion       Factor = "distortion"        // harmonic distortion of the same current, %
)

// stepFloorKW is the smallest rise that is told from none.
const stepFloorKW = 0.005

// Measures are the factors of one subject with what they were measured on.
type Measures struct {
	Factors map[Factor]float64

	days    int         // valid days
	s       *series     //
	st      robust.Step // clearest rise of the base load
	hasStep bool
	raw     bool    // measured on the raw curve too
	baseKW  float64 // base load of the latest stretch
	meanKW  float64
	drops   int     // sudden falls that recovered
	dropKW  float64 // their usual size
	unitKW  float64 // machine that the jumps are multiples of

	standing bool // more likely there before the first day than begun within the window
}

// Measure takes the factors of subject i of a window of daily features. ok is
// false where fewer than three days are valid or the load is nil.
func Measure(w *sdk.Window, i int) (m Measures, ok bool) {
	s := newSeries(w, i)
	if len(s.day) < 3 {
		return m, false
	}
	m = Measures{Factors: map[Factor]float64{}, days: len(s.day), s: s, meanKW: robust.Mean(s.mean)}
	if !(m.meanKW > 1e-3) {
		return m, false
	}
	from := 0 // the latest stretch, on which levels are measured
	m.st, m.hasStep = robust.FindStep(s.p25, stepFloorKW)
	if m.hasStep && m.st.T > 3 {
		m.measureStep()
		from = m.st.At
	} else if m.hasStep {
		m.Factors[StepSignificance] = math.Log(max(m.st.T, 0.1))
	}
	m.measureLevel(&w.Subjects[i], from)
	if w.Curves != nil {
		m.measureRaw(&w.Curves[i])
	}
	return m, true
}

func (m *Measures) measureStep() {
	s, st, f := m.s, m.st, m.Factors
	rise := func(values []float64) float64 {
		return between(values, st.At, st.After) - between(values, st.Before, st.At)
	}
	parts := []float64{rise(s.night), rise(s.morning), rise(s.daytime), rise(s.evening)}
	slices.Sort(parts)
	f[StepSignificance] = math.Log(st.T)
	f[StepUniform] = max(parts[1], 0) / max(parts[3], 1e-6)
	f[StepNoise] = rise(s.rough) / st.Rise
	f[StepDrift] = (robust.MAD(s.p25[st.At:st.After]) - robust.MAD(s.p25[st.Before:st.At])) / st.Rise
	f[StepStays] = st.Stays
	f[StepRatio] = math.Log(st.Rise / max(between(s.mean, st.Before, st.At), 0.05))
	f[StepKW] = math.Log(max(st.Rise, 0.01))
	f[StepAll] = math.Abs(rise(s.mean)/st.Rise - 1)
	m.measureWeek()
}

func (m *Measures) measureLevel(subject *sdk.Subject, from int) {
	s, f := m.s, m.Factors
	n := len(s.day)
	from = min(from, n-3)
	m.baseKW = between(s.p25, from, n)
	mean := between(s.mean, from, n)
	base := max(m.baseKW, 0.01)
	if home(subject) {
		f[BaseHome] = math.Log(base / homeBase(subject))
	}
	f[FlatLevel] = between(s.flat, from, n)
	f[LowerFlat] = (between(s.p50, from, n) - between(s.min, from, n)) / max(between(s.p50, from, n), 0.01)
	night, day, evening := between(s.night, from, n), between(s.daytime, from, n), between(s.evening, from, n)
	f[NightDay] = math.Log(max(night, 0.01) / max(day, 0.01))
	f[Notch] = (min(night, day) - evening) / max(mean, 0.01)
	f[Roughness] = between(s.rough, from, n) / max(mean, 0.01)
	f[DayToDay] = robust.MAD(s.p25[from:]) / base
	if week, end := s.split(s.p25, from, n); len(week) > 2 && len(end) > 1 {
		f[WeekendRatio] = math.Abs(math.Log(max(robust.Median(end), 0.01) / max(robust.Median(week), 0.01)))
	}
	m.measurePremises(subject, from)
	m.measureWeather(from)
	m.measureCurrent(from)
}

// home reports whether the records say that people live behind the point.
func home(s *sdk.Subject) bool {
	use := s.Text(sdk.AttrDeclaredUse)
	return use == "dwelling" || (use == "" || use == "other") && s.Text(sdk.AttrCategory) == "residential"
}

// homeBase is the base load in kW that homes hardly exceed: what the records
// expect of a large home and what nine of ten neighbours stay below, whichever
// is more, so that a region of night-storage heating accuses nobody.
func homeBase(s *sdk.Subject) float64 {
	base := 0.5
	if peers := s.Number(sdk.AttrPeerNightKW); peers > base && s.Number(sdk.AttrPeerCount) >= 10 {
		base = peers
	}
	return base
}
