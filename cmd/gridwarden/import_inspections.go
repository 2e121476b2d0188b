package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/outcomes"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

func newImportInspections() *cobra.Command {
	var f recordsImport
	cmd := &cobra.Command{
		Use:   "inspections FILE -c FILE",
		Short: "Import what inspections found, so that hit rates and risks learn from it",
		Long: `Reads a CSV with the columns usage_point_id, date (YYYY-MM-DD), outcome (confirmed,
innocent, records_error, no_access) and, where there, choice (suspicion, lot, tip, other;
suspicion where empty) and propensity (for lot, from ` + "`gridwarden risk sample`" + `). All rows
are stored, or none where one is wrong. Each is joined with what the last detection run
before its day had said of the point; the same point and day again replaces what was there.`,
		Example: `  gridwarden import inspections october.csv -c gridwarden.yaml
  gridwarden import inspections october.csv --dry-run -c gridwarden.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDesk(cmd.Context(), f.config, func(ctx context.Context, desk *host.Desk, cfg *config.Config) error {
				return f.inspections(ctx, desk, cfg, cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0])
			})
		},
	}
	f.flags(cmd)
	return cmd
}

// inspectionsImport is what --json prints.
type inspectionsImport struct {
	DryRun      bool                    `json:"dry_run"`
	Inspections int                     `json:"inspections"`
	Joined      int                     `json:"joined"` // with a run that had judged the point
	Outcomes    map[outcomes.Found]int  `json:"outcomes"`
	Choices     map[outcomes.Choice]int `json:"choices"`
}

func (f *recordsImport) inspections(ctx context.Context, desk *host.Desk, cfg *config.Config, stdout, stderr io.Writer, file string) error {
	network, err := desk.Records(ctx, cfg)
	if err != nil {
		return badInput{err}
	}
	var known func(string) bool
	if network != nil {
		known = func(id string) bool { return len(network.Assignments(id)) > 0 }
	}
	list, err := outcomes.ReadFile(file, known)
	var problems *textfile.Problems
	if errors.As(err, &problems) {
		for _, p := range problems.List() {
			fmt.Fprintln(stderr, p)
		}
		return badInput{fmt.Errorf("%d problems were found; nothing was imported", problems.Len())}
	}
	if err != nil {
		return err
	}
	doc := inspectionsImport{DryRun: f.dryRun, Inspections: len(list), Outcomes: make(map[outcomes.Found]int), Choices: make(map[outcomes.Choice]int)}
	for i := range list {
		doc.Outcomes[list[i].Found]++
		doc.Choices[list[i].Choice]++
	}
	if doc.Joined, err = desk.LinkInspections(ctx, cfg, list); err != nil {
		return err
	}
	if !f.dryRun {
		if err := desk.PutInspections(ctx, list); err != nil {
			return err
		}
	}
	if f.json {
		return writeJSON(stdout, doc)
	}
	what := "imported"
	if f.dryRun {
		what = "in order, nothing was changed"
	}
	fmt.Fprintf(stdout, "%d inspections %s; %d of them were judged by a run before: `gridwarden risk report` says what they show.\n", doc.Inspections, what, doc.Joined)
	return nil
}
