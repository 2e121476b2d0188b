package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/scan"
)

// shownRows is how many rows of the queue are printed to a terminal.
const shownRows = 20

type scanFlags struct {
	registry string
	readings []string
	out      string
	all      bool
	json     bool
	zone     string
	until    string
	prior    float64
	config   string
	shadow   []string
}

func newScan() *cobra.Command {
	var f scanFlags
	cmd := &cobra.Command{
		Use:   "scan --registry DIR --readings FILE...",
		Short: "Analyse an AMI export offline; nothing is stored",
		Long: `Reads the registry files and the interval readings of an export, judges every
usage point and transformer with the built-in detectors, and writes findings.csv,
transformer_findings.csv and findings.json.

Readings are wide or long CSV, or Parquet, plain, .gz or .zst. A file that cannot be
parsed is refused whole, with file:line, what is wrong and what would be right.`,
		Example: `  gridwarden scan --registry registry --readings readings.csv
  gridwarden scan --registry registry --readings 2026-10.csv.gz --readings 2026-11.csv.gz --tz Asia/Shanghai
  gridwarden scan --registry registry --readings march.parquet --until 2026-03-31 --all --out results`,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			f.readings = append(f.readings, args...)
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	defaults := config.Default()
	flags := cmd.Flags()
	flags.StringVar(&f.registry, "registry", "", "folder with transformers.csv, customers.csv, usage_points.csv and optional files")
	flags.StringArrayVar(&f.readings, "readings", nil, "file of interval readings; may be repeated, or given as further arguments")
	flags.StringVar(&f.out, "out", "scan-out", "folder for the results")
	flags.BoolVar(&f.all, "all", false, "list every usage point, not only those with a finding")
	flags.BoolVar(&f.json, "json", false, "print findings.json to standard output too")
	flags.StringVar(&f.zone, "tz", "UTC", "time zone of the days: IANA name or ±HH:MM")
	flags.StringVar(&f.until, "until", "", "last day to judge, inclusive, YYYY-MM-DD")
	flags.Float64Var(&f.prior, "prior", defaults.Risk.Prior, "base rate of abnormal use before any data")
	flags.StringVarP(&f.config, "config", "c", "", "configuration, of which the section plugins is taken; without it the built-in detectors")
	flags.StringArrayVar(&f.shadow, "shadow", nil, "detector whose findings are written apart and weigh nothing; may be repeated")
	return cmd
}

func (f *scanFlags) options() (scan.Options, error) {
	o := scan.Options{Readings: f.readings, Prior: f.prior, Now: time.Now}
	switch {
	case f.registry == "":
		return o, errors.New("--registry is needed: the folder with transformers.csv, customers.csv and usage_points.csv")
	case len(f.readings) == 0:
		return o, errors.New("--readings is needed: a file of interval readings, wide or long")
	case !(f.prior > 0 && f.prior < 0.5):
		return o, fmt.Errorf("--prior %v: give a probability above 0 and below 0.5, such as 0.01", f.prior)
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
	reference, err := host.LoadReference()
	if err != nil {
		return o, err
	}
	o.Uses, o.Tariffs = reference.Uses, reference.Tariffs
	o.Policy, err = host.LoadPolicy(config.Default().Cases.Policy)
	return o, err
}

func (f *scanFlags) run(ctx context.Context, stdout, stderr io.Writer) (err error) {
	o, err := f.options()
	if err != nil {
		return badInput{err}
	}
	status := newProgressLine(stderr)
	status.step("reading the registry in %s", f.registry)
	reference := host.Reference{Uses: o.Uses, Tariffs: o.Tariffs}
	network, records, err := reference.LoadRegistry(f.registry, o.Location)
	if err != nil {
		return badInput{err}
	}
	o.Network = network
	status.warn(records.Warnings...)
	status.done("%d transformers, %d customers, %d usage points", len(network.Transformers), len(network.Customers), len(network.UsagePoints))

	cfg, err := f.detectors()
	if err != nil {
		return badInput{err}
	}
	cfg, done, err := withoutStore(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	plugins, err := host.LaunchDetectors(ctx, cfg, nil, slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})), nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plugins.Close()) }()
	o.Evaluators, o.Shadow = plugins.Evaluators(), cfg.Plugins.Shadow
	o.Reading, o.Detecting = status.reading, status.detecting

	outcome, err := f.judge(ctx, o, status)
	if err != nil {
		status.end()
		if ctx.Err() != nil {
			return fmt.Errorf("stopped: %w", ctx.Err())
		}
		return badInput{err}
	}
	if err := scan.Write(f.out, outcome, f.all); err != nil {
		return err
	}
	if f.json {
		if err := scan.WriteJSON(stdout, outcome, f.all); err != nil {
			return err
		}
	} else {
		printSummary(stdout, outcome, f.out)
	}
	if failed := outcome.Result.Failed; len(failed) > 0 {
		return fmt.Errorf("detector %s did not finish: %s; the results lack its judgement", failed[0].Detector, failed[0].Error)
	}
	return nil
}

// detectors is the configuration with the plugins that are to judge.
func (f *scanFlags) detectors() (*config.Config, error) {
	cfg, err := loadOrDefault(f.config)
	if err != nil {
		return nil, err
	}
	for _, name := range f.shadow {
		if !slices.Contains(cfg.Plugins.Shadow, name) {
			cfg.Plugins.Shadow = append(cfg.Plugins.Shadow, name)
		}
	}
	return cfg, nil
}

// scanGCPercent keeps the heap near what lives on it: the days of an export are
// large and stay, and the garbage beside them is small.
const scanGCPercent = 25

// judge reads the export and judges it, step by step.
func (f *scanFlags) judge(ctx context.Context, o scan.Options, status *progressLine) (*scan.Outcome, error) {
	if os.Getenv("GOGC") == "" {
		defer debug.SetGCPercent(debug.SetGCPercent(scanGCPercent))
	}
	status.step("reading %d files, validating, computing features", len(f.readings))
	days, err := scan.Read(ctx, o)
	if err != nil {
		return nil, err
	}
	report := days.Report
	status.done("%d meter-days of %d meters, %.0f a second", report.Days, report.Meters, float64(report.Days)/days.Took.Seconds())
	status.warn(report.Warnings...)
	status.step("judging")
	outcome, err := scan.Judge(ctx, o, days)
	if err != nil {
		return nil, err
	}
	status.done("%d usage points, %d transformers", len(outcome.Result.UsagePoints), len(outcome.Result.Transformers))
	return outcome, nil
}

func printSummary(w io.Writer, o *scan.Outcome, dir string) {
	r := o.Result
	above := 0
	for i := range r.UsagePoints {
		if r.UsagePoints[i].Risk >= config.Default().Cases.Threshold {
			above++
		}
	}
	listed := scan.Listed(r, false)
	fmt.Fprintf(w, "%d meter-days of %d meters, %s to %s. %d usage points judged, %d with a finding, %d above the case threshold.\n",
		o.Import.Days, o.Import.Meters, r.FirstDay, r.LastDay, len(r.UsagePoints), len(listed), above)
	printQueue(w, r, shownRows)
	verdicts := 0
	for i := range r.Transformers {
		if t := &r.Transformers[i]; len(t.Verdicts) > 0 && t.Verdicts[0] != "ok" && t.Verdicts[0] != "no_meter" {
			if verdicts == 0 {
				fmt.Fprintln(w)
			}
			verdicts++
			fmt.Fprintf(w, "%s: %s\n", t.TransformerID, strings.Join(t.Verdicts, ", "))
		}
	}
	fmt.Fprintf(w, "\nWritten to %s: findings.csv, transformer_findings.csv, findings.json\n", dir)
}

// printQueue prints the head of the ranked queue.
func printQueue(w io.Writer, r *detect.Result, most int) {
	rows := scan.Listed(r, false)
	if len(rows) == 0 {
		return
	}
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "RANK\tUSAGE POINT\tTRANSFORMER\tRISK\tEXCESS kWh/30 d\tREASONS")
	for i := range rows {
		if i == most {
			fmt.Fprintf(t, "\t… and %d more\n", len(rows)-most)
			break
		}
		a := &rows[i]
		fmt.Fprintf(t, "%d\t%s\t%s\t%.2f\t%.0f\t%s\n", a.Rank, a.UsagePointID, a.TransformerID, a.Risk, a.ExcessKWhMonth, strings.Join(a.Reasons, ", "))
	}
	_ = t.Flush()
}
