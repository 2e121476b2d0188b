package hiddenmining

import (
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// measureWeek compares the rise on workdays with that on weekends: what people
// do differs between them, a machine does not know the day.
func (m *Measures) measureWeek() {
	s, st := m.s, m.st
	weekBefore, endBefore := s.split(s.mean, st.Before, st.At)
	weekAfter, endAfter := s.split(s.mean, st.At, st.After)
	if min(len(weekBefore), len(weekAfter)) < 3 || min(len(endBefore), len(endAfter)) < 2 {
		return
	}
	week := robust.Median(weekAfter) - robust.Median(weekBefore)
	end := robust.Median(endAfter) - robust.Median(endBefore)
	if d := math.Abs(week-end) / st.Rise; finite(float32(d)) {
		m.Factors[StepWeek] = d
	}
}

// measurePremises compares the load with what the records say of the premises:
// the capacity contracted for, and the rhythm that the declared use has.
func (m *Measures) measurePremises(subject *sdk.Subject, from int) {
	s, n := m.s, len(m.s.day)
	if kva := subject.Number(sdk.AttrContractedKVA); kva > 0 {
		m.Factors[ContractBase] = math.Log(max(m.baseKW, 0.01) / kva)
		if peak := robust.Quantile(s.max[from:], 0.8); peak > 0 {
			m.Factors[ContractPeak] = math.Log(peak / kva)
		}
	}
	if expected := subject.Number(sdk.AttrExpectedNight); expected > 0 && !home(subject) {
		night, day := between(s.night, from, n), between(s.daytime, from, n)
		if night > 0 && day > 0 {
			m.Factors[NightExpected] = math.Log(night / day / expected)
		}
	}
}

// weatherDays are the days without which a slope on temperature says nothing.
const weatherDays = 14

// measureWeather regresses the base load on the daily temperature and takes
// what two standard deviations of temperature move, over the base load.
func (m *Measures) measureWeather(from int) {
	s := m.s
	if s.temperature == nil || len(s.day)-from < weatherDays {
		return
	}
	t, p := s.temperature[from:], s.p25[from:]
	r := robust.Correlation(t, p)
	if math.IsNaN(r) {
		return
	}
	// What correlates by chance over so few independent days is taken off.
	r = max(math.Abs(r)-2/math.Sqrt(float64(len(t))), 0)
	sd := robust.MAD(p)
	m.Factors[WeatherShare] = min(2*r*sd/max(m.baseKW, 0.01), 2)
}

// measureCurrent takes power factor and distortion of the current that was
// added, where a step stands out, and of the whole load else. Active power,
// reactive power and harmonics of loads in parallel add up, each by itself;
// power factors do not.
func (m *Measures) measureCurrent(from int) {
	s := m.s
	reactive, harmonic := make([]float64, len(s.day)), make([]float64, len(s.day))
	for k := range s.day {
		pf := s.pf[k]
		reactive[k] = math.NaN()
		if pf > 0.1 && pf <= 1 {
			reactive[k] = s.mean[k] * math.Sqrt(1/(pf*pf)-1)
		}
		harmonic[k] = s.mean[k] * s.thd[k]
	}
	n := len(s.day)
	kw, kvar, h := between(s.mean, from, n), between(reactive, from, n), between(harmonic, from, n)
	if m.stepped() {
		st := m.st
		kw = st.Rise
		kvar = max(between(reactive, st.At, st.After)-between(reactive, st.Before, st.At), 0)
		before, after := between(harmonic, st.Before, st.At), between(harmonic, st.At, st.After)
		h = math.Sqrt(max(after*after-before*before, 0))
	}
	if kw > 0 && !math.IsNaN(kvar) {
		m.Factors[PowerFactor] = kw / math.Hypot(kw, kvar)
	}
	if kw > 0 && !math.IsNaN(h) {
		m.Factors[Distortion] = min(h/kw, 60)
	}
}
