package curve

import "context"

// Commit is what Run does every Save.
func (a *Accumulator) Commit(ctx context.Context) error { return a.save(ctx) }
