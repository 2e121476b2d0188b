package main

import (
	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/sim"
)

func newStats(d *districtFlags) *cobra.Command {
	var compare string
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Print measured statistics of the model, optionally beside real households",
		Long: `stats measures the district's history: after-diversity demand, load factors, quantiles of
daily energy, the day's and the week's shape, losses and loading. --compare puts real
households beside them: a CSV of meter_id, date, p1 … pN (kWh; 24, 48, 96 or 288 values a
day), .gz as it is.`,
		Example: `  gridsim stats --seed 3
  gridsim stats --until 2026-05-31 --days 92 --compare households-halfhourly.csv.gz`,
		Args: func(_ *cobra.Command, args []string) error { return noArgs(args) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			var real *sim.Measured
			if compare != "" {
				var err error
				if real, err = sim.MeasureFile(compare); err != nil {
					return usageError{err}
				}
			}
			district, err := d.district()
			if err != nil {
				return err
			}
			s, err := district.Stats(cmd.Context())
			if err != nil {
				return err
			}
			return s.Print(cmd.OutOrStdout(), real)
		},
	}
	cmd.Flags().StringVar(&compare, "compare", "", "wide file of real household readings to put beside")
	return cmd
}
