package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/registry"
	"github.com/gridwarden/gridwarden/internal/textfile"
)

// recordsImport is one import of registry files.
type recordsImport struct {
	config string
	dryRun bool
	json   bool
}

func (f *recordsImport) flags(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.config, "config", "c", "gridwarden.yaml", configFlagHelp)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "read and check everything, change nothing")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the report as one JSON document")
}

func newImportRegistry() *cobra.Command {
	var f recordsImport
	cmd := &cobra.Command{
		Use:   "registry DIR -c FILE",
		Short: "Replace the records by those of a folder",
		Long: `Reads transformers.csv, customers.csv, usage_points.csv and the optional files of DIR
and puts them in place of those in the configured registry folder, at once; files that
DIR does not have stay. Without a registry folder in the configuration they replace the
records in the database. The records are read as a whole first: where anything is wrong,
nothing changes. A running program takes them up when it starts next.`,
		Example: `  gridwarden import registry new-records -c gridwarden.yaml
  gridwarden import registry new-records --dry-run -c gridwarden.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), func(cfg *config.Config) ([]string, error) {
				files, err := registry.Files(args[0])
				if err == nil && len(files) == 0 {
					err = fmt.Errorf("%s holds no registry file; name the folder that holds transformers.csv, customers.csv and usage_points.csv", args[0])
				}
				if own, given := absolute(cfg.Registry), absolute(args[0]); err == nil && cfg.Registry != "" && own == given {
					err = fmt.Errorf("%s is the registry folder itself; `gridwarden check` validates it", args[0])
				}
				return files, err
			})
		},
	}
	f.flags(cmd)
	return cmd
}

func newImportWatchlist() *cobra.Command {
	var f recordsImport
	cmd := &cobra.Command{
		Use:   "watchlist FILE -c FILE",
		Short: "Replace the list of watched addresses",
		Long: `Puts FILE, named watchlist.csv (also .gz or .zst), in place of the registry folder's
watchlist, at once. The whole registry is read with the new file in it first: where
anything is wrong, nothing changes. A running program takes it up when it starts next.`,
		Example: `  gridwarden import watchlist lists/watchlist.csv -c gridwarden.yaml
  gridwarden import watchlist lists/watchlist.csv --dry-run -c gridwarden.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), func(cfg *config.Config) ([]string, error) {
				switch {
				case cfg.Registry == "":
					return nil, errors.New("the configuration names no registry folder; name it with registry:, or import a whole folder with `gridwarden import registry`")
				case textfile.BaseName(filepath.Base(args[0])) != "watchlist.csv":
					return nil, fmt.Errorf("%s: name the file watchlist.csv, watchlist.csv.gz or watchlist.csv.zst", args[0])
				}
				return args, nil
			})
		},
	}
	f.flags(cmd)
	return cmd
}

// absolute is for comparing folders; a path that has no absolute form stays.
func absolute(path string) string {
	if full, err := filepath.Abs(path); err == nil {
		path = full
	}
	if resolved, err := filepath.EvalSymlinks(path); err == nil {
		path = resolved
	}
	return path
}

// run replaces the files that choose names.
func (f *recordsImport) run(ctx context.Context, stdout, stderr io.Writer, choose func(*config.Config) ([]string, error)) error {
	cfg, err := config.Load(f.config)
	if err != nil {
		return badInput{err}
	}
	files, err := choose(cfg)
	if err != nil {
		return badInput{err}
	}
	reference, err := host.LoadReference()
	if err != nil {
		return err
	}
	network, report, err := f.replace(ctx, cfg, reference, files)
	var problems *textfile.Problems
	var problem textfile.Problem
	switch {
	case errors.As(err, &problems):
		for _, p := range problems.List() {
			fmt.Fprintln(stderr, p)
		}
		return badInput{fmt.Errorf("%d problems were found; nothing was imported", problems.Len())}
	case errors.As(err, &problem):
		return badInput{err}
	case err != nil:
		return err
	}
	if f.json {
		return writeJSON(stdout, newRecordsDocument(network, report, f.dryRun))
	}
	newProgressLine(stderr).warn(report.Warnings...)
	what := "Imported"
	if f.dryRun {
		what = "In order, nothing was changed"
	}
	fmt.Fprintf(stdout, "%s: %d transformers, %d customers, %d usage points, %d watched addresses.\n", what,
		len(network.Transformers), len(network.Customers), len(network.UsagePoints), len(network.Watchlist))
	if !f.dryRun {
		fmt.Fprintln(stdout, "A running program takes the records up when it starts next.")
	}
	return nil
}

// replace puts files into the registry folder, or their records into the
// database where there is no folder.
func (f *recordsImport) replace(ctx context.Context, cfg *config.Config, reference *host.Reference, files []string) (network *grid.Network, report *registry.Report, err error) {
	options := []registry.Option{registry.WithLocation(cfg.Location()), registry.WithTariffs(reference.Tariffs.IDs())}
	if cfg.Registry != "" {
		return registry.Replace(cfg.Registry, files, f.dryRun, reference.Uses, options...)
	}
	network, report, err = registry.LoadDir(filepath.Dir(files[0]), reference.Uses, options...)
	if err != nil || f.dryRun {
		return network, report, err
	}
	desk, err := host.OpenDesk(ctx, cfg)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, desk.Close()) }()
	return network, report, desk.SaveRecords(ctx, network)
}

// recordsDocument is what --json prints.
type recordsDocument struct {
	DryRun       bool           `json:"dry_run"`
	Transformers int            `json:"transformers"`
	Customers    int            `json:"customers"`
	UsagePoints  int            `json:"usage_points"`
	Watchlist    int            `json:"watchlist"`
	Rows         map[string]int `json:"rows"` // by file
	Warnings     []string       `json:"warnings"`
	WarningCount int            `json:"warning_count"`
}

func newRecordsDocument(n *grid.Network, r *registry.Report, dryRun bool) *recordsDocument {
	return &recordsDocument{
		DryRun: dryRun, Transformers: len(n.Transformers), Customers: len(n.Customers), UsagePoints: len(n.UsagePoints), Watchlist: len(n.Watchlist),
		Rows: r.Rows, Warnings: append([]string{}, r.Warnings...), WarningCount: r.WarningCount(),
	}
}
