package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/control"
)

// newDevices is the parent of the commands that ask a running program.
func newDevices() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "devices",
		Short: "The field devices of the running program: how they do, what they say",
		Long: `Asks the program that runs with a data folder about its field devices, through the
socket control.sock in that folder, which only the user who runs it can open. Nothing
is ever written to a device.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDevicesList(), newDevicesShow(), newDevicesReload())
	return cmd
}

// runningFlags say which running program is meant.
type runningFlags struct {
	config, dir string
	json        bool
}

func (f *runningFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration file that the program was started with (default: gridwarden.yaml, unless --data-dir is given)")
	cmd.Flags().StringVar(&f.dir, "data-dir", "", "data folder of the program, instead of a configuration")
	cmd.Flags().BoolVar(&f.json, "json", false, "print one JSON document")
}

// running is the program that was asked for, and the site's time zone.
type running struct {
	*control.Client
	location *time.Location
	start    string // the command that starts it
}

func (f *runningFlags) find() (*running, error) {
	if f.dir != "" && f.config != "" {
		return nil, badInput{errors.New("--config and --data-dir name two programs; give one of them")}
	}
	if f.dir != "" {
		return &running{control.NewClient(f.dir), time.Local, "gridwarden run -c FILE"}, nil
	}
	file := f.config
	if file == "" {
		file = "gridwarden.yaml"
	}
	dir, location, err := config.DataDir(file)
	if err != nil {
		if f.config == "" {
			err = errors.Join(err, errors.New("without a gridwarden.yaml here, name the configuration with -c FILE or the data folder with --data-dir DIR"))
		}
		return nil, badInput{err}
	}
	return &running{control.NewClient(dir), location, "gridwarden run -c " + file}, nil
}

// explain adds to an error what a user can do about it.
func (r *running) explain(err error) error {
	switch {
	case errors.Is(err, control.ErrNotRunning):
		return fmt.Errorf("%w; start it with `%s`", err, r.start)
	case errors.Is(err, control.ErrNoDevice):
		return badInput{err}
	}
	return err
}

func newDevicesReload() *cobra.Command {
	var f runningFlags
	cmd := &cobra.Command{
		Use:   "reload -c FILE",
		Short: "Have the running program read its devices, device files and profiles again",
		Long: `Has the running program read the devices, device files and profile folder of its
configuration file again, as SIGHUP does. Everything is checked before: a file that is
wrong is refused with its errors and the devices before are read on. Devices that did
not change notice nothing. What else changed in the file is named; it takes a restart.

Exit codes: 0 applied, 1 the program could not be asked, 2 refused.`,
		Example: `  gridwarden devices reload -c gridwarden.yaml
  gridwarden check -c gridwarden.yaml && kill -HUP $PID    the same by signal`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := f.find()
			if err != nil {
				return err
			}
			result, err := r.Reload(cmd.Context())
			if err != nil {
				return r.explain(err)
			}
			if f.json {
				if err := printJSON(cmd.OutOrStdout(), result); err != nil {
					return err
				}
			}
			return showReload(cmd.OutOrStdout(), cmd.ErrOrStderr(), result, f.json)
		},
	}
	f.add(cmd)
	return cmd
}

// showReload says what a reload did; one that was refused is an error.
func showReload(w, warnings io.Writer, r *control.Reload, printed bool) error {
	if r.Refused {
		return badInput{fmt.Errorf("%s\n%s was refused; the devices before are read on", strings.Join(r.Problems, "\n"), r.File)}
	}
	for _, warning := range r.Warnings {
		fmt.Fprintln(warnings, "warning:", warning)
	}
	if len(r.Restart) > 0 {
		fmt.Fprintf(warnings, "warning: more than the devices changed in %s; restart to apply: %s\n", r.File, strings.Join(r.Restart, ", "))
	}
	if printed {
		return nil
	}
	_, err := fmt.Fprintf(w, "%s was read again: %d added, %d removed, %d changed, %d kept\n", r.File, r.Added, r.Removed, r.Changed, r.Kept)
	return err //nolint:wrapcheck // the terminal's own error says it all
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v) //nolint:wrapcheck // the terminal's own error says it all
}

// listed asks for the devices that a command wants.
func (r *running) listed(ctx context.Context, keep func(*control.Device) bool) ([]control.Device, int, error) {
	all, err := r.Devices(ctx)
	if err != nil {
		return nil, 0, r.explain(err)
	}
	kept := make([]control.Device, 0, len(all))
	for i := range all {
		if keep(&all[i]) {
			kept = append(kept, all[i])
		}
	}
	return kept, len(all), nil
}
