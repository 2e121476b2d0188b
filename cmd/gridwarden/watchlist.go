package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/scan"
	"github.com/gridwarden/gridwarden/internal/watchlist"
)

func newWatchlist() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "watchlist",
		Short: "Lists of addresses from other offices",
		Long: `A watchlist (watchlist.csv of the registry) names addresses that an office says take
part in mining. It is imported with "import watchlist"; here it is held against the meters.`,
		Example: "  gridwarden watchlist reconcile --registry registry --readings readings.csv",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newWatchlistReconcile())
	return cmd
}

type reconcileFlags struct {
	registry string
	readings []string
	zone     string
	until    string
	kwhDay   float64
	hashRate float64
	json     bool
}

func newWatchlistReconcile() *cobra.Command {
	var f reconcileFlags
	cmd := &cobra.Command{
		Use:   "reconcile --registry DIR --readings FILE...",
		Short: "Does the power seen in the meters explain a whole list?",
		Long: `Joins the addresses of watchlist.csv with the customers of ip_assignments.csv who held
them while they were seen, reckons the power that the listed hash rates need, algorithm by
algorithm, and holds it against what the base load of these customers goes beyond that of
their peers, over the last 60 days of the readings. Nothing is stored, nobody is judged.

Totals that the office gives for its list are claims: they are checked for what they come
to an address and a hash, and stand in for hash rates that the list does not give.`,
		Example: `  gridwarden watchlist reconcile --registry registry --readings readings.csv
  gridwarden watchlist reconcile --registry registry --readings march.parquet --json
  gridwarden watchlist reconcile --registry registry --readings march.csv.gz --claim-hashrate 10e15 --claim-kwh-day 260000`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.readings = append(f.readings, args...)
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.registry, "registry", "", "folder with the registry files, watchlist.csv and ip_assignments.csv among them")
	flags.StringArrayVar(&f.readings, "readings", nil, "file of interval readings; may be repeated, or given as further arguments")
	flags.StringVar(&f.zone, "tz", "UTC", "time zone of the days: IANA name or ±HH:MM")
	flags.StringVar(&f.until, "until", "", "last day to look at, inclusive, YYYY-MM-DD")
	flags.Float64Var(&f.kwhDay, "claim-kwh-day", 0, "energy that the office claims for the whole list, kWh a day")
	flags.Float64Var(&f.hashRate, "claim-hashrate", 0, "hash rate that the office claims for the whole list, H/s")
	flags.BoolVar(&f.json, "json", false, "print the report as one JSON document")
	return cmd
}

func (f *reconcileFlags) options() (scan.Options, error) {
	o := scan.Options{Readings: f.readings, Now: time.Now}
	switch {
	case f.registry == "":
		return o, errors.New("--registry is needed: the folder with usage_points.csv, watchlist.csv and the other records")
	case len(f.readings) == 0:
		return o, errors.New("--readings is needed: a file of interval readings, wide or long")
	case !(f.kwhDay >= 0 && f.kwhDay < 1e12), !(f.hashRate >= 0 && f.hashRate < 1e24):
		return o, errors.New("a claim is a positive number, such as --claim-kwh-day 260000 --claim-hashrate 10e15")
	}
	var err error
	if o.Location, err = config.ParseZone(f.zone); err != nil {
		return o, fmt.Errorf("--tz: %w", err)
	}
	if f.until != "" {
		if o.Until, err = curve.ParseDate(f.until); err != nil {
			return o, fmt.Errorf("--until: %w", err)
		}
	}
	return o, nil
}

func (f *reconcileFlags) run(ctx context.Context, stdout, stderr io.Writer) error {
	o, err := f.options()
	if err != nil {
		return badInput{err}
	}
	reference, err := host.LoadReference()
	if err != nil {
		return err
	}
	status := newProgressLine(stderr)
	status.step("reading the registry in %s", f.registry)
	network, records, err := reference.LoadRegistry(f.registry, o.Location)
	if err != nil {
		return badInput{err}
	}
	status.warn(records.Warnings...)
	if len(network.Watchlist) == 0 {
		status.end()
		return badInput{fmt.Errorf("%s holds no watchlist.csv with entries; there is nothing to reconcile", f.registry)}
	}
	status.done("%d entries, %d assignments of addresses", len(network.Watchlist), len(network.IPAssignments))
	o.Network, o.Reading = network, status.reading
	status.step("reading %d files", len(f.readings))
	days, err := scan.Read(ctx, o)
	if err != nil {
		status.end()
		return badInput{err}
	}
	status.done("%d meter-days of %d meters", days.Report.Days, days.Report.Meters)
	status.warn(days.Report.Warnings...)
	r, err := scan.Reconcile(ctx, o, days, watchlist.Claim{HashRateHS: f.hashRate, KWhDay: f.kwhDay})
	if err != nil {
		return badInput{err}
	}
	if f.json {
		if err := r.WriteJSON(stdout); err != nil {
			return fmt.Errorf("standard output: %w", err)
		}
		return nil
	}
	printReconciliation(stdout, r)
	return nil
}

// shownCustomers is how many customers are printed to a terminal.
const shownCustomers = 20

func printReconciliation(w io.Writer, r *watchlist.Report) {
	fmt.Fprintf(w, "%s to %s\n\n", r.FirstDay, r.LastDay)
	fmt.Fprintln(w, strings.Join(r.Total.Conclusion, "\n"))
	if len(r.Sources) > 1 {
		for i := range r.Sources {
			s := &r.Sources[i]
			fmt.Fprintf(w, "\n%s (%s)\n%s\n", s.Source, strings.Join(s.LegalBases, "; "), strings.Join(s.Conclusion, "\n"))
		}
	}
	if len(r.Customers) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CUSTOMER\tADDRESSES\tNEEDS kW\tBASE kW\tBEYOND PEERS kW\tOUTCOME")
	for i := range r.Customers {
		if i == shownCustomers {
			fmt.Fprintf(t, "… and %d more\n", len(r.Customers)-shownCustomers)
			break
		}
		c := &r.Customers[i]
		fmt.Fprintf(t, "%s\t%d\t%.1f to %.1f\t%.2f\t%.2f\t%s\n", c.CustomerID, c.Addresses, c.Expected.LowKW, c.Expected.HighKW, c.BaseKW, c.BeyondKW, c.Outcome)
	}
	_ = t.Flush()
}
