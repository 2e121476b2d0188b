package host

import (
	"fmt"
	"io/fs"
	"time"

	"github.com/gridwarden/gridwarden/configs"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/registry"
	"github.com/gridwarden/gridwarden/internal/tariff"
)

// Reference is the knowledge that records are read against: what declared
// uses look like, and the tariff tables.
type Reference struct {
	Uses    *registry.Uses
	Tariffs *tariff.Book
}

// LoadReference loads the shipped catalogue of uses and tariffs.
func LoadReference() (*Reference, error) {
	const usesFile = "uses.yaml"
	data, err := configs.FS.ReadFile(usesFile)
	if err != nil {
		return nil, fmt.Errorf("declared uses: %w", err)
	}
	uses, err := registry.ParseUses(usesFile, data)
	if err != nil {
		return nil, fmt.Errorf("declared uses: %w", err)
	}
	folder, err := fs.Sub(configs.FS, "tariffs")
	if err != nil {
		return nil, fmt.Errorf("tariffs: %w", err)
	}
	book, err := tariff.Load(folder)
	if err != nil {
		return nil, fmt.Errorf("tariffs: %w", err)
	}
	return &Reference{Uses: uses, Tariffs: book}, nil
}

// LoadRegistry reads the registry files of dir.
func (r *Reference) LoadRegistry(dir string, location *time.Location) (*grid.Network, *registry.Report, error) {
	network, report, err := registry.LoadDir(dir, r.Uses, registry.WithLocation(location), registry.WithTariffs(r.Tariffs.IDs()))
	if err != nil {
		return nil, nil, fmt.Errorf("registry:\n%w", err)
	}
	return network, report, nil
}
