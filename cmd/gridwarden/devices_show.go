package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/control"
)

func newDevicesShow() *cobra.Command {
	var f runningFlags
	cmd := &cobra.Command{
		Use:   "show ID -c FILE",
		Short: "Show one device: state, last values with quality, read plan",
		Long: `Shows all that the running program knows of one device: its state and the last error
in words, round trips, when it is read or probed next, what its gateway was found to
bear, missed turns, its clock, the last value of every quantity with quality, flags
and native code, and the requests that read it.`,
		Example: `  gridwarden devices show T-1041 -c gridwarden.yaml
  gridwarden devices show T-1041 -c gridwarden.yaml --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := f.find()
			if err != nil {
				return err
			}
			d, err := r.Device(cmd.Context(), args[0])
			if err != nil {
				return r.explain(err)
			}
			if f.json {
				return printJSON(cmd.OutOrStdout(), d)
			}
			return showDevice(cmd.OutOrStdout(), d, r.location, time.Now())
		},
	}
	f.add(cmd)
	return cmd
}

// stateWords say what a state means.
func stateWords(state string) string {
	switch state {
	case "waiting":
		return "waiting: not read yet"
	case "ok":
		return "ok: the last read obtained every point"
	case "failing":
		return "failing: the last read failed, wholly or in part"
	case "silent":
		return "silent: it does not answer and is left alone until its next probe"
	}
	return state
}

func showDevice(w io.Writer, d *control.Detail, location *time.Location, now time.Time) error {
	fmt.Fprintf(w, "%s  %s  %s\n\n", d.ID, d.Address, d.Profile)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range deviceFacts(&d.Device, location, now) {
		fmt.Fprintf(t, "%s\t%s\n", line[0], strings.ReplaceAll(line[1], "\n", "\n\t"))
	}
	for _, note := range d.Notes {
		fmt.Fprintf(t, "Note\t%s\n", note)
	}
	if err := t.Flush(); err != nil {
		return err //nolint:wrapcheck // the terminal's own error says it all
	}
	if err := showValues(w, d.Values, location, now); err != nil {
		return err
	}
	return showPlan(w, d, now)
}

// deviceFacts are what is known of a device but for values and plan.
func deviceFacts(d *control.Device, location *time.Location, now time.Time) [][2]string {
	every := seconds(d.IntervalS)
	if d.Mode == "subscribe" {
		every += ", subscribed"
	}
	facts := [][2]string{
		{"State", stateWords(d.State) + ", since " + moment(d.Since, now, location)},
		{"Meter", d.MeterID},
		{"Driver", d.Driver},
		{"Interval", every},
		{"Last complete", moment(d.LastOK, now, location)},
	}
	if d.LastError != "" {
		facts = append(facts, [2]string{"Last error", strings.ReplaceAll(d.LastError, "device "+d.ID+": ", "") + "\n(" + moment(d.LastErrorAt, now, location) + ")"})
	}
	facts = append(facts,
		[2]string{"Reads", fmt.Sprintf("%d, %d failed (%d in a row now), %d turns missed", d.Reads, d.Failures, d.ConsecutiveFailures, d.Missed)},
		[2]string{"Round trip", fmt.Sprintf("%s last, %s p50, %s p99", millis(d.RoundTripMS), millis(d.RoundTripP50MS), millis(d.RoundTripP99MS))},
		[2]string{"Next turn", until(d.NextTurn, now)},
	)
	if !d.NextProbe.IsZero() {
		facts = append(facts, [2]string{"Next probe", until(d.NextProbe, now)})
	}
	if d.Parallel > 0 || d.Connections > 0 {
		bears := ""
		if d.Parallel > 0 {
			bears = fmt.Sprintf(", at most %d requests at once as learned", d.Parallel)
		}
		facts = append(facts, [2]string{"Connections", fmt.Sprintf("%d open to it or its gateway%s", d.Connections, bears)})
	}
	return append(facts, [2]string{"Clock", clockWords(d.ClockOffsetS)})
}

// clockWords say how far a device's clock is off.
func clockWords(offset *float64) string {
	switch {
	case offset == nil:
		return "the device shows none"
	case *offset > -0.5 && *offset < 0.5:
		return "right within half a second"
	case *offset < 0:
		return roughly(time.Duration(-*offset*float64(time.Second))) + " behind"
	}
	return roughly(time.Duration(*offset*float64(time.Second))) + " ahead"
}

func showValues(w io.Writer, values []control.Value, location *time.Location, now time.Time) error {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "QUANTITY\tVALUE\tUNIT\tQUALITY\tTIME\tRAW\tWHY NOT GOOD")
	for i := range values {
		v := &values[i]
		value, quality, why := "-", v.Quality, v.Detail
		if v.Value != nil {
			value = significant(*v.Value)
		}
		if quality == "" {
			quality = "not read yet"
		}
		if len(v.Flags) > 0 {
			quality += " (" + strings.Join(v.Flags, ", ") + ")"
		}
		at := v.EventTime
		if at.IsZero() {
			at = v.ReceiveTime
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Quantity, value, v.Unit, quality, moment(at, now, location), dash(v.Raw), dash(shortened(why, 90)))
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// showPlan prints the requests that read a device.
func showPlan(w io.Writer, d *control.Detail, now time.Time) error {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "GROUP\tEVERY\tNEXT TURN\tREQUEST\tPOINTS")
	for i := range d.Groups {
		g := &d.Groups[i]
		name := g.Name
		if name == "" {
			name = "(none)"
		}
		for _, b := range g.Blocks {
			for k, request := range requests(&b) {
				if k == 0 {
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", name, seconds(g.IntervalS), until(g.NextTurn, now), request[0], request[1])
				} else {
					fmt.Fprintf(t, "\t\t\t%s\t%s\n", request[0], request[1])
				}
			}
			name = ""
		}
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}

// requests are the lines that tell of one block: what is asked for, and which
// points are in it.
func requests(b *control.Block) [][2]string {
	if len(b.Nodes) == len(b.Quantities) && len(b.Nodes) > 0 {
		lines := make([][2]string, len(b.Nodes))
		for i, node := range b.Nodes {
			lines[i] = [2]string{node, b.Quantities[i]}
		}
		return lines
	}
	span := fmt.Sprintf("%s %d to %d (%d)", b.Table, b.Address, b.Address+b.Count-1, b.Count)
	if b.Count == 1 {
		span = fmt.Sprintf("%s %d", b.Table, b.Address)
	}
	return [][2]string{{span, strings.Join(b.Quantities, ", ")}}
}
