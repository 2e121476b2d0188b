package main

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/sim"
)

func newExport(d *districtFlags) *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "export --out DIR",
		Short: "Write records, load history and truth as files",
		Long: `export writes DIR/registry (transformers, customers, usage points, watchlist, weather …),
DIR/readings (kWh of each quarter of an hour, one row a meter and day) and DIR/truth.json.
The records hold the error that is planted in them; the truth does not.`,
		Example: `  gridsim export --out /tmp/district --seed 3
  gridwarden scan --registry /tmp/district/registry --readings /tmp/district/readings/*.csv`,
		Args: func(_ *cobra.Command, args []string) error { return noArgs(args) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			if out == "" {
				return usageError{errors.New("no folder to write to; give --out DIR")}
			}
			district, err := d.district()
			if err != nil {
				return err
			}
			err = district.Export(cmd.Context(), out, func(done, total int) {
				if done%10 == 0 || done == total {
					fmt.Fprintf(cmd.ErrOrStderr(), "day %d of %d\n", done, total)
				}
			})
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %s to %s\n", out, district.First(), district.Last())
			return nil
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "folder to write to; made where missing")
	return cmd
}

func newTruth(d *districtFlags) *cobra.Command {
	return &cobra.Command{
		Use:     "truth",
		Short:   "Print the planted stories and the innocent look-alikes as JSON",
		Example: "  gridsim truth --seed 7 --until 2026-06-30",
		Args:    func(_ *cobra.Command, args []string) error { return noArgs(args) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			district, err := d.district()
			if err != nil {
				return err
			}
			e := json.NewEncoder(cmd.OutOrStdout())
			e.SetIndent("", "  ")
			if err := e.Encode(struct {
				Planted    []sim.Planted   `json:"planted"`
				Lookalikes []sim.Lookalike `json:"lookalikes"`
			}{district.Truth(), district.Lookalikes()}); err != nil {
				return fmt.Errorf("truth: %w", err)
			}
			return nil
		},
	}
}
