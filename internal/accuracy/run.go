package accuracy

import (
	"context"
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/configs"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
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
