package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/dueprocess"
	"github.com/gridwarden/gridwarden/internal/host"
)

func newCases() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cases",
		Short: "The cases that were opened",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCasesList(), newCasesShow())
	return cmd
}

func newCasesList() *cobra.Command {
	var file, state string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list -c FILE",
		Short: "List cases, newest first",
		Example: `  gridwarden cases list -c gridwarden.yaml
  gridwarden cases list -c gridwarden.yaml --state open --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if state != "" && !knownState(state) {
				return badInput{fmt.Errorf("--state %q: give one of %v", state, cases.States())}
			}
			return withDesk(cmd.Context(), file, func(ctx context.Context, desk *host.Desk, cfg *config.Config) error {
				list, err := desk.Cases.List(ctx, cases.Filter{State: cases.State(state)})
				if err != nil {
					return fmt.Errorf("cases: %w", err)
				}
				return listCases(cmd.OutOrStdout(), list, cfg.Location(), asJSON)
			})
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "gridwarden.yaml", configFlagHelp)
	cmd.Flags().StringVar(&state, "state", "", "only cases in this state")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

func knownState(state string) bool {
	for _, s := range cases.States() {
		if string(s) == state {
			return true
		}
	}
	return false
}

func listCases(w io.Writer, list []cases.Case, location *time.Location, asJSON bool) error {
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(list) //nolint:wrapcheck // the terminal's own error says it all
	}
	if len(list) == 0 {
		fmt.Fprintln(w, "No case. Cases open when a detection run finds a usage point at or above the threshold of risk.")
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CASE\tSTATE\tABOUT\tRISK\tOPENED\tREASONS")
	for i := range list {
		c := &list[i]
		risk := "-"
		if !c.Subject.Kind.Area() {
			risk = fmt.Sprintf("%.2f", c.Risk)
		}
		fmt.Fprintf(t, "%s\t%s\t%s %s\t%s\t%s\t%s\n", c.ID, c.State, c.Subject.Kind, c.Subject.ID, risk,
			c.Opened.In(location).Format("2006-01-02 15:04"), strings.Join(c.Reasons, ", "))
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}

// shownCase is a case as `cases show --json` prints it.
type shownCase struct {
	*cases.Case
	Measures dueprocess.Judgement `json:"measures"`
}

func newCasesShow() *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "show ID -c FILE",
		Short:   "Show one case: findings, what is open and what blocks the rest",
		Example: "  gridwarden cases show C-2026-0001 -c gridwarden.yaml",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDesk(cmd.Context(), file, func(ctx context.Context, desk *host.Desk, cfg *config.Config) error {
				c, err := desk.Cases.Get(ctx, args[0])
				if errors.Is(err, cases.ErrNotFound) {
					return badInput{fmt.Errorf("no case %s; `gridwarden cases list` shows what there is", args[0])}
				}
				if err != nil {
					return fmt.Errorf("case %s: %w", args[0], err)
				}
				measures, err := desk.Cases.Measures(ctx, args[0])
				if err != nil {
					return fmt.Errorf("case %s: %w", args[0], err)
				}
				if asJSON {
					e := json.NewEncoder(cmd.OutOrStdout())
					e.SetIndent("", "  ")
					return e.Encode(shownCase{c, measures})
				}
				showCase(cmd.OutOrStdout(), c, measures, cfg.Location())
				return nil
			})
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "gridwarden.yaml", configFlagHelp)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

func showCase(w io.Writer, c *cases.Case, j dueprocess.Judgement, location *time.Location) {
	fmt.Fprintf(w, "%s, %s, about %s %s", c.ID, c.State, c.Subject.Kind, c.Subject.ID)
	if c.CustomerID != "" {
		fmt.Fprintf(w, ", customer %s", c.CustomerID)
	}
	fmt.Fprintln(w)
	if !c.Subject.Kind.Area() {
		fmt.Fprintf(w, "Risk %.2f. ", c.Risk)
	}
	fmt.Fprintf(w, "%s to %s, %.0f kWh in 30 days unexplained.\n", c.FirstDay, c.LastDay, c.ExcessKWhMonth)
	for i := range c.Findings {
		f := &c.Findings[i].Detail
		fmt.Fprintf(w, "\n%s (%s %s)\n", f.Reason, f.Stamp.Detector, f.Stamp.Version)
		for _, e := range f.Evidence {
			fmt.Fprintf(w, "  + %s\n", e.Text)
		}
		for _, e := range f.Innocent {
			fmt.Fprintf(w, "  ? %s: %s\n", strings.ReplaceAll(string(e.Outcome), "_", " "), e.Text)
		}
	}
	fmt.Fprintf(w, "\nMeasures under %s:\n", j.Policy)
	for _, m := range j.Measures {
		fmt.Fprintf(w, "  %-18s %s\n", m.Measure, strings.ReplaceAll(m.State.String(), "_", " "))
		for _, u := range m.Unmet {
			fmt.Fprintf(w, "  %-18s   missing: %s; from: %s (%s)\n", "", u.Missing, u.Supplier, u.Rule)
		}
	}
	fmt.Fprintln(w, "\nTimeline:")
	for i := range c.Timeline {
		e := &c.Timeline[i]
		fmt.Fprintf(w, "  %s  %s, by %s\n", e.At.In(location).Format("2006-01-02 15:04"), e.Summary(), e.By)
	}
}

// withDesk opens the desk of a configuration's data folder for one command.
func withDesk(ctx context.Context, file string, do func(context.Context, *host.Desk, *config.Config) error) (err error) {
	cfg, err := config.Load(file)
	if err != nil {
		return badInput{err}
	}
	desk, err := host.OpenDesk(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, desk.Close()) }()
	return do(ctx, desk, cfg)
}
