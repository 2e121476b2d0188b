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
	"github.com/gridwarden/gridwarden/internal/pluginstore"
)

// LaunchDetectors starts the built-in detectors and those that the
// configuration names or admits. builtIn is the command line that serves the
// built-in ones; nil is this very program.
func LaunchDetectors(ctx context.Context, cfg *config.Config, builtIn []string, log *slog.Logger, metrics prometheus.Registerer) (*detect.Plugins, error) {
	launch, err := launchConfig(ctx, cfg, builtIn)
	if err != nil {
		return nil, err
	}
	launch.Logger, launch.Metrics = log, metrics
	return launchDetectors(ctx, cfg, launch)
}

func launchDetectors(ctx context.Context, cfg *config.Config, launch detect.LaunchConfig) (*detect.Plugins, error) {
	plugins, err := detect.Launch(ctx, launch)
	if err != nil {
		return nil, fmt.Errorf("detectors: %w", err)
	}
	if err := knownDetectors(plugins.Status(), cfg); err != nil {
		return nil, errors.Join(err, plugins.Close())
	}
	return plugins, nil
}

// launchConfig puts together what the configuration says of detectors.
func launchConfig(ctx context.Context, cfg *config.Config, builtIn []string) (detect.LaunchConfig, error) {
	if len(builtIn) == 0 {
		self, err := os.Executable()
		if err != nil {
			return detect.LaunchConfig{}, fmt.Errorf("built-in detectors: %w", err)
		}
		builtIn = []string{self, "plugins", "serve"}
	}
	memory, err := cfg.Plugins.MemoryBytes()
	if err != nil {
		return detect.LaunchConfig{}, fmt.Errorf("plugins.memory: %w", err)
	}
	launch := detect.LaunchConfig{
		BuiltIn: detect.Command{Path: builtIn[0], Args: slices.Concat(builtIn[1:], cfg.Plugins.BuiltIn)},
		Timeout: cfg.Plugins.Timeout, QuarantineAfter: cfg.Plugins.QuarantineAfter,
		Limits: detect.Limits{MemoryBytes: memory, CPUs: cfg.Plugins.CPUs}, Shadow: cfg.Plugins.Shadow,
		CheckConfig: pluginstore.CheckConfig,
		Where:       func(detector, field string) string { return cfg.At(fieldPath(cfg, detector, field)) },
	}
	if cfg.Plugins.BuiltIn != nil && len(cfg.Plugins.BuiltIn) == 0 {
		launch.BuiltIn = detect.Command{}
	}
	if launch.ThirdParty, err = thirdParties(ctx, cfg); err != nil {
		return detect.LaunchConfig{}, err
	}
	launch.Configs = make(map[string][]byte)
	for name, settings := range cfg.Plugins.Configs {
		data, err := json.Marshal(settings)
		if err != nil {
			return detect.LaunchConfig{}, fmt.Errorf("%s: the configuration of %s: %w", cfg.At("$.plugins.configs."+name), name, err)
		}
		found := slices.IndexFunc(launch.ThirdParty, func(t detect.ThirdParty) bool { return t.Found && t.Name == name })
		if found < 0 {
			launch.Configs[name] = data
		} else {
			launch.ThirdParty[found].Config = data
		}
	}
	return launch, nil
}

// thirdParties lists the plugins of the configuration and of the plugins
// folder, each to be run from a copy of what was checked.
func thirdParties(ctx context.Context, cfg *config.Config) ([]detect.ThirdParty, error) {
	p := &cfg.Plugins
	if len(p.ThirdParty) == 0 && p.Folder == "" {
		return nil, nil
	}
	store, err := pluginstore.Open(cfg.StoreDir())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cfg.At("$.plugins.store"), err)
	}
	var out []detect.ThirdParty
	for i := range p.ThirdParty {
		t := &p.ThirdParty[i]
		third := detect.ThirdParty{Name: t.Name, Path: t.Path, SHA256: t.SHA256}
		if t.Config != nil {
			if third.Config, err = json.Marshal(t.Config); err != nil {
				return nil, fmt.Errorf("configuration of plugin %s: %w", t.Name, err)
			}
		}
		program, err := store.Pin(ctx, pluginstore.Pinned{Path: t.Path, SHA256: t.SHA256, Args: t.Args, Files: t.PinnedFiles()})
		if errors.Is(err, pluginstore.ErrChanged) {
			err = fmt.Errorf("%w: %w", detect.ErrChecksum, err)
		}
		third.Refused = err
		if err == nil {
			third.Run = command(program)
		}
		out = append(out, third)
	}
	if p.Folder == "" {
		return out, nil
	}
	found, err := store.Candidates(ctx, pluginstore.Settings{Folder: p.Folder, Lock: p.LockFile(), Keys: p.Keys, Config: cfg.File()})
	if err != nil {
		return nil, fmt.Errorf("plugins: %w", err)
	}
	for _, c := range found {
		third := detect.ThirdParty{Name: c.Name, Path: c.Dir, Refused: c.Refused, Found: true, Stray: c.Stray}
		if c.Manifest != nil {
			third.Version, third.SHA256 = c.Manifest.Version, c.Manifest.SHA256
		}
		if c.Program != nil {
			third.Run = command(c.Program)
		}
		if slices.ContainsFunc(out, func(t detect.ThirdParty) bool { return t.Name == c.Name }) {
			third.Stray, third.Refused = true, fmt.Errorf("plugins.third_party names a plugin %q too; keep one of them", c.Name)
		}
		out = append(out, third)
	}
	return out, nil
}

func command(p *pluginstore.Program) detect.Command {
	return detect.Command{Path: p.Path, Name: p.Name, Args: p.Args, Dir: p.Dir, Sum: p.Sum, Check: p.Check}
}

// openDetectors starts the detectors, and keeps the program that serves the
// built-in ones.
func (h *Host) openDetectors(ctx context.Context) (err error) {
	launch, err := launchConfig(ctx, h.cfg, h.opts.BuiltIn)
	if err != nil {
		return err
	}
	store, err := pluginstore.Open(h.cfg.StoreDir())
	if err != nil {
		return fmt.Errorf("detectors: %w", err)
	}
	launch.Keep = func(ctx context.Context, path string) error {
		_, _, err := store.KeepLinked(ctx, path)
		return err
	}
	launch.Logger, launch.Metrics = h.log, h.metrics
	if err := h.supervise(&launch); err != nil {
		return err
	}
	h.plugins, err = launchDetectors(ctx, h.cfg, launch)
	return err
}

// Plugins tells how each detector is.
func (h *Host) Plugins() []detect.PluginStatus { return h.plugins.Status() }
