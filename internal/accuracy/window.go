package accuracy

import (
	"math"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// days cuts a load into meter-days, energies in kWh.
func (l *Load) days() []curve.Day {
	perDay := l.PerDay()
	interval := time.Duration(l.StepMinutes) * time.Minute
	out := make([]curve.Day, l.Days)
	for d := range out {
		day := curve.Day{
			MeterID: l.ID, Date: l.First + curve.Date(d), Interval: interval,
			EnergyKWh: make([]float64, perDay), Quality: make([]meter.Quality, perDay),
		}
		day.Start = day.Date.Start(time.UTC)
		for i := range perDay {
			kw := l.KW[d*perDay+i]
			day.EnergyKWh[i] = kw * interval.Hours()
			if !math.IsNaN(kw) {
				day.Quality[i] = meter.Good
			}
		}
		out[d] = day
	}
	return out
}
