package host

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"

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
		BuiltIn: detect.Command{Path: builtIn[0], Args: builtIn[1:]},
		Timeout: cfg.Plugins.Timeout, Logger: log, Metrics: metrics,
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
	return plugins, nil
}

// openDetectors starts the detectors.
func (h *Host) openDetectors(ctx context.Context) (err error) {
	h.plugins, err = LaunchDetectors(ctx, h.cfg, h.opts.BuiltIn, h.log, h.metrics)
	return err
}

// Plugins tells how each detector is.
func (h *Host) Plugins() []detect.PluginStatus { return h.plugins.Status() }
