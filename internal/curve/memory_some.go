package curve

import (
	"context"
	"fmt"
	"slices"
)

// FeaturesOf calls fn for each closed meter-day of these meters from first to
// last (both inclusive), in the order of the meters given.
func (m *Memory) FeaturesOf(ctx context.Context, meterIDs []string, first, last Date, fn func(meterID string, date Date, f *Features) error) error {
	for _, id := range meterIDs {
		if err := ctx.Err(); err != nil {
			return fmt.Errorf("read features: %w", err)
		}
		m.mu.RLock()
		days := slices.Clone(m.meters[id])
		m.mu.RUnlock()
		for i := range days {
			if d := days[i]; !d.open && d.date >= first && d.date <= last {
				if err := fn(id, d.date, &d.features); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
