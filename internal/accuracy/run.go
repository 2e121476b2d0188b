package accuracy

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"github.com/gridwarden/gridwarden/configs"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/ingest"
	"github.com/gridwarden/gridwarden/internal/registry"
	"github.com/gridwarden/gridwarden/plugins/builtin"
)

// Uses returns the shipped catalogue of declared uses.
func Uses() (*registry.Uses, error) {
	data, err := configs.FS.ReadFile("uses.yaml")
	if err != nil {
		return nil, fmt.Errorf("shipped uses: %w", err)
	}
	return registry.ParseUses("uses.yaml", data)
}

// Detect runs the built-in detectors in this process over a network's curves.
func Detect(ctx context.Context, network *grid.Network, uses *registry.Uses, store curve.Store, prior float64) (*detect.Result, error) {
	first, last, ok, err := store.Span(ctx)
	if err != nil {
		return nil, fmt.Errorf("span of the curves: %w", err)
	}
	if !ok {
		return nil, fmt.Errorf("no meter-days to judge")
	}
	in := detect.Input{Network: network, Curves: store, First: first, Last: last, Location: time.UTC, Uses: uses, Prior: prior}
	for _, d := range builtin.Detectors() {
		in.Evaluators = append(in.Evaluators, detect.Local(d))
	}
	return detect.Run(ctx, in)
}

// DetectExport reads an export (registry/ and readings/ below dir) as scan
// does and judges it.
func DetectExport(ctx context.Context, dir string, prior float64) (*detect.Result, error) {
	uses, err := Uses()
	if err != nil {
		return nil, err
	}
	network, _, err := registry.LoadDir(filepath.Join(dir, "registry"), uses)
	if err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(dir, "readings", "*"))
	if err != nil {
		return nil, fmt.Errorf("readings of the export: %w", err)
	}
	store := curve.NewMemory()
	if _, err := ingest.Into(ctx, ingest.Options{Files: files, Network: network}, store); err != nil {
		return nil, err
	}
	return Detect(ctx, network, uses, store, prior)
}
