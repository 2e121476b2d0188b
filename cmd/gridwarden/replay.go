package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/plugins/builtin"
)

// replayFlags are those of the command.
type replayFlags struct {
	file, caseID string
	options      host.ReplayOptions
	candidate    host.Candidate
	from, to     string
	days         int
	asJSON       bool
}

func newReplay() *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay -c FILE (--case ID | --detector NAME)",
		Short: "Judge stored days again: a case's findings, or a detector's new version",
		Long: `With --case it takes each finding of the case, the program that made it and the
curves as they were stored then, judges again, and says whether the finding is
the same bit for bit. Where something of then is gone it is named: the program,
its configuration, the registry, the day that changed.

With --detector it runs a candidate over past days beside what runs now and
prints the difference: findings that are new, gone or changed, and the cases
that would open or not. The candidate is a program with its checksum, or the
configured detector taken out of shadow mode.

It reads beside a running host and stores nothing.`,
		Example: `  gridwarden replay -c gridwarden.yaml --case C-2026-0001
  gridwarden replay -c gridwarden.yaml --case C-2026-0001 --current-data
  gridwarden replay -c gridwarden.yaml --detector night_load --plugin ./night_load --sha256 6b1f… --days 60`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return replay(cmd.Context(), cmd.OutOrStdout(), &f) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.file, "config", "c", "gridwarden.yaml", configFlagHelp)
	flags.StringVar(&f.caseID, "case", "", "case whose findings are judged again")
	flags.BoolVar(&f.options.WithCurrent, "with-current", false, "take the present program where that of then is missing")
	flags.BoolVar(&f.options.CurrentData, "current-data", false, "take the curves as they are now, with what came since")
	flags.StringVar(&f.candidate.Detector, "detector", "", "detector whose candidate is tried")
	flags.StringVar(&f.candidate.Plugin, "plugin", "", "program of the candidate")
	flags.StringVar(&f.candidate.SHA256, "sha256", "", "checksum of the candidate's program; without --plugin one that is kept")
	flags.StringVar(&f.from, "from", "", "first day, YYYY-MM-DD")
	flags.StringVar(&f.to, "to", "", "last day, YYYY-MM-DD; without it the last one stored")
	flags.IntVar(&f.days, "days", 0, "so many days, instead of --from; without either those of a nightly run")
	flags.BoolVar(&f.asJSON, "json", false, "print one JSON document")
	return cmd
}

// errNotSame says that a finding is not what it was.
var errNotSame = errors.New("not every finding is the same bit for bit; what differs stands above")

func replay(ctx context.Context, w io.Writer, f *replayFlags) (err error) {
	if err := f.check(); err != nil {
		return badInput{err}
	}
	cfg, err := config.Load(f.file)
	if err != nil {
		return badInput{err}
	}
	var names []string
	for _, d := range builtin.Detectors() {
		names = append(names, d.Describe().Name)
	}
	r, err := host.OpenReplayer(ctx, cfg, names, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if f.caseID != "" {
		list, err := r.Case(ctx, f.caseID, f.options)
		if err != nil {
			return err
		}
		return printCaseReplays(w, list, f.asJSON)
	}
	c, err := r.Detector(ctx, f.candidate)
	if err != nil {
		return err
	}
	return printComparison(w, c, f.asJSON)
}

// check holds the flags against each other and reads the days.
func (f *replayFlags) check() (err error) {
	c := &f.candidate
	if (f.caseID == "") == (c.Detector == "") {
		return errors.New("give either --case ID or --detector NAME")
	}
	if f.caseID != "" && (c.Plugin != "" || c.SHA256 != "" || f.from != "" || f.to != "" || f.days != 0) {
		return errors.New("--plugin, --sha256, --from, --to and --days belong to --detector; a case has its own program and days")
	}
	if c.Detector != "" && (f.options.WithCurrent || f.options.CurrentData) {
		return errors.New("--with-current and --current-data belong to --case; a candidate is tried on current data anyway")
	}
	if f.days < 0 || f.days > 0 && f.from != "" {
		return errors.New("give --from or a positive number of --days, not both")
	}
	c.Days = f.days
	if c.First, err = dayFlag("--from", f.from); err != nil {
		return err
	}
	if c.Last, err = dayFlag("--to", f.to); err != nil {
		return err
	}
	if c.Last != 0 && c.First > c.Last {
		return fmt.Errorf("--from %s is after --to %s", f.from, f.to)
	}
	return nil
}

// dayFlag reads a day; empty is 0.
func dayFlag(flag, text string) (curve.Date, error) {
	if text == "" {
		return 0, nil
	}
	day, err := curve.ParseDate(text)
	if err != nil {
		return 0, fmt.Errorf("%s %q is no day; write YYYY-MM-DD", flag, text)
	}
	return day, nil
}

func printCaseReplays(w io.Writer, list []host.CaseReplay, asJSON bool) error {
	same := true
	for i := range list {
		same = same && list[i].Replayed != nil && list[i].Replayed.Same
	}
	if asJSON {
		if err := printJSON(w, list); err != nil {
			return err
		}
	} else {
		for i := range list {
			printCaseReplay(w, &list[i])
		}
	}
	if !same {
		return errNotSame
	}
	return nil
}

func printCaseReplay(w io.Writer, r *host.CaseReplay) {
	fmt.Fprintf(w, "%s  %s on %s, by %s %s\n", r.FindingID, r.Reason, r.Subject, r.Stamp.Detector, r.Stamp.Version)
	if !r.RunAt.IsZero() {
		fmt.Fprintf(w, "  run %s of %s\n", r.RunID, r.RunAt.Format("2006-01-02 15:04:05 MST"))
	}
	if r.Error != "" {
		fmt.Fprintf(w, "  cannot be judged again: %s\n", r.Error)
		return
	}
	data := "now"
	if !r.AsOf.IsZero() {
		data = "as stored at " + r.AsOf.Format("2006-01-02 15:04:05 MST")
	}
	if r.Replayed.Same {
		fmt.Fprintf(w, "  the same, bit for bit (curves %s, program %.12s)\n", data, r.Stamp.SHA256)
	} else {
		fmt.Fprintf(w, "  NOT the same (curves %s)\n", data)
	}
	for _, d := range r.Replayed.Differences {
		fmt.Fprintf(w, "  differs: %s\n    then %s\n    now  %s\n", d.What, d.Then, d.Now)
	}
	printChanges(w, r.Replayed.Changes, len(r.Replayed.Changes))
}

func printComparison(w io.Writer, c *detect.Comparison, asJSON bool) error {
	if asJSON {
		return printJSON(w, c)
	}
	name := func(s detect.Stamp) string {
		if s.Detector == "" {
			return "nothing, or in shadow mode"
		}
		return fmt.Sprintf("%s (%.12s)", s.Version, s.SHA256)
	}
	fmt.Fprintf(w, "%s: %s against %s\n", c.Detector, name(c.Then), name(c.Now))
	fmt.Fprintf(w, "findings: %d alike, %d new, %d gone, %d changed\n", c.Same, c.New, c.Gone, c.Changed)
	fmt.Fprintf(w, "risk at or above %.2f, where cases open: %d points either way, %d now and not before, %d no more\n", c.Threshold, c.StillOpen, len(c.Opens), len(c.NoMore))
	for _, p := range c.Opens {
		fmt.Fprintf(w, "  would open     %s  risk %.3f, was %.3f\n", p.UsagePointID, p.Now, p.Then)
	}
	for _, p := range c.NoMore {
		fmt.Fprintf(w, "  would not open %s  risk %.3f, was %.3f\n", p.UsagePointID, p.Now, p.Then)
	}
	const shown = 50
	printChanges(w, c.Changes, shown)
	if more := len(c.Changes) - shown; more > 0 {
		fmt.Fprintf(w, "  and %d more; --json has them all\n", more)
	}
	return nil
}

// printChanges prints the first so many changes.
func printChanges(w io.Writer, list []detect.Change, most int) {
	for i := range list[:min(len(list), most)] {
		c := &list[i]
		switch c.What {
		case detect.ChangeNew:
			fmt.Fprintf(w, "  new      %s %s  %s, probability %.3f\n", c.Kind, c.Subject, c.Reason, c.Now.Probability)
		case detect.ChangeGone:
			fmt.Fprintf(w, "  gone     %s %s  %s, probability was %.3f\n", c.Kind, c.Subject, c.Reason, c.Then.Probability)
		default:
			fmt.Fprintf(w, "  changed  %s %s  %s\n", c.Kind, c.Subject, c.Reason)
			for _, f := range c.Fields {
				fmt.Fprintf(w, "             %s: %s → %s\n", f.What, orNothing(f.Then), orNothing(f.Now))
			}
		}
	}
}

func orNothing(s string) string {
	if s == "" {
		return "(nothing)"
	}
	return s
}
