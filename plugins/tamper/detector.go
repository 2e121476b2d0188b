package tamper

import (
	"context"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Detector finds interference with meters. The zero value is ready to use and
// safe for concurrent use.
type Detector struct{}

// New returns the detector.
func New() *Detector { return &Detector{} }

// Describe implements sdk.Detector.
func (*Detector) Describe() sdk.Description {
	return sdk.Description{
		Name: "tamper", Version: "1.0.0",
		Summary: "Interference with meters: covers, fields, failures and clocks that go with a fall of use or an electrical contradiction",
		Scope:   sdk.ScopeTransformerArea,
		Quantities: []meter.Quantity{
			meter.ActivePower, meter.VoltageA, meter.VoltageB, meter.VoltageC,
			meter.CurrentA, meter.CurrentB, meter.CurrentC, meter.CurrentN, meter.PowerFactor,
		},
		Features:       []sdk.Feature{sdk.MeanKW, sdk.GoodShare, sdk.VoltageAvg, sdk.PowerFactorAvg},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   90,
		Attributes:     []string{sdk.AttrMeterExchangeDay},
		Events:         true,
	}
}

// reportFrom is the weight, log-odds, from which a finding is reported: one
// ordinary event alone stays below.
const reportFrom = 1.2

// Evaluate implements sdk.Detector.
func (*Detector) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	a := newArea(w)
	ask := false
	for _, m := range a.members {
		if err := ctx.Err(); err != nil {
			return err
		}
		v := a.judge(m)
		ask = ask || w.Curves == nil && m.hasElectrical && (len(v.signs) > 0 || m.looksOdd(a))
		if !v.looked {
			continue
		}
		p := robust.Sigmoid(robust.Logit(w.Prior) + v.total)
		out.Score(m.s.ID, p)
		if v.total >= reportFrom {
			out.Add(v.finding(w, m, p))
		}
	}
	if ask { // all of the area, for the comparison
		for i := range w.Subjects {
			out.RequestCurves(w.Subjects[i].ID)
		}
	}
	return nil
}

// judge weighs what a member's meter logged and measured.
func (a *area) judge(m *member) *verdict {
	v := &verdict{looked: len(m.log.events) > 0}
	a.covers(m, v)
	a.fields(m, v)
	a.failures(m, v)
	a.clocks(m, v)
	if a.w.Curves != nil {
		v.looked = electrical(&a.w.Curves[m.subject], a.w, v) || v.looked
	}
	a.fall(m, v)
	v.weigh()
	return v
}

// area is a transformer with the meters behind it.
type area struct {
	w           *sdk.Window
	members     []*member
	transformer journal // of its own meter

	loggers  int                     // meters that logged anything
	opened   map[int]int             // meters whose cover was opened, by day
	noted    map[sdk.EventCode][]int // meters that logged a code, by day
	powerOff []failure               // of all meters, in order of time
	ratios   map[int][]float64       // of the members' use after a day and before it
	voltage  float64                 // median of the members' mean voltages
}

// member is one usage point.
type member struct {
	subject       int
	s             *sdk.Subject
	mean          []float64 // power of the days, kW, NaN where there is none
	log           journal
	hasElectrical bool    // it measures more than energy
	voltage       float64 // median of the last two weeks, V
	exchanged     int     // day of the window on which the meter was exchanged; far before it without one
}

const longAgo = -1 << 20

func newArea(w *sdk.Window) *area {
	a := &area{w: w, opened: make(map[int]int), noted: make(map[sdk.EventCode][]int), ratios: make(map[int][]float64)}
	for _, c := range sdk.EventCodes() {
		a.noted[c] = make([]int, w.Days)
	}
	var voltages []float64
	for i := range w.Subjects {
		s := &w.Subjects[i]
		log := newJournal(s.Events, w)
		if s.Kind == sdk.Transformer {
			a.transformer = log
			a.addFailures(-1, &log)
			continue
		}
		m := &member{subject: i, s: s, log: log, mean: powers(w, i), exchanged: longAgo}
		if day := s.Number(sdk.AttrMeterExchangeDay); day >= float64(w.FirstDay) && day <= float64(w.LastDay()) {
			m.exchanged = int(day) - int(w.FirstDay)
		}
		m.voltage = robust.Median(recent(w.Feature(sdk.VoltageAvg, i)))
		m.hasElectrical = m.voltage == m.voltage || len(robust.Finite(w.Feature(sdk.PowerFactorAvg, i))) > 0
		if m.voltage > 0 {
			voltages = append(voltages, m.voltage)
		}
		a.members = append(a.members, m)
		a.count(m)
		a.addFailures(i, &m.log)
	}
	a.voltage = robust.Median(voltages)
	a.sortFailures()
	return a
}

func (a *area) count(m *member) {
	if len(m.log.events) > 0 {
		a.loggers++
	}
	for _, c := range sdk.EventCodes() {
		for _, day := range m.log.days[c] {
			a.noted[c][day]++
		}
	}
	for _, day := range m.log.coverDays() {
		a.opened[day]++
	}
}

// looksOdd reports whether the daily means ask for a look at the curves.
func (m *member) looksOdd(a *area) bool {
	if m.voltage < 0.8*a.voltage {
		return true
	}
	pf := robust.Finite(a.w.Feature(sdk.PowerFactorAvg, m.subject))
	if len(pf) < 10 {
		return false
	}
	half := len(pf) / 2
	before, after := robust.Median(pf[:half]), robust.Median(pf[half:])
	return after < 0 || before > 0.7 && after < 0.6*before
}

// powers returns the mean power of the days that were measured well enough.
func powers(w *sdk.Window, i int) []float64 {
	mean, good := w.Feature(sdk.MeanKW, i), w.Feature(sdk.GoodShare, i)
	out := make([]float64, w.Days)
	for d := range out {
		out[d] = math.NaN()
		if mean != nil && math.Abs(float64(mean[d])) < 1e6 && (good == nil || good[d] >= 0.5) {
			out[d] = float64(mean[d])
		}
	}
	return out
}

// recent is the last fortnight of a column.
func recent(column []float32) []float32 {
	return column[max(0, len(column)-14):]
}
