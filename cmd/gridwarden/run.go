package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/sim"
)

const configFlagHelp = "configuration file"

func newRun() *cobra.Command {
	var file, level, influx string
	var roles []string
	cmd := &cobra.Command{
		Use:   "run -c FILE",
		Short: "Run: poll, store, detect, keep cases, serve the console",
		Long: `Polls the configured devices, keeps telemetry and curves, imports AMI exports as
they appear, runs the detectors every night and whenever new days came, opens cases,
and serves the console. Stop it with Ctrl-C: what was acknowledged is kept.
SIGHUP, like ` + "`gridwarden devices reload`" + `, has it read its devices, device files and
profiles again; nothing else is interrupted.

--roles splits the work over hosts: poll reads devices into the stream, store moves
readings to the historian and builds curves, detect imports exports and runs detectors,
cases makes cases of findings, console serves the pages. They meet in stream.url and
database.url; a substation with stream.leaf needs poll alone.`,
		Example: `  gridwarden run -c gridwarden.yaml
  gridwarden run -c gridwarden.yaml --log debug
  gridwarden run -c gridwarden.yaml --influxd bin/influxd   with an InfluxDB of its own
  gridwarden run -c substation.yaml --roles poll`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(file)
			if err != nil {
				return badInput{err}
			}
			logger, err := newLogger(cmd.ErrOrStderr(), level)
			if err != nil {
				return badInput{err}
			}
			parts, err := host.ParseRoles(roles)
			if err != nil {
				return badInput{err}
			}
			hangups := make(chan os.Signal, 1)
			signal.Notify(hangups, syscall.SIGHUP)
			defer signal.Stop(hangups)
			return runHost(cmd.Context(), cmd.OutOrStdout(), cfg, host.Options{
				Logger: logger, Version: version, Drivers: linkDrivers(cfg, logger), Profiles: []fs.FS{sim.Profiles()}, InfluxDB: influx, Collectors: opcuaMetrics(cfg),
				ConfigFile: file, Hangups: hangups, Roles: parts,
			})
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "gridwarden.yaml", configFlagHelp)
	cmd.Flags().StringVar(&level, "log", "info", "log level: debug, info, warn or error")
	cmd.Flags().StringSliceVar(&roles, "roles", nil, "what this process does: poll, store, detect, cases, console (default all)")
	cmd.Flags().StringVar(&influx, "influxd", "", "influxd 1.8 to run as a child where the configuration names no historian")
	return cmd
}

func runHost(ctx context.Context, w io.Writer, cfg *config.Config, options host.Options) (err error) {
	h, err := host.New(ctx, cfg, options)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	trimming, stopTrimming := context.WithCancel(ctx)
	var trim sync.WaitGroup
	trim.Go(func() { trimMemory(trimming) })
	trim.Go(func() { thrift(trimming) })
	defer trim.Wait()
	defer stopTrimming()
	fmt.Fprintf(w, "%s\nConsole on %s\n", h.Recovered(), h.Address())
	users, err := h.Access().Users(ctx)
	if err != nil {
		return err
	}
	if len(users) == 0 {
		fmt.Fprintln(w, "Nobody can log in yet; add a user with `gridwarden users add NAME --role admin -c FILE`.")
	}
	return h.Run(ctx)
}

// newLogger logs to w at the level.
func newLogger(w io.Writer, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log %q: give debug, info, warn or error", level)
	}
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: l})), nil
}

func newCheck() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "check -c FILE",
		Short: "Validate a configuration and all it names; start nothing",
		Long: `Validates the configuration file, the registry, device profiles, devices and the
policy pack. Errors are printed as FILE:LINE:COL: what is wrong; what would be right,
and the exit code is 2.`,
		Example: "  gridwarden check -c gridwarden.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := config.Load(file)
			if err != nil {
				return badInput{err}
			}
			linked := linkDrivers(cfg, nil)
			checked, err := host.Check(cfg, linked, sim.Profiles())
			if err = errors.Join(err, linked.Close()); err != nil {
				return badInput{err}
			}
			certificates, err := opcuaOptions(cfg, nil).Own.Warnings()
			if err != nil {
				return badInput{err}
			}
			for _, warning := range append(checked.Warnings, certificates...) {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", warning)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is in order: %d devices, %d profiles, %d transformers, %d usage points, %d exports to import\n",
				file, checked.Devices, checked.Profiles, checked.Transformers, checked.UsagePoints, checked.Exports)
			return nil
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "gridwarden.yaml", configFlagHelp)
	return cmd
}

// findInfluxDB looks for influxd beside the program, then in bin/ of the
// working folder; "" where it is in neither.
func findInfluxDB() string {
	var candidates []string
	if self, err := os.Executable(); err == nil {
		candidates = append(candidates, filepath.Join(filepath.Dir(self), "influxd"))
	}
	candidates = append(candidates, filepath.Join("bin", "influxd"))
	for _, path := range candidates {
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}
