package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

func newPluginsConform() *cobra.Command {
	return &cobra.Command{
		Use:   "conform PROGRAM",
		Short: "Hold a plugin's program against what a host relies on, over the wire",
		Long: `Starts the program as a host does, in whatever language it is written, and has it
judge windows that a host may well send: none, one and many subjects, missing
data, impossible values, days cut by the clock. It says nothing of whether what
the plugin finds is right, and needs no signature.`,
		Example: `  gridwarden plugins conform plugin/night_load`,
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return conform(cmd.Context(), cmd.OutOrStdout(), args[0])
		},
	}
}

// errConform says that a plugin does not keep to the contract.
var errConform = errors.New("it does not conform; what is wrong stands above")

func conform(ctx context.Context, w io.Writer, path string) error {
	var words bytes.Buffer // read after Close, when nobody writes any more
	program, err := sdktest.Start(ctx, path, &words)
	if err != nil {
		return badInput{fmt.Errorf("%w%s", err, lastWords(&words))}
	}
	failed, err := conformAll(ctx, w, program)
	program.Close()
	switch {
	case err != nil:
		return err
	case failed:
		fmt.Fprint(w, lastWords(&words))
		return errConform
	}
	_, err = fmt.Fprintln(w, "it conforms")
	return err //nolint:wrapcheck // the terminal's own error says it all
}

// conformAll runs every check on every detector of the program.
func conformAll(ctx context.Context, w io.Writer, program *sdktest.Program) (failed bool, err error) {
	detectors, err := program.Detectors()
	if err != nil {
		return false, err
	}
	for _, d := range detectors {
		description := d.Describe()
		fmt.Fprintf(w, "%s %s, %s: %s\n", description.Name, description.Version, description.Scope, description.Summary)
		for _, check := range sdktest.ProgramChecks() {
			if err := ctx.Err(); err != nil {
				return false, fmt.Errorf("interrupted: %w", err)
			}
			failed = !passes(w, check, d) || failed
		}
	}
	return failed, nil
}

func passes(w io.Writer, check sdktest.Check, d sdk.Detector) bool {
	if err := check.Run(d); err != nil {
		fmt.Fprintf(w, "  FAIL  %s: %s\n", check.Name, strings.ReplaceAll(strings.TrimSpace(err.Error()), "\n", "\n        "))
		return false
	}
	fmt.Fprintf(w, "  ok    %s\n", check.Name)
	return true
}

// lastWords are the end of what the program wrote to stderr.
func lastWords(words *bytes.Buffer) string {
	text := strings.TrimSpace(words.String())
	if text == "" {
		return ""
	}
	lines := strings.Split(text, "\n")
	return "\nits last words:\n  " + strings.Join(lines[max(0, len(lines)-10):], "\n  ") + "\n"
}
