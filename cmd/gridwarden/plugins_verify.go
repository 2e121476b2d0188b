package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/pluginstore"
)

// errRefused says that a plugin will not start.
var errRefused = errors.New("a plugin is refused; the reason stands above")

// pluginReport is what `plugins verify` says of one detector.
type pluginReport struct {
	Name    string       `json:"name"`
	Version string       `json:"version"`
	From    string       `json:"from"`
	OK      bool         `json:"ok"`
	Checks  []pluginFact `json:"checks"`
}

// pluginFact is one thing that was checked.
type pluginFact struct {
	What  string `json:"what"`
	Found string `json:"found"`
	Error string `json:"error"` // with the mend; "" where all is well
}

func (r *pluginReport) add(what, found string, err error) {
	f := pluginFact{What: what, Found: found}
	if err != nil {
		f.Error = strings.TrimPrefix(err.Error(), what+": ")
	}
	r.Checks = append(r.Checks, f)
	r.OK = r.OK && err == nil
}

func newPluginsVerify() *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "verify [-c FILE]",
		Short: "Check everything about each detector: signature, lock, files, program, configuration",
		Long: `Checks of each detector what the host checks before it starts it, starts it as
the host would, checks its configuration against the schema that it gives, and
stops it. Exit code 1 where one of them is refused.

Third-party programs are run from copies in the folder for temporary files
(TMPDIR), which must allow programs to be run; the host's own store is left
alone.`,
		Example: `  gridwarden plugins verify
  gridwarden plugins verify -c gridwarden.yaml
  gridwarden plugins verify -c gridwarden.yaml --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadOrDefault(file)
			if err != nil {
				return badInput{err}
			}
			reports, err := verifyPlugins(cmd.Context(), cfg)
			if err != nil {
				return err
			}
			if asJSON {
				err = printJSON(cmd.OutOrStdout(), reports)
			} else {
				err = printReports(cmd.OutOrStdout(), reports)
			}
			if err == nil && slices.ContainsFunc(reports, func(r pluginReport) bool { return !r.OK }) {
				err = errRefused
			}
			return err
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration with further plugins; without it the built-in ones")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

func printReports(w io.Writer, reports []pluginReport) error {
	for _, r := range reports {
		verdict := "ok"
		if !r.OK {
			verdict = "REFUSED"
		}
		fmt.Fprintf(w, "%s %s (%s): %s\n", r.Name, r.Version, r.From, verdict)
		for _, c := range r.Checks {
			found := c.Found
			if c.Error != "" {
				found = "NO: " + c.Error
			}
			if _, err := fmt.Fprintf(w, "  %-10s %s\n", c.What, found); err != nil {
				return err //nolint:wrapcheck // the terminal's own error says it all
			}
		}
	}
	return nil
}

// verifyPlugins checks and starts each detector of the configuration.
func verifyPlugins(ctx context.Context, cfg *config.Config) ([]pluginReport, error) {
	folder, err := folderReports(ctx, cfg)
	if err != nil {
		return nil, badInput{err}
	}
	var out []pluginReport
	err = withDetectors(ctx, cfg, func(plugins *detect.Plugins) error {
		for _, s := range plugins.Status() {
			r := pluginReport{Name: s.Name, Version: s.Version, From: s.Path, OK: true}
			if s.BuiltIn {
				r.From = "built in"
			}
			if checked := folder[s.Path]; checked != nil {
				r.Checks, r.OK = checked.Checks, checked.OK
			}
			if r.OK {
				addLaunched(&r, cfg, s, plugins)
			}
			out = append(out, r)
		}
		return nil
	})
	return out, err
}

// addLaunched says how the start went.
func addLaunched(r *pluginReport, cfg *config.Config, s detect.PluginStatus, plugins *detect.Plugins) {
	if s.State == detect.PluginRefused {
		r.add("program", "", errors.New(s.Error))
		return
	}
	r.add("program", fmt.Sprintf("runs, SHA-256 %s", s.SHA256), nil)
	d, _ := plugins.Describe(s.Name)
	given := "none given, defaults hold"
	if where := configOf(cfg, s.Name); where != "" {
		given = "given at " + where
		if len(d.ConfigSchema) > 0 {
			given += ", fits the schema"
		}
	}
	r.add("config", given, nil)
}

// configOf says where the configuration of a detector stands, "" where it has none.
func configOf(cfg *config.Config, name string) string {
	if _, ok := cfg.Plugins.Configs[name]; ok {
		return cfg.At("$.plugins.configs." + name)
	}
	for i := range cfg.Plugins.ThirdParty {
		if t := &cfg.Plugins.ThirdParty[i]; t.Name == name && t.Config != nil {
			return cfg.At(fmt.Sprintf("$.plugins.third_party[%d].config", i))
		}
	}
	return ""
}

// folderReports checks the plugins of the folder, by the folder of each.
func folderReports(ctx context.Context, cfg *config.Config) (map[string]*pluginReport, error) {
	p := &cfg.Plugins
	if p.Folder == "" {
		return nil, nil
	}
	keys, err := pluginstore.ReadKeys(p.Keys)
	if err != nil {
		return nil, err
	}
	lock, err := pluginstore.ReadLock(p.LockFile())
	if err != nil {
		return nil, err
	}
	plugins, err := pluginstore.ReadFolder(p.Folder, keys)
	if err != nil {
		return nil, err
	}
	out := make(map[string]*pluginReport)
	for _, plugin := range plugins {
		r := &pluginReport{OK: true}
		out[plugin.Dir] = r
		r.add("manifest", "SHA-256 "+plugin.Sum, plugin.ManifestErr)
		if plugin.Manifest == nil || plugin.ManifestErr != nil {
			continue
		}
		r.add("signature", fmt.Sprintf("by key %s, %q", plugin.Key, plugin.Signed), plugin.SignatureErr)
		r.add("files", fmt.Sprintf("%d, as signed", len(plugin.Manifest.All())), plugin.CheckFiles(ctx))
		if plugin.SignatureErr == nil {
			found := ""
			if a, ok := lock.Admission(plugin.Name); ok {
				found = fmt.Sprintf("admitted %s by %s", a.Admitted, a.By)
			}
			r.add("lock", found, lock.Check(plugin, cfg.File()))
		}
	}
	return out, nil
}

// withDetectors starts the detectors of a configuration, and stops them when
// do is done.
func withDetectors(ctx context.Context, cfg *config.Config, do func(*detect.Plugins) error) (err error) {
	elsewhere, done, err := withoutStore(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	plugins, err := host.LaunchDetectors(ctx, elsewhere, nil, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plugins.Close()) }()
	return do(plugins)
}

// withoutStore returns the configuration with another store for copies of
// third-party programs, in a folder that done removes: the host's own belongs
// to the host's user, who may be another.
func withoutStore(cfg *config.Config) (elsewhere *config.Config, done func() error, err error) {
	scratch, err := os.MkdirTemp("", "gridwarden-plugins-")
	if err != nil {
		return nil, nil, fmt.Errorf("a folder for copies of the plugins: %w", err)
	}
	changed := *cfg
	changed.Plugins.Store = filepath.Join(scratch, "store")
	return &changed, func() error { return os.RemoveAll(scratch) }, nil
}
