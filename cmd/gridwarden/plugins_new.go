package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/plugins/builtin"
	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/kit"
)

func newPluginsNew() *cobra.Command {
	var o kit.Options
	var scope string
	cmd := &cobra.Command{
		Use:   "new NAME",
		Short: "Make the beginning of a detector: a project that compiles, is tested and runs",
		Long: `Makes a project outside Gridwarden's own sources with a small real detector, its
tests and the steps to test, build, sign and admit it. It needs nothing but the
SDK (plugins/sdk) and Go's standard library.

The scope says what the detector is given at a time: a batch of usage points of
which each is judged by itself, a transformer with all points behind it, or the
whole fleet.`,
		Example: `  gridwarden plugins new night_load
  gridwarden plugins new night_load --scope fleet --module example.org/detectors/night_load
  gridwarden plugins new night_load --sdk ../gridwarden    build against sources at hand`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			o.Name, o.Scope, o.Version = args[0], sdk.Scope(scope), version
			if o.Dir == "" {
				o.Dir = o.Name
			}
			for _, d := range builtin.Detectors() {
				if d.Describe().Name == o.Name {
					return badInput{fmt.Errorf("%q is the name of a built-in detector; choose another", o.Name)}
				}
			}
			files, err := kit.New(o)
			if err != nil {
				return badInput{err}
			}
			_, err = fmt.Fprint(cmd.OutOrStdout(), madeProject(o, files))
			return err //nolint:wrapcheck // the terminal's own error says it all
		},
	}
	cmd.Flags().StringVar(&o.Dir, "dir", "", "folder to make; without it one with the detector's name")
	cmd.Flags().StringVar(&scope, "scope", string(sdk.ScopeUsagePoint), "usage_point, transformer_area or fleet")
	cmd.Flags().StringVar(&o.Module, "module", "", "path of the Go module; without it example.org/NAME")
	cmd.Flags().StringVar(&o.SDK, "sdk", "", "folder of Gridwarden's sources to build against, instead of a released version")
	return cmd
}

// madeProject says what was made and how to go on.
func madeProject(o kit.Options, files []string) string {
	var b strings.Builder
	for _, f := range files {
		fmt.Fprintln(&b, filepath.Join(o.Dir, filepath.FromSlash(f)))
	}
	fmt.Fprintf(&b, "\nGo on there: the detector is %s, the steps are in README.md.\n\n  cd %s\n", o.Name+".go", o.Dir)
	if o.SDK == "" {
		fmt.Fprintln(&b, "  go mod tidy")
	}
	fmt.Fprintln(&b, "  make test")
	return b.String()
}
