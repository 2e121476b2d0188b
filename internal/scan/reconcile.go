package scan

import (
	"context"
	"fmt"

	"github.com/gridwarden/gridwarden/internal/watchlist"
)

// reconcileDays is how many of the last days a watchlist is held against.
const reconcileDays = 60

// Reconcile holds the registry's watchlist against the last days of an export
// that was read; nil where the registry has none.
func Reconcile(ctx context.Context, o Options, days *Days, claim watchlist.Claim) (*watchlist.Report, error) {
	if len(o.Network.Watchlist) == 0 {
		return nil, nil
	}
	list, err := eras(days.store)
	if err != nil {
		return nil, err
	}
	in := watchlist.Input{
		Network: o.Network, First: max(list[0].first, list[0].last-reconcileDays+1), Last: list[0].last, Location: o.Location, Claim: claim,
	}
	if in.Loads, err = watchlist.Measure(ctx, days.store, in); err != nil {
		return nil, fmt.Errorf("watchlist: %w", err)
	}
	return watchlist.Reconcile(in), nil
}
