package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/host"
)

func newReadings() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "readings",
		Short: "The daily curves of meters: look at them, edit them",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newReadingsShow(), newReadingsEdit(), newReadingsWithdraw())
	return cmd
}

// meterDay reads the arguments METER DATE.
func meterDay(args []string) (meterID string, date curve.Date, err error) {
	date, err = curve.ParseDate(args[1])
	if err != nil {
		return "", 0, badInput{err}
	}
	return args[0], date, nil
}

// dayEdit is `readings edit` or `readings withdraw`.
type dayEdit struct {
	config  string
	at, to  string
	kwh     []float64
	reason  string
	login   string
	asJSON  bool
	meterID string
	date    curve.Date
}

func (e *dayEdit) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVarP(&e.config, "config", "c", "gridwarden.yaml", configFlagHelp)
	flags.StringVar(&e.reason, "reason", "", "why, for those who read the versions later (required)")
	flags.StringVar(&e.login, "as", "", "login of the user who does it (required)")
	flags.BoolVar(&e.asJSON, "json", false, "print the new version as one JSON document")
}

func newReadingsEdit() *cobra.Command {
	var e dayEdit
	cmd := &cobra.Command{
		Use:   "edit METER DATE --at HH:MM --kwh V[,V…] --reason TEXT --as LOGIN -c FILE",
		Short: "Replace intervals of a closed day by values that you vouch for",
		Long: `Gives the interval that begins at HH:MM, and as many after it as there are values, the
energy of each value in kWh. The day becomes a new version with your login and reason;
the versions before stay as they were, and "readings withdraw" goes back to them.

Edited intervals count as uncertain: no case opens on them. They stay when the day is
delivered again or late readings come; what is delivered is kept beside them.

Where a clock change repeats an hour, write the offset too: --at 02:15+01:00.`,
		Example: `  gridwarden readings edit M-88213 2026-03-01 --at 10:15 --kwh 0.4 --reason "read off the display" --as chen.yu
  gridwarden readings edit M-88213 2026-03-01 --at 08:00 --kwh 1.2,1.1,1.3 --reason "the customer's own record" --as lin.wei`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.run(cmd, args, func(ctx context.Context, desk *host.Desk, cfg *config.Config, day *curve.Day) (*curve.Day, error) {
				if e.at == "" || len(e.kwh) == 0 {
					return nil, badInput{errors.New("no value; give --at HH:MM and --kwh")}
				}
				from, err := intervalAt(day, e.at, cfg.Location())
				if err != nil {
					return nil, badInput{fmt.Errorf("--at: %w", err)}
				}
				limits, err := desk.LimitsOf(ctx, cfg, e.meterID, day.Start)
				if err != nil {
					return nil, err
				}
				edit := curve.Edit{MeterID: e.meterID, Date: e.date, From: from, KWh: e.kwh, Author: e.login, Reason: e.reason, Limits: limits}
				return edit.Apply(ctx, desk.Readings())
			})
		},
	}
	e.flags(cmd)
	cmd.Flags().StringVar(&e.at, "at", "", "when the first interval begins, HH:MM local time")
	cmd.Flags().Float64SliceVar(&e.kwh, "kwh", nil, "energy of the interval in kWh; more values for the intervals after it")
	return cmd
}

func newReadingsWithdraw() *cobra.Command {
	var e dayEdit
	cmd := &cobra.Command{
		Use:   "withdraw METER DATE [--at HH:MM [--to HH:MM]] --reason TEXT --as LOGIN -c FILE",
		Short: "Take edits back: the intervals get what they had before",
		Long: `Gives every edited interval of the day, or of the time from --at until before --to, what
was delivered last for it. The day becomes a new version with your login and reason.`,
		Example: `  gridwarden readings withdraw M-88213 2026-03-01 --reason "the wrong meter" --as chen.yu
  gridwarden readings withdraw M-88213 2026-03-01 --at 10:15 --to 11:00 --reason "read again" --as chen.yu`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.run(cmd, args, func(ctx context.Context, desk *host.Desk, cfg *config.Config, day *curve.Day) (*curve.Day, error) {
				from, to, err := e.span(day, cfg.Location())
				if err != nil {
					return nil, badInput{err}
				}
				back := curve.Withdrawal{MeterID: e.meterID, Date: e.date, From: from, To: to, Author: e.login, Reason: e.reason}
				return back.Apply(ctx, desk.Readings())
			})
		},
	}
	e.flags(cmd)
	cmd.Flags().StringVar(&e.at, "at", "", "only from the interval that begins at HH:MM on")
	cmd.Flags().StringVar(&e.to, "to", "", "only until HH:MM (with --at alone, one interval)")
	return cmd
}

// span returns the intervals that --at and --to mean.
func (e *dayEdit) span(day *curve.Day, location *time.Location) (from, to int, err error) {
	to = day.Intervals()
	if e.at != "" {
		if from, err = intervalAt(day, e.at, location); err != nil {
			return 0, 0, fmt.Errorf("--at: %w", err)
		}
		to = from + 1
	}
	if e.to != "" && e.to != "24:00" {
		if to, err = intervalAt(day, e.to, location); err != nil {
			return 0, 0, fmt.Errorf("--to: %w", err)
		}
	} else if e.to != "" {
		to = day.Intervals()
	}
	if from >= to {
		return 0, 0, fmt.Errorf("--to %s is not after --at %s", e.to, e.at)
	}
	return from, to, nil
}

func (e *dayEdit) run(cmd *cobra.Command, args []string, do func(context.Context, *host.Desk, *config.Config, *curve.Day) (*curve.Day, error)) (err error) {
	if e.meterID, e.date, err = meterDay(args); err != nil {
		return err
	}
	if strings.TrimSpace(e.reason) == "" || e.login == "" {
		return badInput{errors.New("give --reason and --as: who edits readings says why")}
	}
	return withDesk(cmd.Context(), e.config, func(ctx context.Context, desk *host.Desk, cfg *config.Config) error {
		user, err := desk.Editor(ctx, e.login)
		if errors.Is(err, host.ErrNotEditor) {
			return badInput{fmt.Errorf("--as: %w", err)}
		}
		if err != nil {
			return err
		}
		e.login = user.Login
		day, err := dayOf(ctx, desk, e.meterID, e.date)
		if err != nil {
			return err
		}
		day, err = do(ctx, desk, cfg, day)
		if errors.Is(err, curve.ErrEdit) {
			return badInput{err}
		}
		if err != nil {
			return err
		}
		versions, err := desk.Readings().Versions(ctx, e.meterID, e.date)
		if err != nil {
			return err
		}
		document := newDayDocument(day, versions, cfg.Location(), false)
		if e.asJSON {
			return writeJSON(cmd.OutOrStdout(), document)
		}
		document.summary(cmd.OutOrStdout())
		return nil
	})
}

// dayOf returns the current version of a meter-day.
func dayOf(ctx context.Context, desk *host.Desk, meterID string, date curve.Date) (*curve.Day, error) {
	days, err := desk.Readings().Days(ctx, meterID, date, date)
	if err != nil {
		return nil, fmt.Errorf("meter %s: %w", meterID, err)
	}
	if len(days) == 0 {
		return nil, badInput{fmt.Errorf("meter %s has no curve on %s; `gridwarden import readings` brings exports in, `gridwarden run` polls", meterID, date)}
	}
	return &days[0], nil
}

// intervalAt returns the interval of a day that begins at a local time.
func intervalAt(day *curve.Day, at string, location *time.Location) (int, error) {
	found := -1
	for i := range day.EnergyKWh {
		begin := day.Start.Add(time.Duration(i) * day.Interval).In(location)
		if begin.Format("15:04Z07:00") == at || begin.Format("15:04-07:00") == at {
			return i, nil
		}
		if begin.Format("15:04") == at {
			if found >= 0 {
				return 0, fmt.Errorf("%s comes twice on %s; write it as %s or %s", at, day.Date,
					day.Start.Add(time.Duration(found)*day.Interval).In(location).Format("15:04-07:00"), begin.Format("15:04-07:00"))
			}
			found = i
		}
	}
	if found < 0 {
		return 0, fmt.Errorf("no interval of %s begins at %q; the day has intervals of %v, write one's beginning as HH:MM", day.Date, at, day.Interval)
	}
	return found, nil
}
