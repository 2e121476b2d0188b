package host

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gridwarden/gridwarden/configs"
	"github.com/gridwarden/gridwarden/internal/access"
	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/dueprocess"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/sqlstore"
)

// LoadPolicy loads a shipped policy pack by name.
func LoadPolicy(name string) (*dueprocess.Policy, error) {
	file := "policies/" + name + ".yaml"
	data, err := configs.FS.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("no policy pack %q; give the name of a file in configs/policies, such as generic", name)
	}
	return dueprocess.Parse(file, data)
}

// casework makes the services of cases and users on a database.
func casework(cfg *config.Config, db *sqlstore.DB, network func() *grid.Network, log *slog.Logger, metrics prometheus.Registerer, now func() time.Time) (*cases.Service, *access.Service, error) {
	policy, err := LoadPolicy(cfg.Cases.Policy)
	if err != nil {
		return nil, nil, err
	}
	customer := func(id string) *grid.Customer {
		if n := network(); n != nil {
			return n.Customer(id)
		}
		return nil
	}
	service, err := cases.NewService(cases.Config{
		Store: db.Cases(), Policy: policy, Clock: now, Threshold: cfg.Cases.Threshold,
		Customer: customer, Location: cfg.Location(), Logger: log, Metrics: metrics,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("cases: %w", err)
	}
	people, err := access.NewService(access.Config{Store: db.Users(), Clock: now, Logger: log})
	if err != nil {
		return nil, nil, fmt.Errorf("access: %w", err)
	}
	return service, people, nil
}

func (h *Host) openCases(context.Context) (err error) {
	h.cases, h.access, err = casework(h.cfg, h.db, h.Network, h.log, h.metrics, h.opts.Now)
	return err
}

// Cases is the service of cases.
func (h *Host) Cases() *cases.Service { return h.cases }

// Access is the service of users.
func (h *Host) Access() *access.Service { return h.access }
