// Command gridsim is the simulated district: it exports its records and load
// history, serves its meters live, and prints its statistics and its truth.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/sim"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The OPC UA library chats through package log, which ends up at slog's Info.
	slog.SetDefault(slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr, time.Now)
	stop()
	os.Exit(code)
}

// usageError is an error in what the user asked for: exit code 2.
type usageError struct{ error }

func run(ctx context.Context, args []string, stdout, stderr io.Writer, now func() time.Time) int {
	root := newRoot(now)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return 0
	}
	fmt.Fprintln(stderr, "gridsim:", err)
	if usage := (usageError{}); errors.As(err, &usage) {
		return 2
	}
	return 1
}

func newRoot(now func() time.Time) *cobra.Command {
	root := &cobra.Command{
		Use:   "gridsim",
		Short: "A simulated distribution district with planted stories of abnormal use",
		Long: `gridsim is a district of one 35/10 kV substation, four feeders, forty transformers
and a thousand usage points. Eleven of its customers do what they should not; the
same seed gives the same district, to the last digit. All times are UTC.`,
		Example: `  gridsim export --out /tmp/district          # 60 days that end yesterday
  gridsim export --out /tmp/june --seed 7 --until 2026-06-30 --days 90
  gridsim truth --seed 7                      # what is planted where
  gridsim stats --compare households.csv      # beside real households
  gridsim serve --base-port 15020             # Modbus TCP and OPC UA, until Ctrl-C`,
		SilenceUsage: true, SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error { return noArgs(args) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cmd.Help(); err != nil {
				return fmt.Errorf("help: %w", err)
			}
			return nil
		},
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	d := &districtFlags{now: now}
	root.PersistentFlags().Int64Var(&d.seed, "seed", 1, "which district")
	root.PersistentFlags().StringVar(&d.until, "until", "", "last day of the history, YYYY-MM-DD (default: yesterday)")
	root.PersistentFlags().IntVar(&d.days, "days", 60, "days of history")
	root.AddCommand(newExport(d), newServe(d), newStats(d), newTruth(d))
	return root
}

func noArgs(args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%q is not known; see gridsim --help", args[0])}
	}
	return nil
}

// districtFlags say which district.
type districtFlags struct {
	seed  int64
	until string
	days  int
	now   func() time.Time
}

func (f *districtFlags) district() (*sim.District, error) {
	until := curve.DateOf(f.now().UTC()) - 1
	if f.until != "" {
		var err error
		if until, err = curve.ParseDate(f.until); err != nil {
			return nil, usageError{fmt.Errorf("--until: %w", err)}
		}
	}
	d, err := sim.New(sim.Config{Seed: f.seed, Until: until, Days: f.days})
	if err != nil {
		return nil, usageError{err}
	}
	return d, nil
}
