package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/outcomes"
	"github.com/gridwarden/gridwarden/internal/risk"
)

func newRisk() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "risk",
		Short: "What inspections say of the risk, and whom to inspect by lot",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newRiskReport(), newRiskSample())
	return cmd
}

func newRiskReport() *cobra.Command {
	var file string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "report -c FILE",
		Short: "Hit rates by detector and version, the share of abnormal use, a calibration",
		Long: `Draws together what imported inspections found. Hit rates count confirmed abnormal use
among the points at which a detector had a finding. How common abnormal use is, and how
the risk should be calibrated, can only be told from points that were chosen by lot: the
others were inspected because they were suspicious. The proposed calibration takes the
bias of the choice out; it holds once it stands in the configuration.`,
		Example: `  gridwarden risk report -c gridwarden.yaml
  gridwarden risk report -c gridwarden.yaml --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withDesk(cmd.Context(), file, func(ctx context.Context, desk *host.Desk, cfg *config.Config) error {
				summary, err := desk.Outcomes(ctx)
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), newRiskDocument(summary))
				}
				return printOutcomes(cmd.OutOrStdout(), cfg, summary)
			})
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "gridwarden.yaml", configFlagHelp)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

// riskDocument is what --json prints; a prevalence that nothing is known of is null.
type riskDocument struct {
	*outcomes.Summary
	Prevalence *risk.Rate `json:"prevalence"`
}

func newRiskDocument(s *outcomes.Summary) riskDocument {
	doc := riskDocument{Summary: s}
	if s.Prevalence.Of > 0 {
		doc.Prevalence = &s.Prevalence
	}
	return doc
}

func printOutcomes(w io.Writer, cfg *config.Config, s *outcomes.Summary) error {
	if s.Inspections == 0 {
		fmt.Fprintln(w, "No inspection has been imported; see `gridwarden import inspections --help`.")
		return nil
	}
	fmt.Fprintf(w, "%d inspections: %d confirmed, %d innocent, %d errors in the records, %d without access.\n\n", s.Inspections,
		s.Outcomes[outcomes.Confirmed], s.Outcomes[outcomes.Innocent], s.Outcomes[outcomes.RecordsError], s.Outcomes[outcomes.NoAccess])
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	rows := func(what string, list []outcomes.HitRate) {
		for _, h := range list {
			fmt.Fprintf(t, "%s\t%s %s\t%.0f %%\t%.0f to %.0f %%\t%d\t%d\n", what, h.Name, h.Version, 100*h.Rate.Share, 100*h.Rate.Low, 100*h.Rate.High, h.Rate.Of, h.Records)
		}
	}
	fmt.Fprintln(t, "BY\tWHICH\tCONFIRMED\t95 % INTERVAL\tOF\tRECORDS ERRORS")
	rows("choice", s.ByChoice)
	rows("detector", s.ByDetector)
	rows("risk, by lot", s.ByBand)
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print the report: %w", err)
	}
	fmt.Fprintln(w)
	if !math.IsNaN(s.Prevalence.Share) {
		fmt.Fprintf(w, "Abnormal use among all customers: %.2g %% (%.2g to %.2g %%), from %d chosen by lot; risk.prior is %.2g %%.\n",
			100*s.Prevalence.Share, 100*s.Prevalence.Low, 100*s.Prevalence.High, s.Prevalence.Of, 100*cfg.Risk.Prior)
	}
	if s.Fit == nil {
		fmt.Fprintf(w, "No calibration is proposed: %s.\n", s.Why)
		return nil
	}
	f := s.Fit
	fmt.Fprintf(w, `From %d inspections (%d by lot, %d abnormal). Where people chose, abnormal use was likelier than
the risk says by %+.2f ± %.2f log-odds; that is left out. Put this into the configuration
if it is to hold (standard errors %.2f and %.2f):

risk:
  calibration: {intercept: %.3f, slope: %.3f}
`, f.Inspected, f.Drawn, f.Abnormal, f.Choice, f.ChoiceError, f.InterceptError, f.SlopeError, f.Intercept, f.Slope)
	return nil
}

func newRiskSample() *cobra.Command {
	var file, seed string
	var n int
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "sample -n NUMBER --seed TEXT -c FILE",
		Short: "Choose usage points for inspection by lot, whatever their risk",
		Long: `Only those who look suspicious are inspected otherwise, and nobody would learn how often
the unsuspected are abnormal. The lot falls within bands of risk, so that the rare high
ones are seen too; each point's propensity says with which chance it was chosen and goes
into inspections.csv. The seed makes the draw repeatable: publish it beforehand (a date
and a place will do) and anyone can see that nobody was picked.`,
		Example: `  gridwarden risk sample -n 30 --seed "audit 2026-10" -c gridwarden.yaml > audit.csv`,
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if n < 1 || seed == "" {
				return badInput{errors.New("give the number of points with -n and the seed of the lot with --seed; see `gridwarden risk sample --help`")}
			}
			return withDesk(cmd.Context(), file, func(ctx context.Context, desk *host.Desk, _ *config.Config) error {
				drawn, run, err := desk.DrawInspections(ctx, seed, n)
				if err != nil {
					return err
				}
				if run == nil {
					return errors.New("no detection run is stored yet; run the program until its first detection, then draw")
				}
				return printDrawn(cmd.OutOrStdout(), drawn, asJSON)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&file, "config", "c", "gridwarden.yaml", configFlagHelp)
	flags.IntVarP(&n, "number", "n", 0, "how many usage points")
	flags.StringVar(&seed, "seed", "", "text that the lot is made of")
	flags.BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

// drawnPoint is one line of the lot; the risk is left out, so that inspectors
// go without an opinion.
type drawnPoint struct {
	UsagePointID string  `json:"usage_point_id"`
	Choice       string  `json:"choice"`
	Propensity   float64 `json:"propensity"`
}

func printDrawn(w io.Writer, drawn []risk.Drawn, asJSON bool) error {
	list := make([]drawnPoint, len(drawn))
	for i, d := range drawn {
		list[i] = drawnPoint{d.ID, string(outcomes.ByLot), d.Propensity}
	}
	if asJSON {
		return writeJSON(w, list)
	}
	fmt.Fprintln(w, "usage_point_id,date,outcome,choice,propensity")
	for _, d := range list {
		fmt.Fprintf(w, "%s,,,%s,%.6g\n", d.UsagePointID, d.Choice, d.Propensity)
	}
	return nil
}
