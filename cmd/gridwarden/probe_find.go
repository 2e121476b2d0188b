package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/internal/probe"
)

// errNothingFits ends a probe that has nothing to propose; what it found was
// printed.
var errNothingFits = errors.New("no profile can be proposed")

// find finds out which profile fits the device, and shows why.
func (f *probeFlags) find(cmd *cobra.Command, d drivers.Device, profiles map[string]*profile.Profile) (err error) {
	linked := linkDrivers(nil, nil)
	defer func() { err = errors.Join(err, linked.Close()) }()
	driver, err := linked.For(d.URL)
	if err != nil {
		return badInput{err}
	}
	if driver.Name() != string(profile.ProtocolModbus) {
		return badInput{fmt.Errorf("only Modbus devices can be probed without a profile; name one with --profile, or look through the server with `gridwarden opcua browse %s`", d.URL)}
	}
	sample := d
	sample.Profile = profile.OfRegisters("probe", []profile.Block{{Table: profile.Holding, Count: 1}})
	if err := driver.Check(sample); err != nil {
		return badInput{err}
	}
	opt := probe.Options{Profiles: profiles, Requests: f.requests, Pause: f.pause, Between: f.between}
	if !f.json {
		opt.Progress = func(what string) { fmt.Fprintln(cmd.ErrOrStderr(), what+" …") }
	}
	report, err := probe.Run(cmd.Context(), driver, d, opt)
	if err != nil {
		return fmt.Errorf("probe %s: %w", d.URL, err)
	}
	if err := f.show(cmd.OutOrStdout(), report); err != nil {
		return err
	}
	if report.Proposal == nil {
		return errNothingFits
	}
	return nil
}

func (f *probeFlags) show(w io.Writer, r *probe.Report) error {
	if f.json {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r) //nolint:wrapcheck // the terminal's own error says it all
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\n\n", r.Conclusion)
	fmt.Fprintf(t, "%d requests in %v; %d were refused by the device, %d not answered", r.Requests, r.Took.Round(100*time.Millisecond), r.Refused, r.Unanswered)
	if r.Stopped != "" {
		fmt.Fprintf(t, "; %s", r.Stopped)
	}
	fmt.Fprint(t, "\n\n")
	for i, c := range r.Candidates {
		if !f.all && (c.Verdict == probe.None && i > 0 || i > 2) {
			fmt.Fprintf(t, "%d further candidates; --all shows them.\n\n", len(r.Candidates)-i)
			break
		}
		showCandidate(t, c, i == 0)
	}
	if p := r.Proposal; p != nil {
		showReadings(t, p)
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}

func showCandidate(w io.Writer, c *probe.Candidate, best bool) {
	fmt.Fprintf(w, "%s: %s, %.0f points (%s)\n", c.Name(), c.Verdict, c.Score, c.Device)
	if options := c.Options; best && len(options) > 0 {
		fmt.Fprint(w, "  in the configuration: profile: "+c.Profile)
		for _, key := range slices.Sorted(maps.Keys(options)) {
			fmt.Fprintf(w, ", options.%s: %s", key, options[key])
		}
		fmt.Fprintln(w)
	}
	for _, id := range c.Identity {
		fmt.Fprintf(w, "  %s: %s\n", strings.ReplaceAll(id.Name, "_", " "), id.Text)
	}
	for _, check := range c.Checks {
		mark := "passed"
		if !check.Passed {
			mark = "FAILED"
		}
		fmt.Fprintf(w, "  %s\t%+.0f\t%s\t%s\n", mark, check.Points, check.Name, check.Detail)
	}
	fmt.Fprintln(w)
}

func showReadings(w io.Writer, c *probe.Candidate) {
	fmt.Fprintln(w, "QUANTITY\tVALUE\tUNIT\tQUALITY\t")
	for _, v := range c.Values {
		value := "-"
		if v.Number != nil {
			value = significant(*v.Number)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", v.Quantity, value, v.Unit, v.Quality, v.Detail)
	}
}
