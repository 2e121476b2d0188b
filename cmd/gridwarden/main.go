// Command gridwarden is the abnormal-use desk of an electricity distributor:
// it polls transformers and meters, finds customers whose use is not what
// they applied for, and keeps the cases that follow.
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
	_ "time/tzdata" // site zones must load on machines without a zone database

	"github.com/spf13/cobra"
)

// version is set by the linker.
var version = "dev"

// Exit codes of DESIGN: 0 fine, 1 failed, 2 usage or configuration.
const (
	exitFailed = 1
	exitUsage  = 2
)

// badInput marks an error in what the user gave: arguments, configuration, files.
type badInput struct{ err error }

// Error returns the message of the marked error.
func (b badInput) Error() string { return b.err.Error() }

// Unwrap returns the marked error.
func (b badInput) Unwrap() error { return b.err }

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	// A second signal ends the program at once: the first one is taken away
	// from the handler as soon as it was seen.
	go func() {
		<-ctx.Done()
		stop()
	}()

	// Libraries that log through the standard logger are heard from warnings on.
	slog.SetDefault(slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))

	root := newRoot()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var input badInput
	switch {
	case err == nil:
		return 0
	case errors.As(err, &input):
		fmt.Fprintln(stderr, err)
		return exitUsage
	default:
		fmt.Fprintln(stderr, "gridwarden:", err)
		return exitFailed
	}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "gridwarden",
		Short: "Finds electricity customers whose use is not what they applied for",
		Long: `Gridwarden polls transformers and smart meters, builds each meter's daily curve,
lets detectors look for hidden mining, tariff misuse, overload and theft, and
opens cases that people decide.`,
		Example: `  gridwarden demo                      a simulated district with everything running
  gridwarden check -c gridwarden.yaml  validate a configuration
  gridwarden run -c gridwarden.yaml    run it
  gridwarden scan --registry DIR --readings FILE   analyse an export, store nothing`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return badInput{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	root.AddCommand(
		newDemo(), newRun(), newCheck(), newScan(), newProbe(), newDevices(),
		newPlugins(), newStream(), newCluster(), newCases(), newUsers(), newRegistry(), newOPCUA(), newHistorian(), newVersion(),
		newImport(), newReadings(), newReplay(), newRisk(), newBackup(), newRestore(), newWatchlist(),
	)
	argumentsAreInput(root)
	return root
}

// argumentsAreInput makes wrong arguments of any command exit with exitUsage.
func argumentsAreInput(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(c *cobra.Command, args []string) error {
			if err := check(c, args); err != nil {
				return badInput{fmt.Errorf("%w; see `%s --help`", err, c.CommandPath())}
			}
			return nil
		}
	}
	for _, sub := range cmd.Commands() {
		argumentsAreInput(sub)
	}
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Example: "  gridwarden version",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "gridwarden", version)
			return err //nolint:wrapcheck // the terminal's own error says it all
		},
	}
}
