package detect

import (
	"context"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// estimates says of findings about one subject which share of the intervals
// behind them is estimated, from the curves themselves: daily shares would not
// tell which hours a value stands on.
func (b *builder) estimates(ctx context.Context, findings []Finding, m member) error {
	if len(findings) == 0 {
		return nil
	}
	days := evidenceSpan(&findings[0])
	for i := range findings[1:] {
		s := evidenceSpan(&findings[i+1])
		days = span{min(days.first, s.first), max(days.last, s.last)}
	}
	read, err := b.curves.days(ctx, m, days)
	if err != nil {
		return err
	}
	for i := range findings {
		findings[i].EstimatedShare = estimatedShare(&findings[i], read)
	}
	return nil
}

// evidenceSpan is from the first to the last day of the evidence of a finding;
// one without evidence stands on its own days.
func evidenceSpan(f *Finding) span {
	if len(f.Evidence) == 0 {
		return span{curve.Date(f.FirstDay), curve.Date(f.LastDay)}
	}
	s := span{curve.Date(f.Evidence[0].FirstDay), curve.Date(f.Evidence[0].LastDay)}
	for i := range f.Evidence {
		s.first, s.last = min(s.first, curve.Date(f.Evidence[i].FirstDay)), max(s.last, curve.Date(f.Evidence[i].LastDay))
	}
	return s
}

// estimatedShare counts the intervals with a value on the days of the
// finding's evidence; unknown where there is none.
func estimatedShare(f *Finding, read []curve.Day) Measured {
	estimated, usable := 0, 0
	for i := range read {
		if day := &read[i]; standsOn(f, day.Date) {
			for k := range day.EnergyKWh {
				if !day.Usable(k) {
					continue
				}
				usable++
				if qualityOf(day, k) != meter.Good {
					estimated++
				}
			}
		}
	}
	if usable == 0 {
		return Unknown()
	}
	return Measured(float64(estimated) / float64(usable))
}

// standsOn reports whether any of the evidence holds on the day.
func standsOn(f *Finding, date curve.Date) bool {
	if len(f.Evidence) == 0 {
		return date >= curve.Date(f.FirstDay) && date <= curve.Date(f.LastDay)
	}
	for i := range f.Evidence {
		if date >= curve.Date(f.Evidence[i].FirstDay) && date <= curve.Date(f.Evidence[i].LastDay) {
			return true
		}
	}
	return false
}
