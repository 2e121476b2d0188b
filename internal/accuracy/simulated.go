package accuracy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/registry"
	"github.com/gridwarden/gridwarden/internal/sim"
)

// SimulatedHosts are the loads of the innocent customers of a simulated
// district over so many days, for where there are no real ones.
func SimulatedHosts(ctx context.Context, seed int64, until curve.Date, days int, part Part) ([]Load, error) {
	d, err := sim.New(sim.Config{Seed: seed, Until: until, Days: days})
	if err != nil {
		return nil, fmt.Errorf("simulated loads: %w", err)
	}
	dir, err := os.MkdirTemp("", "gridwarden-hosts-")
	if err != nil {
		return nil, fmt.Errorf("folder for the simulated loads: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := d.Export(ctx, dir, nil); err != nil {
		return nil, err
	}
	uses, err := Uses()
	if err != nil {
		return nil, err
	}
	network, _, err := registry.LoadDir(filepath.Join(dir, "registry"), uses)
	if err != nil {
		return nil, fmt.Errorf("registry of the simulated loads:\n%w", err)
	}
	loads, err := ReadWide(filepath.Join(dir, sim.UsagePointReadings))
	if err != nil {
		return nil, err
	}
	planted := map[string]bool{}
	for _, p := range d.Truth() {
		planted[p.UsagePointID] = true
	}
	byMeter := map[string]int{}
	for i := range network.UsagePoints {
		byMeter[network.UsagePoints[i].MeterID] = i
	}
	var hosts []Load
	for i := range loads {
		l := &loads[i]
		k, there := byMeter[l.ID]
		if !there || planted[network.UsagePoints[k].ID] || part != AllHosts && PartOf(l.ID) != part || !(l.MeanKW() > .02) {
			continue
		}
		if c := network.Customer(network.UsagePoints[k].CustomerID); c != nil {
			l.Category, l.DeclaredUse, l.RegisteredDC = string(c.Category), c.DeclaredUse, c.RegisteredDataCentre
			hosts = append(hosts, *l)
		}
	}
	return hosts, nil
}
