package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/pluginstore"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// pluginDescription is what `plugins describe` says.
type pluginDescription struct {
	Name       string              `json:"name"`
	Version    string              `json:"version"`
	Summary    string              `json:"summary"`
	From       string              `json:"from"`
	SHA256     string              `json:"sha256"`
	Scope      string              `json:"scope"`
	Lookback   int                 `json:"lookback_days"` // 0 is all there are
	Quantities []string            `json:"quantities"`
	Features   []string            `json:"features"` // null is all
	Quality    string              `json:"minimum_quality"`
	Attributes []string            `json:"attributes"` // null is all
	OnlyWith   []string            `json:"only_with"`  // null is everybody
	Events     bool                `json:"events"`
	Provides   []string            `json:"provides"`
	Supports   bool                `json:"corroborates"` // lifts nobody by itself
	Config     []pluginstore.Field `json:"config"`
	Set        map[string]any      `json:"set"` // what the configuration says now
}

func newPluginsDescribe() *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "describe NAME",
		Short: "Say which data a detector asks for, and how it can be configured",
		Long: `Starts the detector, asks it which data it needs, and prints that with the fields
of its configuration. Of what it does not ask for it gets nothing: no quantity,
feature, attribute or event. That is what an officer for data protection has to
know before a plugin is admitted to real meters.`,
		Example: `  gridwarden plugins describe hiddenmining
  gridwarden plugins describe nightowl -c gridwarden.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadOrDefault(file)
			if err != nil {
				return badInput{err}
			}
			var d *pluginDescription
			err = withDetectors(cmd.Context(), cfg, func(plugins *detect.Plugins) (err error) {
				d, err = describePlugin(cfg, plugins, args[0])
				return err
			})
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(cmd.OutOrStdout(), d)
			}
			return d.print(cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "configuration with further plugins; without it the built-in ones")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

func describePlugin(cfg *config.Config, plugins *detect.Plugins, name string) (*pluginDescription, error) {
	for _, s := range plugins.Status() {
		if s.Name != name {
			continue
		}
		d, ok := plugins.Describe(name)
		if !ok {
			return nil, fmt.Errorf("plugin %s is not started: %s", name, s.Error)
		}
		out := &pluginDescription{
			Name: d.Name, Version: d.Version, Summary: d.Summary, From: s.Path, SHA256: s.SHA256, Scope: string(d.Scope), Lookback: d.LookbackDays,
			Quantities: texts(d.Quantities), Features: texts(d.Features), Quality: d.MinimumQuality.String(),
			Attributes: d.Attributes, OnlyWith: d.OnlyWith, Events: d.Events, Provides: d.Provides, Supports: d.Corroborates, Set: cfg.Plugins.Configs[name],
		}
		if s.BuiltIn {
			out.From = "built in"
		}
		for i := range cfg.Plugins.ThirdParty {
			if t := &cfg.Plugins.ThirdParty[i]; t.Name == name {
				out.Set = t.Config
			}
		}
		if len(d.ConfigSchema) > 0 {
			schema, err := pluginstore.ParseSchema(d.ConfigSchema)
			if err != nil {
				return nil, fmt.Errorf("plugin %s: %w", name, err)
			}
			out.Config = schema.Fields()
		}
		return out, nil
	}
	return nil, badInput{fmt.Errorf("there is no detector %q; `gridwarden plugins list` names them", name)}
}

func texts[T ~string](list []T) []string {
	if list == nil {
		return nil
	}
	out := make([]string, len(list))
	for i, v := range list {
		out[i] = string(v)
	}
	return out
}

func (d *pluginDescription) print(w io.Writer) error {
	fmt.Fprintf(w, "%s %s: %s\n%s, SHA-256 %s\n\n", d.Name, d.Version, d.Summary, d.From, d.SHA256)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(what, format string, args ...any) {
		fmt.Fprintf(t, "  %s\t%s\n", what, fmt.Sprintf(format, args...))
	}
	fmt.Fprintln(t, "IT IS GIVEN")
	switch sdk.Scope(d.Scope) {
	case sdk.ScopeUsagePoint:
		row("subjects", "usage points, each judged by itself")
	case sdk.ScopeTransformerArea:
		row("subjects", "each transformer with all usage points behind it")
	case sdk.ScopeFleet:
		row("subjects", "all usage points at once")
	}
	row("named by", "pseudonyms; never names, addresses, or ids of customers and meters")
	if d.OnlyWith != nil {
		row("only those with", "%s", listed(d.OnlyWith, ""))
	}
	days := "all that there are"
	if d.Lookback > 0 {
		days = fmt.Sprintf("the last %d", d.Lookback)
	}
	row("days", "%s", days)
	row("daily features", "%s", listed(d.Features, "all: "+strings.Join(texts(sdk.Features()), ", ")))
	row("raw curves", "%s", listed(d.Quantities, "none"))
	row("of quality", "%s or better; other intervals are sent as missing", d.Quality)
	row("attributes", "%s", listed(d.Attributes, "all that the records hold, and other detectors' measures"))
	events := "none"
	if d.Events {
		events = "all that the meters logged"
	}
	row("meter events", "%s", events)
	if len(d.Provides) > 0 {
		row("it measures", "%s, for detectors after it", strings.Join(d.Provides, ", "))
	}
	if d.Supports {
		row("it supports", "what others find; by itself it lifts nobody")
	}
	if err := t.Flush(); err != nil {
		return err //nolint:wrapcheck // the terminal's own error says it all
	}
	return d.printConfig(w)
}

func (d *pluginDescription) printConfig(w io.Writer) error {
	if len(d.Config) == 0 {
		_, err := fmt.Fprintln(w, "\nIt takes no configuration, or gives no schema of it.")
		return err //nolint:wrapcheck // the terminal's own error says it all
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CONFIGURATION\tTYPE\tALLOWED\tDEFAULT\tSET TO\tMEANING")
	for _, f := range d.Config {
		value := f.Default
		if f.Needed && value == "" {
			value = "must be given"
		}
		set := ""
		if v, ok := d.Set[f.Path]; ok {
			if text, err := json.Marshal(v); err == nil {
				set = string(text)
			}
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\n", f.Path, f.Type, f.Allowed, value, set, f.What)
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}

// listed joins names; nil is told in words, an empty list as none.
func listed(names []string, null string) string {
	switch {
	case names == nil:
		return null
	case len(names) == 0:
		return "none"
	}
	return strings.Join(names, ", ")
}
