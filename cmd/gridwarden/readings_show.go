package main

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func newReadingsShow() *cobra.Command {
	var file string
	var withVersions, asJSON bool
	var number int
	cmd := &cobra.Command{
		Use:   "show METER DATE -c FILE",
		Short: "Show a meter's day: every interval with its quality, and how the day came about",
		Example: `  gridwarden readings show M-88213 2026-03-01 -c gridwarden.yaml
  gridwarden readings show M-88213 2026-03-01 --versions -c gridwarden.yaml
  gridwarden readings show M-88213 2026-03-01 --version 1 --json -c gridwarden.yaml`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			meterID, date, err := meterDay(args)
			if err != nil {
				return err
			}
			return withDesk(cmd.Context(), file, func(ctx context.Context, desk *host.Desk, cfg *config.Config) error {
				day, err := dayOf(ctx, desk, meterID, date)
				if err != nil {
					return err
				}
				versions, err := desk.Readings().Versions(ctx, meterID, date)
				if err != nil {
					return err
				}
				if number != 0 {
					if day = versionOf(versions, number); day == nil {
						return badInput{fmt.Errorf("--version %d: meter %s has versions 1 to %d on %s", number, meterID, len(versions), date)}
					}
				}
				document := newDayDocument(day, versions, cfg.Location(), withVersions)
				if asJSON {
					return writeJSON(cmd.OutOrStdout(), document)
				}
				return document.print(cmd.OutOrStdout())
			})
		},
	}
	cmd.Flags().StringVarP(&file, "config", "c", "gridwarden.yaml", configFlagHelp)
	cmd.Flags().BoolVar(&withVersions, "versions", false, "list every version with what it changed")
	cmd.Flags().IntVar(&number, "version", 0, "show this version instead of the current one")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

func versionOf(versions []curve.Version, number int) *curve.Day {
	for i := range versions {
		if versions[i].Number == number {
			return &versions[i].Day
		}
	}
	return nil
}

// dayDocument is a meter-day as `readings show --json` prints it.
type dayDocument struct {
	MeterID         string            `json:"meter_id"`
	Date            curve.Date        `json:"date"`
	Start           time.Time         `json:"start"`
	IntervalMinutes float64           `json:"interval_minutes"`
	Open            bool              `json:"open"`
	Origin          originDocument    `json:"origin"`
	KWh             float64           `json:"kwh"` // of the usable intervals
	Usable          int               `json:"usable"`
	Good            int               `json:"good"`
	Intervals       []intervalLine    `json:"intervals"`
	Versions        []versionDocument `json:"versions,omitempty"`

	count    int // of versions
	location *time.Location
}

type originDocument struct {
	Rule   string `json:"rule"`
	Author string `json:"author,omitempty"`
	Reason string `json:"reason,omitempty"`
}

type intervalLine struct {
	Begin   time.Time `json:"begin"`
	KWh     *float64  `json:"kwh"` // null where missing
	Quality string    `json:"quality"`
	Flags   string    `json:"flags,omitempty"`
}

type versionDocument struct {
	Number  int            `json:"version"`
	Stored  *time.Time     `json:"stored"` // null where an earlier release stored it
	Current bool           `json:"current"`
	Origin  originDocument `json:"origin"`
	KWh     float64        `json:"kwh"`
	Usable  int            `json:"usable"`
	Changed int            `json:"changed"` // intervals that are not as in the version before
}

func newDayDocument(day *curve.Day, versions []curve.Version, location *time.Location, withVersions bool) *dayDocument {
	d := &dayDocument{MeterID: day.MeterID, Date: day.Date, Start: day.Start.In(location), IntervalMinutes: day.Interval.Minutes(),
		Open: day.Open, Origin: originDocument(day.Origin), count: len(versions), location: location}
	d.KWh, d.Usable = totalOf(day)
	for i := range day.EnergyKWh {
		line := intervalLine{Begin: d.Start.Add(time.Duration(i) * day.Interval), Quality: day.Quality[i].String()}
		if kwh := day.EnergyKWh[i]; kwh == kwh {
			line.KWh = &kwh
		}
		if day.Flags != nil {
			line.Flags = day.Flags[i].String()
		}
		if day.Quality[i] == meter.Good {
			d.Good++
		}
		d.Intervals = append(d.Intervals, line)
	}
	if !withVersions {
		return d
	}
	for i := range versions {
		v := &versions[i]
		line := versionDocument{Number: v.Number, Current: v.Current, Origin: originDocument(v.Day.Origin)}
		if !v.At.IsZero() {
			at := v.At.In(location)
			line.Stored = &at
		}
		line.KWh, line.Usable = totalOf(&v.Day)
		if i > 0 {
			line.Changed = changedSince(&versions[i-1].Day, &v.Day)
		}
		d.Versions = append(d.Versions, line)
	}
	return d
}

// totalOf rounds to the resolution of intervals, so that sums show no noise.
func totalOf(day *curve.Day) (kwh float64, usable int) {
	kwh, usable = day.TotalKWh()
	return float64(int64(kwh*1e4+0.5)) / 1e4, usable
}

// changedSince counts the intervals of b that are not as in a.
func changedSince(a, b *curve.Day) (n int) {
	if len(a.EnergyKWh) != len(b.EnergyKWh) {
		return len(b.EnergyKWh)
	}
	for i, kwh := range b.EnergyKWh {
		same := kwh == a.EnergyKWh[i] || kwh != kwh && a.EnergyKWh[i] != a.EnergyKWh[i]
		if !same || a.Quality[i] != b.Quality[i] || flagsAt(a, i) != flagsAt(b, i) {
			n++
		}
	}
	return n
}

func flagsAt(d *curve.Day, i int) meter.Flags {
	if d.Flags == nil {
		return 0
	}
	return d.Flags[i]
}

// String says in words how a version came about.
func (o originDocument) String() string {
	s := o.Rule
	if s == "" {
		s = "stored by an earlier release"
	}
	if o.Author != "" {
		s += " by " + o.Author
	}
	if o.Reason != "" {
		s += ": " + o.Reason
	}
	return s
}

func (d *dayDocument) summary(w io.Writer) {
	state := "closed"
	if d.Open {
		state = "in progress"
	}
	fmt.Fprintf(w, "Meter %s on %s, %s, %d intervals of %g minutes from %s.\n", d.MeterID, d.Date, state, len(d.Intervals), d.IntervalMinutes, d.Start.Format("15:04 -07:00"))
	fmt.Fprintf(w, "%.4f kWh in %d usable intervals, %d of them good. %d versions; this one: %s.\n", d.KWh, d.Usable, d.Good, d.count, d.Origin)
}

func (d *dayDocument) print(w io.Writer) error {
	d.summary(w)
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(d.Versions) > 0 {
		fmt.Fprintln(t, "VERSION\tSTORED\tKWH\tUSABLE\tCHANGED\tORIGIN")
		for i := range d.Versions {
			v := &d.Versions[i]
			stored, mark := "-", ""
			if v.Stored != nil {
				stored = v.Stored.Format("2006-01-02 15:04:05")
			}
			if v.Current {
				mark = " (current)"
			}
			fmt.Fprintf(t, "%d%s\t%s\t%.4f\t%d\t%d\t%s\n", v.Number, mark, stored, v.KWh, v.Usable, v.Changed, v.Origin)
		}
		fmt.Fprintln(t)
	}
	if err := t.Flush(); err != nil {
		return err //nolint:wrapcheck // the terminal's own error says it all
	}
	fmt.Fprintln(t, "TIME\tKWH\tQUALITY\tFLAGS")
	for i := range d.Intervals {
		line := &d.Intervals[i]
		kwh := "-"
		if line.KWh != nil {
			kwh = fmt.Sprintf("%.4f", *line.KWh)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", line.Begin.Format("15:04"), kwh, line.Quality, line.Flags)
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}
