package host

import (
	"context"
	"fmt"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// Curves is the store of meter-days, for imports beside a running host.
func (d *Desk) Curves() curve.Store { return d.db.Curves() }

// Records returns the records of a configuration: those of its registry
// folder, else as they were stored last, nil where there are none.
func (d *Desk) Records(ctx context.Context, cfg *config.Config) (*grid.Network, error) {
	if cfg.Registry != "" {
		return RegistryOf(cfg)
	}
	network, err := d.db.Registry().LoadNetwork(ctx)
	if err != nil {
		return nil, fmt.Errorf("registry: %w", err)
	}
	return network, nil
}

// SaveRecords replaces the stored records.
func (d *Desk) SaveRecords(ctx context.Context, network *grid.Network) error {
	if err := d.db.Registry().SaveNetwork(ctx, network); err != nil {
		return fmt.Errorf("registry: %w", err)
	}
	return nil
}

// RegistryOf loads the records of the configuration's registry folder.
func RegistryOf(cfg *config.Config) (*grid.Network, error) {
	reference, err := LoadReference()
	if err != nil {
		return nil, err
	}
	network, _, err := reference.LoadRegistry(cfg.Registry, cfg.Location())
	return network, err
}
