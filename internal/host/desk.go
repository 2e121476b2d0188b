package host

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"time"

	"github.com/gridwarden/gridwarden/internal/access"
	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/sqlstore"
)

// Desk is the part of the program that commands use beside a running host:
// cases and users on the stored data, with nothing polled and nothing served.
type Desk struct {
	Cases  *cases.Service
	Access *access.Service

	db *sqlstore.DB
}

// OpenDesk opens the data folder of a configuration, which may not be there yet
// (the first user is added before the first run).
func OpenDesk(ctx context.Context, cfg *config.Config) (*Desk, error) {
	if info, err := os.Stat(cfg.DataDir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("data_dir: %s is not a folder; name another one", cfg.DataDir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data_dir: %w", err)
	}
	where, opts := Database(cfg, nil)
	db, err := sqlstore.Open(ctx, where, opts...)
	if err != nil {
		return nil, err
	}
	desk := &Desk{db: db}
	network, err := db.Registry().LoadNetwork(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("registry: %w", err), db.Close())
	}
	stored := func() *grid.Network { return network }
	if desk.Cases, desk.Access, err = casework(cfg, db, stored, slog.New(slog.DiscardHandler), nil, time.Now); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return desk, nil
}

// Close closes the database.
func (d *Desk) Close() error {
	if err := d.db.Close(); err != nil {
		return fmt.Errorf("close database: %w", err)
	}
	return nil
}
