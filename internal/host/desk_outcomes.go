package host

import (
	"context"
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/outcomes"
	"github.com/gridwarden/gridwarden/internal/risk"
)

// LinkInspections joins inspections with what the last run before the day of
// each had said, and returns how many it could join.
func (d *Desk) LinkInspections(ctx context.Context, cfg *config.Config, list []outcomes.Inspection) (linked int, err error) {
	byDay := make(map[curve.Date][]int)
	for i := range list {
		byDay[list[i].Day] = append(byDay[list[i].Day], i)
	}
	for day, at := range byDay {
		run, err := d.db.Results().ResultBefore(ctx, day.Start(cfg.Location()))
		if err != nil {
			return 0, fmt.Errorf("inspections of %s: %w", day, err)
		}
		part := make([]outcomes.Inspection, len(at))
		for k, i := range at {
			part[k] = list[i]
		}
		outcomes.Link(part, run)
		for k, i := range at {
			list[i] = part[k]
			if part[k].RunID != "" {
				linked++
			}
		}
	}
	return linked, nil
}

// PutInspections stores all of list or none.
func (d *Desk) PutInspections(ctx context.Context, list []outcomes.Inspection) error {
	if err := d.db.Inspections().PutInspections(ctx, time.Now(), list); err != nil {
		return fmt.Errorf("inspections: %w", err)
	}
	return nil
}

// Outcomes says what all inspections together show.
func (d *Desk) Outcomes(ctx context.Context) (*outcomes.Summary, error) {
	list, err := d.db.Inspections().Inspections(ctx)
	if err != nil {
		return nil, fmt.Errorf("inspections: %w", err)
	}
	return outcomes.Summarise(list), nil
}

// DrawInspections chooses n usage points of the latest run by lot; the run is
// nil where there is none.
func (d *Desk) DrawInspections(ctx context.Context, seed string, n int) ([]risk.Drawn, *detect.Result, error) {
	run, err := d.db.Results().LatestResult(ctx)
	if err != nil || run == nil {
		return nil, nil, err
	}
	candidates := make([]risk.Candidate, len(run.UsagePoints))
	for i := range run.UsagePoints {
		candidates[i] = risk.Candidate{ID: run.UsagePoints[i].UsagePointID, Risk: run.UsagePoints[i].Risk}
	}
	return risk.Draw(seed, candidates, n), run, nil
}
