package main

import (
	"context"
	"fmt"
	"io"
	"os/user"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/pluginstore"
	"github.com/gridwarden/gridwarden/plugins/builtin"
)

// locking holds the flags of `plugins lock`.
type locking struct {
	file, by string
	dryRun   bool
	remove   []string
}

func newPluginsLock() *cobra.Command {
	var l locking
	cmd := &cobra.Command{
		Use:   "lock -c FILE NAME…",
		Short: "Admit plugins of the plugins folder, as they are now",
		Long: `Checks the signature and every file of the plugins, shows what they consist of
and who signed them, and writes that into the lock file with the time and your
name. From then on exactly that may start; anything else of that name may not.
A plugin that is not signed by one of plugins.keys is not admitted.

Look first at what a plugin asks for: gridwarden plugins describe NAME, once it
is admitted, says it; its author's documents should before. A running host takes
what was admitted at its next start.`,
		Example: `  gridwarden plugins lock -c gridwarden.yaml nightowl --dry-run
  gridwarden plugins lock -c gridwarden.yaml nightowl
  gridwarden plugins lock -c gridwarden.yaml --remove nightowl`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 0) == (len(l.remove) == 0) {
				return badInput{fmt.Errorf("name the plugins to admit, or those to dismiss with --remove; see `%s --help`", cmd.CommandPath())}
			}
			cfg, err := config.Load(l.file)
			if err != nil {
				return badInput{err}
			}
			if cfg.Plugins.Folder == "" {
				return badInput{fmt.Errorf("%s: plugins.folder names no folder of plugins; give one, and the keys that may sign in plugins.keys", cfg.At("$.plugins"))}
			}
			if len(l.remove) > 0 {
				if err := pluginstore.Dismiss(cfg.Plugins.LockFile(), l.remove); err != nil {
					return badInput{err}
				}
				_, err := fmt.Fprintf(cmd.OutOrStdout(), "%q are admitted no more\n", l.remove)
				return err //nolint:wrapcheck // the terminal's own error says it all
			}
			return l.admit(cmd.Context(), cmd.OutOrStdout(), cfg, args)
		},
	}
	cmd.Flags().StringVarP(&l.file, "config", "c", "gridwarden.yaml", "configuration file")
	cmd.Flags().StringVar(&l.by, "by", "", "who admits; without it the name of the user")
	cmd.Flags().BoolVar(&l.dryRun, "dry-run", false, "check and show, and write nothing")
	cmd.Flags().StringArrayVar(&l.remove, "remove", nil, "plugin that is admitted no more; may be given again")
	return cmd
}

func (l *locking) admit(ctx context.Context, w io.Writer, cfg *config.Config, names []string) error {
	keys, err := pluginstore.ReadKeys(cfg.Plugins.Keys)
	if err != nil {
		return badInput{err}
	}
	all, err := pluginstore.ReadFolder(cfg.Plugins.Folder, keys)
	if err != nil {
		return badInput{err}
	}
	var chosen []*pluginstore.Plugin
	for _, name := range names {
		at := slices.IndexFunc(all, func(p *pluginstore.Plugin) bool { return p.Name == name })
		if at < 0 {
			return badInput{fmt.Errorf("there is no folder %q in %s; put the plugin there", name, cfg.Plugins.Folder)}
		}
		p := all[at]
		err := p.Err()
		if err == nil {
			err = p.CheckFiles(ctx)
		}
		if err == nil {
			err = freeName(cfg, name)
		}
		if err != nil {
			return badInput{fmt.Errorf("plugin %s is not admitted: %w", name, err)}
		}
		chosen = append(chosen, p)
	}
	for _, p := range chosen {
		fmt.Fprintf(w, "%s %s: %s\n  signed by %s (%s)\n", p.Name, p.Manifest.Version, p.Manifest.Description, p.Key, p.Signed)
		showFiles(w, p.Manifest)
	}
	if l.dryRun {
		_, err := fmt.Fprintln(w, "nothing was written: --dry-run")
		return err //nolint:wrapcheck // the terminal's own error says it all
	}
	by := l.by
	if by == "" {
		u, err := user.Current()
		if err != nil {
			return badInput{fmt.Errorf("who admits is not known (%w); say it with --by", err)}
		}
		by = u.Username
	}
	if err := pluginstore.Admit(cfg.Plugins.LockFile(), chosen, by, time.Now()); err != nil {
		return badInput{err}
	}
	_, err = fmt.Fprintf(w, "admitted by %s in %s; it starts with the host's next start\n", by, cfg.Plugins.LockFile())
	return err //nolint:wrapcheck // the terminal's own error says it all
}

// freeName refuses names that other detectors have.
func freeName(cfg *config.Config, name string) error {
	for _, d := range builtin.Detectors() {
		if d.Describe().Name == name {
			return fmt.Errorf("a built-in detector is called %s; have its author choose another name", name)
		}
	}
	for i := range cfg.Plugins.ThirdParty {
		if cfg.Plugins.ThirdParty[i].Name == name {
			return fmt.Errorf("%s: plugins.third_party names it already; keep one of them", cfg.At(fmt.Sprintf("$.plugins.third_party[%d].name", i)))
		}
	}
	return nil
}
