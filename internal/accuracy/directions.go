package accuracy

import hm "github.com/gridwarden/gridwarden/plugins/hiddenmining"

// Directions are the factors of the score card with the way each may act.
func Directions() []Direction {
	return []Direction{
		{hm.StepSignificance, 1}, {hm.StepUniform, 1}, {hm.StepNoise, -1}, {hm.StepDrift, -1},
		{hm.StepStays, 0}, {hm.StepRatio, 1}, {hm.StepKW, 1},
		{hm.BaseHome, 1}, {hm.FlatLevel, 1}, {hm.LowerFlat, -1},
		{hm.NightDay, 0}, {hm.Notch, 1}, {hm.Roughness, -1}, {hm.DayToDay, -1}, {hm.WeekendRatio, -1},
		{hm.StepWeek, -1}, {hm.StepAll, -1}, {hm.ContractBase, 1}, {hm.ContractPeak, 1}, {hm.NightExpected, 1},
		{hm.WeatherShare, -1}, {hm.PowerFactor, 0}, {hm.Distortion, 0},
		{hm.HourlySignificance, 1}, {hm.HourlyEven, -1}, {hm.OnsetEdge, 1}, {hm.NotchDepth, 1}, {hm.NotchRegular, -1},
		{hm.EnvelopeEven, -1}, {hm.EnvelopeTight, -1}, {hm.DropRate, 0}, {hm.DropSize, 1}, {hm.LotUnits, 1},
	}
}
