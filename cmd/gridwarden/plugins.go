package main

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/plugins/builtin"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

func newPlugins() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "plugins",
		Short: "The detectors that run",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPluginsList(), newPluginsServe(), newPluginsRelease(), newPluginsWard(), newPluginsNew(), newPluginsConform(),
		newPluginsVerify(), newPluginsDescribe(), newPluginsKeygen(), newPluginsSign(), newPluginsLock())
	return cmd
}

func newPluginsList() *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [-c FILE]",
		Short: "Start every detector, say what each is, and stop them",
		Example: `  gridwarden plugins list
  gridwarden plugins list -c gridwarden.yaml --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := loadOrDefault(file)
			if err != nil {
				return badInput{err}
			}
			return withDetectors(cmd.Context(), cfg, func(plugins *detect.Plugins) error {
				return listPlugins(cmd.OutOrStdout(), plugins.Status(), asJSON)
			})
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration with further plugins; without it the built-in ones")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

func listPlugins(w io.Writer, list []detect.PluginStatus, asJSON bool) error {
	if asJSON {
		return printJSON(w, list)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NAME\tVERSION\tFROM\tLOOKS AT\tSTATE\tSHA-256\tWHAT")
	for _, p := range list {
		from := p.Path
		if p.BuiltIn {
			from = "built in"
		}
		what := p.Summary
		if p.Error != "" {
			what = p.Error
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%.12s\t%s\n", p.Name, p.Version, from, p.Scope, p.State, p.SHA256, what)
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}

func newPluginsServe() *cobra.Command {
	return &cobra.Command{
		Use:   "serve [NAME…]",
		Short: "Serve the built-in detectors to the host that started this process",
		Long: `The program starts itself with this command to run the built-in detectors in a
process of their own; with names, only those. It is of no use in a terminal.`,
		Hidden: true,
		Args:   cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			sdk.Serve(builtIn(args)...)
			return nil
		},
	}
}

// builtIn returns the built-in detectors of the given names, all without any.
func builtIn(names []string) []sdk.Detector {
	all := builtin.Detectors()
	if len(names) == 0 {
		return all
	}
	return slices.DeleteFunc(all, func(d sdk.Detector) bool { return !slices.Contains(names, d.Describe().Name) })
}

// loadOrDefault loads the configuration, or the defaults where no file is given.
func loadOrDefault(file string) (*config.Config, error) {
	if file == "" {
		cfg := config.Default()
		return &cfg, nil
	}
	return config.Load(file)
}
