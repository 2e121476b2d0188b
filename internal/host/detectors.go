package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/detect"
)

// LaunchDetectors starts the built-in detectors and those that the
// configuration names. builtIn is the command line that serves the built-in
// ones; nil is this very program.
func LaunchDetectors(ctx context.Context, cfg *config.Config, builtIn []string, log *slog.Logger, metrics prometheus.Registerer) (*detect.Plugins, error) {
	if len(builtIn) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("built-in detectors: %w", err)
		}
		builtIn = []string{self, "plugins", "serve"}
	}
	launch := detect.LaunchConfig{
		BuiltIn: detect.Command{Path: builtIn[0], Args: slices.Concat(builtIn[1:], cfg.Plugins.BuiltIn)},
		Timeout: cfg.Plugins.Timeout, Logger: log, Metrics: metrics,
	}
	if cfg.Plugins.BuiltIn != nil && len(cfg.Plugins.BuiltIn) == 0 {
		launch.BuiltIn = detect.Command{}
	}
	for _, p := range cfg.Plugins.ThirdParty {
		third := detect.ThirdParty{Name: p.Name, Path: p.Path, SHA256: p.SHA256}
		if p.Config != nil {
			data, err := json.Marshal(p.Config)
			if err != nil {
				return nil, fmt.Errorf("configuration of plugin %s: %w", p.Name, err)
			}
			third.Config = data
		}
		launch.ThirdParty = append(launch.ThirdParty, third)
	}
	plugins, err := detect.Launch(ctx, launch)
	if err != nil {
		return nil, fmt.Errorf("detectors: %w", err)
	}
	if err := knownDetectors(plugins.Status(), cfg.Plugins.BuiltIn); err != nil {
		return nil, errors.Join(err, plugins.Close())
	}
	return plugins, nil
}

// knownDetectors refuses names of built-in detectors that there are not.
func knownDetectors(served []detect.PluginStatus, names []string) error {
	var there []string
	for _, s := range served {
		if s.BuiltIn {
			there = append(there, s.Name)
		}
	}
	for _, name := range names {
		if !slices.Contains(there, name) {
			return fmt.Errorf("plugins.built_in: there is no built-in detector %q; leave the key out for all of them, or take names that `gridwarden plugins list` prints", name)
		}
	}
	return nil
}

// openDetectors starts the detectors.
func (h *Host) openDetectors(ctx context.Context) (err error) {
	h.plugins, err = LaunchDetectors(ctx, h.cfg, h.opts.BuiltIn, h.log, h.metrics)
	return err
}

// Plugins tells how each detector is.
func (h *Host) Plugins() []detect.PluginStatus { return h.plugins.Status() }
