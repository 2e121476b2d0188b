package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/control"
	"github.com/gridwarden/gridwarden/internal/host"
)

// newStream is the parent of the commands about the stream.
func newStream() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stream",
		Short: "What waits between the stages: how much, for whom, and what nobody could use",
		Long: `Shows the stream in which readings and what is made of them wait between the stages,
and the dead letters: messages that a consumer could not use, with the reason.

The program that runs with the data folder is asked. Where none runs, the servers of
stream.url are, or the files in the data folder are opened for the moment.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStreamStatus(), newStreamDead())
	return cmd
}

// withStream calls fn with the stream of the running program, or with the
// stream itself where none runs.
func withStream(ctx context.Context, f *runningFlags, fn func(s control.StreamService, location *time.Location) error) error {
	r, err := f.find()
	if err != nil {
		return err
	}
	err = fn(r.Client, r.location)
	switch {
	case errors.Is(err, control.ErrNoLetter):
		return badInput{err}
	case !errors.Is(err, control.ErrNotRunning):
		return err
	}
	cfg, err := f.stored()
	if err != nil {
		return err
	}
	desk, err := host.OpenStreamDesk(ctx, cfg)
	if err != nil {
		return err
	}
	defer desk.Close()
	if err := fn(desk, r.location); errors.Is(err, control.ErrNoLetter) {
		return badInput{err}
	} else if err != nil {
		return err
	}
	return nil
}

// stored is the configuration to look with while no program runs.
func (f *runningFlags) stored() (*config.Config, error) {
	if f.dir != "" {
		cfg := config.Default()
		cfg.DataDir = f.dir
		return &cfg, nil
	}
	file := f.config
	if file == "" {
		file = "gridwarden.yaml"
	}
	cfg, err := config.Load(file)
	if err != nil {
		return nil, badInput{err}
	}
	return cfg, nil
}

func newStreamStatus() *cobra.Command {
	var f runningFlags
	cmd := &cobra.Command{
		Use:   "status -c FILE",
		Short: "How full each topic is, how far its consumers have come, what is in danger",
		Long: `Lists every topic: how much it holds of what it may hold, its oldest message, and for
each consumer how many messages it has not worked off. A consumer is in danger when
messages that it has not read will soon be dropped for age or size. Then what an
acknowledged reading survives, and the links of leaf nodes to their hub.

Exit codes: 0 nothing is in danger, 1 something is, or it could not be found out.`,
		Example: `  gridwarden stream status -c gridwarden.yaml
  gridwarden stream status -c gridwarden.yaml --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStream(cmd.Context(), &f, func(s control.StreamService, location *time.Location) error {
				topics, err := s.Topics(cmd.Context())
				if err != nil {
					return err
				}
				deployment, err := s.Deployment(cmd.Context())
				if err != nil {
					return err
				}
				if f.json {
					err = printJSON(cmd.OutOrStdout(), streamStatus{*deployment, topics})
				} else {
					err = errors.Join(
						showTopics(cmd.OutOrStdout(), topics, location, time.Now()),
						showDeployment(cmd.OutOrStdout(), deployment))
				}
				return errors.Join(err, inDanger(topics))
			})
		},
	}
	f.add(cmd)
	return cmd
}

func showTopics(w io.Writer, topics []control.Topic, location *time.Location, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TOPIC\tMESSAGES\tHOLDS\tAT MOST\tOLDEST\tAT MOST\tREPLICAS\tCONSUMER\tBACKLOG\tDANGER")
	for i := range topics {
		s := &topics[i]
		fmt.Fprintf(t, "%s\t%d\t%s\t%s\t%s\t%s\t%d", s.Topic, s.Messages, size(s.Bytes), size(uint64(max(s.MaxBytes, 0))),
			oldest(s.Oldest, now, location), seconds(s.MaxAgeS), s.Replicas)
		if len(s.Consumers) == 0 {
			fmt.Fprintln(t, "\t-\t-\t-")
		}
		for k, c := range s.Consumers {
			if k > 0 {
				fmt.Fprint(t, "\t\t\t\t\t\t")
			}
			fmt.Fprintf(t, "\t%s\t%d\t%s\n", c.Name, c.Backlog, dash(c.Danger))
		}
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}

// streamStatus is what status prints as JSON.
type streamStatus struct {
	control.Deployment
	Topics []control.Topic `json:"topics"`
}

// showDeployment writes the guarantee and the links.
func showDeployment(w io.Writer, d *control.Deployment) error {
	fmt.Fprintf(w, "\nGuarantee: %s.\n", d.Guarantee)
	if len(d.Links) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nLINK\tCONNECTED\tWAITING\tPROBLEM")
	for _, l := range d.Links {
		connected, about := "no", ""
		if l.Connected {
			connected = "yes"
		}
		if !l.Exact && l.Waiting > 0 {
			about = "about "
		}
		fmt.Fprintf(t, "%s\t%s\t%s%d\t%s\n", l.Name, connected, about, l.Waiting, dash(l.Problem))
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}

// oldest writes when the oldest message came; "-" where there is none.
func oldest(at, now time.Time, location *time.Location) string {
	if at.IsZero() {
		return "-"
	}
	return moment(at, now, location)
}

// size writes bytes with the unit that fits.
func size(n uint64) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GB", float64(n)/(1<<30))
}

// inDanger is an error where unread messages will soon be dropped.
func inDanger(topics []control.Topic) error {
	var problems []error
	for i := range topics {
		for _, c := range topics[i].Consumers {
			if c.Danger != "" {
				problems = append(problems, fmt.Errorf("%s: unread messages of %s will soon be dropped: %s; bring it back, or raise stream.retention", topics[i].Topic, c.Name, c.Danger))
			}
		}
	}
	return errors.Join(problems...)
}
