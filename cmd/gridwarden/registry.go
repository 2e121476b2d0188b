package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/ingest"
	"github.com/gridwarden/gridwarden/internal/registry"
)

func newRegistry() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "registry",
		Short: "Registry files",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRegistryDraft())
	return cmd
}

func newRegistryDraft() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "draft USE=FILE... --out DIR",
		Short: "Make registry files for readings that come without records",
		Long: `Reads the meter ids of interval readings and writes transformers.csv, customers.csv
and usage_points.csv for them: a customer and a usage point for each meter, with the
declared use given for its file, behind one stand-in transformer. What is not known is
left empty, and no detector guesses it. Correct the files where you know more, then scan.`,
		Example: `  gridwarden registry draft dwelling=households.csv.gz office=buildings.csv.gz --out registry
  gridwarden scan --registry registry --readings households.csv.gz --readings buildings.csv.gz`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			meters, err := draftMeters(cmd.Context(), args)
			if err != nil {
				return badInput{err}
			}
			reference, err := host.LoadReference()
			if err != nil {
				return err
			}
			if err := registry.WriteDraft(out, reference.Uses, meters); err != nil {
				return badInput{err}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%d usage points written to %s\n", len(meters), out)
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "registry", "folder for the files; files that are there are not overwritten")
	return cmd
}

// draftMeters reads the meters of each USE=FILE, in the order of their ids.
func draftMeters(ctx context.Context, args []string) ([]registry.DraftMeter, error) {
	use := make(map[string]string)
	for _, arg := range args {
		code, file, ok := strings.Cut(arg, "=")
		if !ok || code == "" || file == "" {
			return nil, fmt.Errorf("%q is not USE=FILE; write it as dwelling=households.csv", arg)
		}
		_, err := ingest.Read(ctx, ingest.Options{Files: []string{file}}, func(_ context.Context, days []curve.Day) error {
			for i := range days {
				if other, seen := use[days[i].MeterID]; seen && other != code {
					return fmt.Errorf("meter %s is in files of the uses %s and %s; give each meter one use", days[i].MeterID, other, code)
				}
				use[days[i].MeterID] = code
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if len(use) == 0 {
		return nil, errors.New("the files hold no meter")
	}
	meters := make([]registry.DraftMeter, 0, len(use))
	for id, code := range use {
		meters = append(meters, registry.DraftMeter{MeterID: id, Use: code})
	}
	slices.SortFunc(meters, func(a, b registry.DraftMeter) int { return strings.Compare(a.MeterID, b.MeterID) })
	return meters, nil
}
