package hiddenmining

import (
	"context"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/robust"
)

// Detector looks for machines that run day and night at constant power. The
// zero value is ready to use and safe for concurrent use.
type Detector struct{}

// New returns the detector.
func New() *Detector { return &Detector{} }

const (
	// askAbove is the log-likelihood ratio from daily features above which the
	// raw curve is worth its transfer: what lies below is cleared by its days.
	askAbove = -2.5
	// reportFrom is the probability from which a finding is written.
	reportFrom = 0.1
)

// Describe implements sdk.Detector.
func (*Detector) Describe() sdk.Description {
	return sdk.Description{
		Name: "hiddenmining", Version: "1.1.0",
		Summary:    "Constant load day and night: steps and lots in the base load, flatness, evening evasion, weighed against cold stores, masts, chargers and the like",
		Scope:      sdk.ScopeUsagePoint,
		Quantities: []meter.Quantity{meter.ActivePower},
		Features: []sdk.Feature{
			sdk.MeanKW, sdk.MinKW, sdk.P25KW, sdk.P50KW, sdk.MaxKW, sdk.NightKW, sdk.MorningKW, sdk.DaytimeKW, sdk.EveningKW,
			sdk.RoughnessKW, sdk.FlatShare, sdk.GoodShare, sdk.PowerFactorAvg, sdk.THDCurrentAvg,
		},
		MinimumQuality: meter.Uncertain,
		LookbackDays:   400,
		Attributes: []string{
			sdk.AttrCategory, sdk.AttrDeclaredUse, sdk.AttrContractedKVA, sdk.AttrRegisteredDC, sdk.AttrExpectedHighKWh, sdk.AttrExpectedNight,
			sdk.AttrExpectedFlat, sdk.AttrPeerNightKW, sdk.AttrPeerCount,
		},
	}
}

// Evaluate implements sdk.Detector.
func (d *Detector) Evaluate(ctx context.Context, w *sdk.Window, out *sdk.Report) error {
	cards := newCards()
	for i := range w.Subjects {
		if err := ctx.Err(); err != nil {
			return err
		}
		subject := &w.Subjects[i]
		if subject.Kind != sdk.UsagePoint {
			continue
		}
		m, ok := Measure(w, i)
		if !ok {
			continue
		}
		v := judge(cards, &m, subject)
		if w.Curves == nil && v.total > askAbove {
			out.RequestCurves(subject.ID)
		}
		p := robust.Sigmoid(robust.Logit(w.Prior) + v.total)
		out.Score(subject.ID, p)
		if p >= reportFrom {
			out.Add(finding(w, subject, &m, &v, p))
		}
	}
	return nil
}
