package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/control"
)

func newStreamDead() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "dead",
		Short: "Messages that a consumer could not use: list, show, replay, discard",
		Long: `A message that a consumer cannot use, now or later, is set aside with the reason, so
that it holds up nothing behind it: readings that are refused by the historian or cannot
be decoded, findings and events that make no sense. Once the reason is mended, replay
brings it back to where it came from.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newDeadList(), newDeadShow(), newDeadReplay(), newDeadDiscard())
	return cmd
}

func newDeadList() *cobra.Command {
	var f runningFlags
	var topic string
	var after uint64
	var limit int
	cmd := &cobra.Command{
		Use:   "list -c FILE",
		Short: "List the dead letters, oldest first",
		Example: `  gridwarden stream dead list -c gridwarden.yaml
  gridwarden stream dead list -c gridwarden.yaml --topic READINGS --limit 20
  gridwarden stream dead list -c gridwarden.yaml --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 {
				return badInput{fmt.Errorf("--limit %d: give 1 or more", limit)}
			}
			return withStream(cmd.Context(), &f, func(s control.StreamService, location *time.Location) error {
				letters := make([]control.DeadLetter, 0)
				more, err := eachLetter(cmd.Context(), s, after, topic, func(l control.DeadLetter) bool {
					if len(letters) == limit {
						return false
					}
					letters = append(letters, l)
					return true
				})
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), letters)
				}
				return listLetters(cmd.OutOrStdout(), letters, more, location, time.Now())
			})
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&topic, "topic", "", "only letters of this topic: READINGS, METER_DAYS, FINDINGS, CASE_EVENTS or WORK")
	cmd.Flags().Uint64Var(&after, "after", 0, "only letters after this number")
	cmd.Flags().IntVar(&limit, "limit", 100, "how many at most")
	return cmd
}

// eachLetter calls fn for the letters of a topic, or of all where it is "",
// until there are no more or fn returns false; then stopped is true.
func eachLetter(ctx context.Context, s control.StreamService, after uint64, topic string, fn func(control.DeadLetter) bool) (stopped bool, err error) {
	for {
		page, err := s.DeadLetters(ctx, after, control.MaxLetters)
		if err != nil {
			return false, err
		}
		for i := range page {
			if after = page[i].Seq; (topic == "" || strings.EqualFold(page[i].Topic, topic)) && !fn(page[i]) {
				return true, nil
			}
		}
		if len(page) < control.MaxLetters {
			return false, nil
		}
	}
}

func listLetters(w io.Writer, letters []control.DeadLetter, more bool, location *time.Location, now time.Time) error {
	if len(letters) == 0 {
		_, err := fmt.Fprintln(w, "No dead letters.")
		return err //nolint:wrapcheck // the terminal's own error says it all
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "NUMBER\tSET ASIDE\tTOPIC\tCONSUMER\tSIZE\tREASON")
	for i := range letters {
		l := &letters[i]
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\n", l.Seq, moment(l.Time, now, location), l.Topic, l.Consumer, size(uint64(l.Bytes)), shortened(l.Reason, 90))
	}
	if err := t.Flush(); err != nil {
		return err //nolint:wrapcheck // the terminal's own error says it all
	}
	if more {
		fmt.Fprintf(w, "There are more; go on with --after %d.\n", letters[len(letters)-1].Seq)
	}
	return nil
}

func newDeadShow() *cobra.Command {
	var f runningFlags
	cmd := &cobra.Command{
		Use:   "show NUMBER -c FILE",
		Short: "Show a dead letter with its reason and content",
		Long: `Shows a dead letter: where it came from, who could not use it and why, and its content:
readings with device, meter, quantity, value, time and quality, or a JSON document.`,
		Example: `  gridwarden stream dead show 17 -c gridwarden.yaml
  gridwarden stream dead show 17 -c gridwarden.yaml --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			numbers, err := letterNumbers(args)
			if err != nil {
				return err
			}
			return withStream(cmd.Context(), &f, func(s control.StreamService, location *time.Location) error {
				l, err := s.DeadLetter(cmd.Context(), numbers[0])
				if err != nil {
					return err
				}
				if f.json {
					return printJSON(cmd.OutOrStdout(), l)
				}
				return showLetter(cmd.OutOrStdout(), l, location, time.Now())
			})
		},
	}
	f.add(cmd)
	return cmd
}

func showLetter(w io.Writer, l *control.DeadLetter, location *time.Location, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, fact := range [][2]string{
		{"Number", strconv.FormatUint(l.Seq, 10)}, {"Set aside", moment(l.Time, now, location)}, {"Topic", l.Topic}, {"Subject", l.Subject},
		{"Id", dash(l.ID)}, {"Consumer", l.Consumer}, {"Reason", l.Reason}, {"Size", size(uint64(l.Bytes))},
	} {
		fmt.Fprintf(t, "%s\t%s\n", fact[0], fact[1])
	}
	if err := t.Flush(); err != nil {
		return err //nolint:wrapcheck // the terminal's own error says it all
	}
	fmt.Fprintln(w)
	switch {
	case len(l.JSON) > 0:
		return printJSON(w, l.JSON)
	case l.Undecoded != "":
		_, err := fmt.Fprintf(w, "The content cannot be shown: %s. It begins with\n%s\n", l.Undecoded, l.Hex)
		return err //nolint:wrapcheck // the terminal's own error says it all
	}
	fmt.Fprintln(t, "DEVICE\tMETER\tQUANTITY\tVALUE\tUNIT\tTIME\tQUALITY")
	for i := range l.Readings {
		r := &l.Readings[i]
		value, quality, at := "-", r.Quality, r.EventTime
		if r.Value != nil {
			value = significant(*r.Value)
		}
		if len(r.Flags) > 0 {
			quality += " (" + strings.Join(r.Flags, ", ") + ")"
		}
		if at.IsZero() {
			at = r.ReceiveTime
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Device, r.Meter, r.Quantity, value, dash(r.Unit), at.In(location).Format("2006-01-02 15:04:05.000"), quality)
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}

// letterNumbers reads arguments that number dead letters.
func letterNumbers(args []string) ([]uint64, error) {
	out := make([]uint64, len(args))
	for i, arg := range args {
		n, err := strconv.ParseUint(arg, 10, 64)
		if err != nil || n == 0 {
			return nil, badInput{fmt.Errorf("%q is not the number of a dead letter; `gridwarden stream dead list` shows them", arg)}
		}
		out[i] = n
	}
	return out, nil
}

func newDeadReplay() *cobra.Command {
	return letterCommand(&cobra.Command{
		Use:   "replay NUMBER… | --all -c FILE",
		Short: "Publish dead letters again where they came from",
		Long: `Publishes dead letters again on the subject that they came from, for every consumer of
their topic, and discards each once it is stored there. What a consumer has used already
it sees again, which it must bear anyhow. A letter that still cannot be used becomes a
dead letter again.`,
		Example: `  gridwarden stream dead replay 17 18 -c gridwarden.yaml
  gridwarden stream dead replay --all --topic READINGS -c gridwarden.yaml`,
	}, "Replayed", control.StreamService.ReplayDead)
}

func newDeadDiscard() *cobra.Command {
	return letterCommand(&cobra.Command{
		Use:   "discard NUMBER… | --all -c FILE",
		Short: "Remove dead letters for good",
		Example: `  gridwarden stream dead discard 17 18 -c gridwarden.yaml
  gridwarden stream dead discard --all --topic WORK -c gridwarden.yaml`,
	}, "Discarded", control.StreamService.DiscardDead)
}

// letterCommand makes cmd do something with the letters named, or with all.
func letterCommand(cmd *cobra.Command, done string, do func(control.StreamService, context.Context, uint64) error) *cobra.Command {
	var f runningFlags
	var everything bool
	var topic string
	cmd.Args = cobra.ArbitraryArgs // or --all
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return onLetters(cmd, &f, args, everything, topic, done, do)
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&everything, "all", false, "all letters there are now")
	cmd.Flags().StringVar(&topic, "topic", "", "with --all: only letters of this topic")
	return cmd
}

// onLetters does something with the letters named, or with all.
func onLetters(cmd *cobra.Command, f *runningFlags, args []string, everything bool, topic, done string, do func(control.StreamService, context.Context, uint64) error) error {
	numbers, err := letterNumbers(args)
	if err != nil {
		return err
	}
	switch {
	case everything == (len(numbers) > 0):
		return badInput{errors.New("give the numbers of dead letters, or --all")}
	case topic != "" && !everything:
		return badInput{errors.New("--topic goes with --all")}
	}
	return withStream(cmd.Context(), f, func(s control.StreamService, _ *time.Location) error {
		if everything {
			// Those of now: a letter that fails again comes back as a new one.
			if _, err := eachLetter(cmd.Context(), s, 0, topic, func(l control.DeadLetter) bool {
				numbers = append(numbers, l.Seq)
				return true
			}); err != nil {
				return err
			}
		}
		finished := make([]uint64, 0, len(numbers))
		var failed error
		for _, seq := range numbers {
			if failed = do(s, cmd.Context(), seq); failed != nil {
				break
			}
			finished = append(finished, seq)
		}
		if errors.Is(failed, control.ErrNotRunning) {
			return failed
		}
		if f.json {
			err = printJSON(cmd.OutOrStdout(), map[string][]uint64{strings.ToLower(done): finished})
		} else {
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s %d of %d dead letters.\n", done, len(finished), len(numbers))
		}
		return errors.Join(failed, err)
	})
}
