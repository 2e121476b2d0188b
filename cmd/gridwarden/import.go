package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/ingest"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

func newImport() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "import",
		Short: "Import readings and records; each import is taken whole or not at all",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newImportReadings(), newImportRegistry(), newImportWatchlist(), newImportInspections())
	return cmd
}

// readingsImport is one `import readings`.
type readingsImport struct {
	config string
	files  []string
	dryRun bool
	json   bool
	zone   string
}

func newImportReadings() *cobra.Command {
	var f readingsImport
	cmd := &cobra.Command{
		Use:   "readings FILE... -c FILE",
		Short: "Import interval readings of an AMI export",
		Long: `Reads wide or long CSV, or Parquet, plain, .gz or .zst, validates and estimates the
meter-days and stores them with their features: all of them, or none where a row of any
file cannot be read. What is wrong is printed as file:line, with what would be right.

A day that is stored already is kept as an earlier version and replaced, with its
features; the same values again change nothing. Days that a person has edited stay.
The program may run meanwhile: it judges what came as it does with its own imports.`,
		Example: `  gridwarden import readings 2026-10.csv.gz -c gridwarden.yaml
  gridwarden import readings march.parquet april.csv --dry-run -c gridwarden.yaml
  gridwarden import readings export.csv --tz Asia/Tehran --json -c gridwarden.yaml`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.files = args
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.config, "config", "c", "gridwarden.yaml", configFlagHelp)
	flags.BoolVar(&f.dryRun, "dry-run", false, "read and validate everything, store nothing")
	flags.BoolVar(&f.json, "json", false, "print the report as one JSON document")
	flags.StringVar(&f.zone, "tz", "", "time zone of the days: IANA name or ±HH:MM (default the site's)")
	return cmd
}

func (f *readingsImport) run(ctx context.Context, stdout, stderr io.Writer) error {
	cfg, err := config.Load(f.config)
	if err != nil {
		return badInput{err}
	}
	location := cfg.Location()
	if f.zone != "" {
		if location, err = config.ParseZone(f.zone); err != nil {
			return badInput{fmt.Errorf("--tz: %w", err)}
		}
	}
	status := newProgressLine(stderr)
	options := ingest.Options{Files: f.files, Location: location, Progress: status.reading}
	began := time.Now()
	report, err := f.read(ctx, cfg, options, status)
	status.end()
	if err != nil {
		return f.refused(ctx, stdout, stderr, err)
	}
	document := newImportDocument(report, f.dryRun, time.Since(began))
	if f.json {
		return writeJSON(stdout, document)
	}
	status.warn(report.Warnings...)
	document.print(stdout)
	return nil
}

// read checks the files, or imports them into the configuration's database.
func (f *readingsImport) read(ctx context.Context, cfg *config.Config, options ingest.Options, status *progressLine) (report *ingest.Report, err error) {
	if f.dryRun && (cfg.Registry != "" || !databaseThere(cfg)) {
		// Nothing is opened that need not be there.
		if options.Network, err = recordsOf(cfg); err != nil {
			return nil, badInput{err}
		}
		status.step("checking %d files", len(f.files))
		return ingest.Check(ctx, options)
	}
	desk, err := host.OpenDesk(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, desk.Close()) }()
	if options.Network, err = desk.Records(ctx, cfg); err != nil {
		return nil, badInput{err}
	}
	if f.dryRun {
		status.step("checking %d files", len(f.files))
		return ingest.Check(ctx, options)
	}
	status.step("importing %d files", len(f.files))
	return ingest.Into(ctx, options, desk.Curves())
}

// databaseThere reports whether the configuration's database has been made.
func databaseThere(cfg *config.Config) bool {
	if cfg.Database.URL != "" {
		return true
	}
	files, err := filepath.Glob(filepath.Join(cfg.DataDir, "*.db"))
	return err == nil && len(files) > 0
}

// recordsOf returns the records of the registry folder, nil where there is none.
func recordsOf(cfg *config.Config) (*grid.Network, error) {
	if cfg.Registry == "" {
		return nil, nil //nolint:nilnil // records are not needed, they say what a supply can carry
	}
	return host.RegistryOf(cfg)
}

// refused reports why nothing was imported.
func (f *readingsImport) refused(ctx context.Context, stdout, stderr io.Writer, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("stopped, nothing was imported: %w", ctx.Err())
	}
	var problems *textfile.Problems
	if !errors.As(err, &problems) {
		return err
	}
	list := problems.List()
	if f.json {
		if jsonErr := writeJSON(stdout, importRefused{DryRun: f.dryRun, Count: problems.Len(), Problems: list}); jsonErr != nil {
			return jsonErr
		}
	}
	for _, p := range list {
		fmt.Fprintln(stderr, p)
	}
	return badInput{fmt.Errorf("%d problems were found; nothing was imported", problems.Len())}
}

// importRefused is what --json prints where files are refused.
type importRefused struct {
	DryRun   bool               `json:"dry_run"`
	Count    int                `json:"problem_count"`
	Problems []textfile.Problem `json:"problems"` // the first thousand
}

// importDocument is what --json prints.
type importDocument struct {
	DryRun        bool           `json:"dry_run"`
	Files         []importedFile `json:"files"`
	MeterDays     int            `json:"meter_days"`
	Meters        int            `json:"meters"`
	Intervals     int            `json:"intervals"`
	FirstDay      curve.Date     `json:"first_day"`
	LastDay       curve.Date     `json:"last_day"`
	Rules         map[string]int `json:"rules"` // intervals by validation rule
	Duplicates    int            `json:"duplicates"`
	Conflicts     int            `json:"conflicts"`
	UnknownMeters int            `json:"unknown_meters"`
	Unknown       []string       `json:"unknown_examples"`
	Warnings      []string       `json:"warnings"`
	Seconds       float64        `json:"seconds"`
}

type importedFile struct {
	File   string `json:"file"`
	Format string `json:"format"`
	Rows   int    `json:"rows"`
}

func newImportDocument(r *ingest.Report, dryRun bool, took time.Duration) *importDocument {
	d := &importDocument{
		DryRun: dryRun, Files: []importedFile{}, MeterDays: r.Days, Meters: r.Meters, Intervals: r.Intervals, FirstDay: r.First, LastDay: r.Last,
		Rules: r.Rules.Map(), Duplicates: r.Duplicates, Conflicts: r.Conflicts, UnknownMeters: r.UnknownMeters,
		Unknown: append([]string{}, r.UnknownExample...), Warnings: append([]string{}, r.Warnings...), Seconds: took.Seconds(),
	}
	for _, f := range r.Files {
		d.Files = append(d.Files, importedFile(f))
	}
	return d
}

func (d *importDocument) print(w io.Writer) {
	for _, f := range d.Files {
		fmt.Fprintf(w, "%s: %s, %d rows\n", f.File, f.Format, f.Rows)
	}
	if d.MeterDays == 0 {
		fmt.Fprintln(w, "The files hold no meter-day.")
		return
	}
	what := "imported"
	if d.DryRun {
		what = "would be imported"
	}
	fmt.Fprintf(w, "%d meter-days of %d meters %s, %s to %s, %d intervals, in %.1f s (%.0f meter-days/s).\n",
		d.MeterDays, d.Meters, what, d.FirstDay, d.LastDay, d.Intervals, d.Seconds, float64(d.MeterDays)/d.Seconds)
	if len(d.Rules) > 0 {
		fmt.Fprintln(w, "Intervals by validation rule:")
		for _, rule := range slices.Sorted(maps.Keys(d.Rules)) {
			fmt.Fprintf(w, "  %-13s %d\n", rule, d.Rules[rule])
		}
	}
	if d.Duplicates > 0 {
		fmt.Fprintf(w, "%d meter-days came more than once; the first of each counts.\n", d.Duplicates)
	}
	if d.UnknownMeters > 0 {
		fmt.Fprintf(w, "%d meters are not in the registry.\n", d.UnknownMeters)
	}
}
