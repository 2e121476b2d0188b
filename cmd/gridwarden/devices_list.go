package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/control"
)

func newDevicesList() *cobra.Command {
	var f runningFlags
	var state, driver string
	cmd := &cobra.Command{
		Use:   "list -c FILE",
		Short: "List the devices of the running program and how they do",
		Long: `Lists every polled device with its state: ok (the last read obtained every point),
failing (the last read failed, wholly or in part), silent (it does not answer and is
left alone until its next probe) or waiting (not read yet); since when; the round trips
of its reads; and why the last read failed.`,
		Example: `  gridwarden devices list -c gridwarden.yaml
  gridwarden devices list -c gridwarden.yaml --state silent --driver modbus
  gridwarden devices list -c gridwarden.yaml --json
  gridwarden devices list --data-dir var/demo/data`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if states := []string{"waiting", "ok", "failing", "silent"}; state != "" && !slices.Contains(states, state) {
				return badInput{fmt.Errorf("--state %q: give one of %s", state, strings.Join(states, ", "))}
			}
			r, err := f.find()
			if err != nil {
				return err
			}
			list, all, err := r.listed(cmd.Context(), func(d *control.Device) bool {
				return (state == "" || d.State == state) && (driver == "" || d.Driver == driver)
			})
			if err != nil {
				return err
			}
			if f.json {
				return printJSON(cmd.OutOrStdout(), list)
			}
			return listDevices(cmd.OutOrStdout(), list, all, r.location, time.Now())
		},
	}
	f.add(cmd)
	cmd.Flags().StringVar(&state, "state", "", "only devices in this state: waiting, ok, failing or silent")
	cmd.Flags().StringVar(&driver, "driver", "", "only devices of this driver: modbus, opcua")
	return cmd
}

// listDevices prints one line for each device.
func listDevices(w io.Writer, list []control.Device, all int, location *time.Location, now time.Time) error {
	switch {
	case all == 0:
		fmt.Fprintln(w, "No device is polled; list devices in the configuration and reload it.")
		return nil
	case len(list) == 0:
		fmt.Fprintf(w, "None of %d devices.\n", all)
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "DEVICE\tDRIVER\tPROFILE\tSTATE\tSINCE\tEVERY\tP50\tP99\tNEXT PROBE\tLAST ERROR")
	for i := range list {
		d := &list[i]
		failed := "-"
		if d.State == "failing" || d.State == "silent" {
			failed = shortened(strings.TrimPrefix(d.LastError, "device "+d.ID+": "), 70)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", d.ID, d.Driver, d.Profile, d.State, moment(d.Since, now, location),
			seconds(d.IntervalS), millis(d.RoundTripP50MS), millis(d.RoundTripP99MS), until(d.NextProbe, now), failed)
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}

// moment writes a time of today as a clock time, others with their date.
func moment(at, now time.Time, location *time.Location) string {
	if at.IsZero() {
		return "never"
	}
	at, now = at.In(location), now.In(location)
	if at.YearDay() == now.YearDay() && at.Year() == now.Year() {
		return at.Format(time.TimeOnly)
	}
	return at.Format("2006-01-02 15:04")
}

// until writes how long it is to a moment, "-" where there is none.
func until(at, now time.Time) string {
	if at.IsZero() {
		return "-"
	}
	if at.Before(now) {
		return "now"
	}
	return "in " + roughly(at.Sub(now))
}

// roughly writes a duration with two figures or so.
func roughly(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(10 * time.Millisecond).String()
	case d < 10*time.Second:
		return d.Round(100 * time.Millisecond).String()
	}
	return seconds(d.Round(time.Second).Seconds())
}

// seconds writes an interval: "1s", "200ms", "15m".
func seconds(s float64) string {
	text := time.Duration(s * float64(time.Second)).Round(time.Millisecond).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// millis writes a round trip; "-" where there was none.
func millis(ms *float64) string {
	if ms == nil {
		return "-"
	}
	switch {
	case *ms < 10:
		return fmt.Sprintf("%.1f ms", *ms)
	case *ms < 10_000:
		return fmt.Sprintf("%.0f ms", *ms)
	}
	return fmt.Sprintf("%.1f s", *ms/1000)
}

// shortened is the first line of s in at most n letters.
func shortened(s string, n int) string {
	line, _, more := strings.Cut(s, "\n")
	if utf8.RuneCountInString(line) > n {
		return string([]rune(line)[:n-1]) + "…"
	}
	if more {
		line += " …"
	}
	return line
}
