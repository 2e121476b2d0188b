package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/control"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/host"
)

func newPluginsRelease() *cobra.Command {
	var f runningFlags
	cmd := &cobra.Command{
		Use:   "release NAME -c FILE",
		Short: "Let a plugin run again that is in quarantine",
		Long: `A plugin that has failed plugins.quarantine_after times in a row is put into quarantine
and stays there, also when the program starts again, until it is released or another
program takes its name. The program that runs with the data folder is asked; where none
runs, what is remembered of the plugin's failures is forgotten.`,
		Example: `  gridwarden plugins release nightowl -c gridwarden.yaml`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := f.find()
			if err != nil {
				return err
			}
			err = r.ReleasePlugin(cmd.Context(), args[0])
			if errors.Is(err, control.ErrNotRunning) {
				cfg, failed := f.stored()
				if failed != nil {
					return failed
				}
				err = host.ReleaseStored(cfg.DataDir, args[0])
			}
			if errors.Is(err, control.ErrNotQuarantined) {
				return badInput{err}
			}
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd.OutOrStdout(), map[string]string{"released": args[0]})
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is released; it takes part in the next run.\n", args[0])
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

func newPluginsWard() *cobra.Command {
	return &cobra.Command{
		Use:   "ward FAMILY",
		Short: "Kill what plugins leave behind once the host that started this process is gone",
		Long: `The program starts itself with this command beside its third-party plugins. It waits
until its standard input ends, which it does with the host, however that dies. It is of
no use in a terminal.`,
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE:   func(cmd *cobra.Command, args []string) error { return detect.Ward(cmd.InOrStdin(), args[0]) },
	}
}
