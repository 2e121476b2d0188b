package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/sim"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

type probeFlags struct {
	profile  string
	profiles string
	timeout  time.Duration
	options  map[string]string
	json     bool
	list     bool
	all      bool
	requests int
	pause    time.Duration
	between  time.Duration
}

func newProbe() *cobra.Command {
	var f probeFlags
	cmd := &cobra.Command{
		Use:   "probe URL [--profile NAME]",
		Short: "Read one device once and show what it says, or find its profile",
		Long: `With --profile: reads every point of the profile from one device once, and
shows value, unit, quality and the native code as it came.

Without, for Modbus: finds out which profile fits. The registers that the
profiles know are read, each block once, at most --requests of them with a pause
between two; refused requests are evidence too. Each profile, as it is written
and in the other orders of words, is held against the answers: what the device
says of itself counts most, then whether the values are physically possible
together (voltage near a nominal, 45 to 65 Hz, power factor up to 1, apparent
power no less than active and reactive power make, phases that make up the
whole, power that voltage and current allow, energy that does not fall between
two reads). The checks of each candidate are shown with their points. Where
nothing fits the command says so and exits with 1.

A proposal other than a profile as it is written names the options that the
device needs in the configuration: order, and base for SunSpec models. Nothing
is stored and nothing is written to the device.`,
		Example: `  gridwarden probe --list
  gridwarden probe modbus://192.0.2.10:502/1
  gridwarden probe modbus://192.0.2.10:502/1 --all --pause 200ms
  gridwarden probe modbus+rtu+tcp://192.0.2.11:4001/7 --profiles ./profiles --json
  gridwarden probe modbus://192.0.2.10:502/1 --profile eastron-sdm630
  gridwarden probe modbus://192.0.2.10:502/1 --profile sunspec-203 --option base=40070
  gridwarden probe opc.tcp://192.0.2.20:4840 --profile my-server --profiles ./profiles --option node=T-1041
  gridwarden probe modbus+rtu+tcp://192.0.2.11:4001/7 --profile acrel-adl3000-e --json`,
		Args: func(cmd *cobra.Command, args []string) error {
			if f.list {
				return cobra.NoArgs(cmd, args)
			}
			return cobra.ExactArgs(1)(cmd, args)
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			further := []fs.FS{sim.Profiles()}
			if f.profiles != "" {
				further = append(further, os.DirFS(f.profiles))
			}
			profiles, err := host.Profiles(further...)
			if err != nil {
				return badInput{err}
			}
			if f.list {
				return listProfiles(cmd.OutOrStdout(), profiles)
			}
			d, err := f.device(args[0], profiles)
			if err != nil {
				return badInput{err}
			}
			if f.profile == "" {
				return f.find(cmd, d, profiles)
			}
			return readOnce(cmd.Context(), cmd.OutOrStdout(), d, f.json)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.profile, "profile", "", "device profile; see --list (default: find it)")
	flags.StringVar(&f.profiles, "profiles", "", "folder of further profiles")
	flags.DurationVar(&f.timeout, "timeout", 3*time.Second, "of one request")
	flags.StringToStringVar(&f.options, "option", nil, "driver option as name=value; may be repeated")
	flags.BoolVar(&f.json, "json", false, "print one JSON document")
	flags.BoolVar(&f.all, "all", false, "without --profile: show the checks of every candidate")
	flags.IntVar(&f.requests, "requests", 150, "without --profile: at most so many requests")
	flags.DurationVar(&f.pause, "pause", 20*time.Millisecond, "without --profile: between two requests")
	flags.DurationVar(&f.between, "between", 3*time.Second, "without --profile: the two reads of energies")
	flags.BoolVar(&f.list, "list", false, "list the profiles and stop")
	return cmd
}

func (f *probeFlags) device(address string, profiles map[string]*profile.Profile) (drivers.Device, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return drivers.Device{}, fmt.Errorf("%q is not a device address; write it as modbus://host:502/unit or opc.tcp://host:4840", address)
	}
	if err := noSecret(f.options); err != nil {
		return drivers.Device{}, err
	}
	d := drivers.Device{
		ID: "probe", MeterID: "probe", URL: u, Mode: drivers.Poll,
		Interval: time.Minute, Timeout: f.timeout, Options: f.options,
	}
	if f.profile == "" {
		return d, nil
	}
	p := profiles[f.profile]
	if p == nil {
		return d, fmt.Errorf("no profile %q; `gridwarden probe --list` names them, and --profiles adds a folder of your own", f.profile)
	}
	d.Profile = p
	return d, nil
}

func listProfiles(w io.Writer, profiles map[string]*profile.Profile) error {
	names := make([]string, 0, len(profiles))
	for name := range profiles {
		names = append(names, name)
	}
	slices.Sort(names)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PROFILE\tDEVICE\tPROTOCOL\tSTATUS\tSOURCE")
	for _, name := range names {
		p := profiles[name]
		fmt.Fprintf(t, "%s\t%s %s\t%s\t%s\t%s\n", name, p.Manufacturer, p.Model, p.Protocol, p.Status, p.Source)
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}

// significant renders v with at most eight significant digits and no exponent:
// more than any meter has, fewer than a binary fraction shows.
func significant(v float64) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(v, 'g', 8, 64), 64)
	if err != nil {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// probed is one reading as `probe --json` prints it.
type probed struct {
	Quantity meter.Quantity `json:"quantity"`
	Value    *float64       `json:"value"` // null where nothing was obtained
	Unit     meter.Unit     `json:"unit"`
	Quality  string         `json:"quality"`
	Flags    string         `json:"flags,omitempty"`
	Raw      string         `json:"raw"` // hex
	Time     time.Time      `json:"time"`
	Detail   string         `json:"detail,omitempty"`
}

func readOnce(ctx context.Context, w io.Writer, d drivers.Device, asJSON bool) (err error) {
	linked := linkDrivers(nil, nil)
	defer func() { err = errors.Join(err, linked.Close()) }()
	driver, err := linked.For(d.URL)
	if err != nil {
		return badInput{err}
	}
	if err := driver.Check(d); err != nil {
		return badInput{err}
	}
	session, err := driver.Session(d)
	if err != nil {
		return fmt.Errorf("probe: %w", err)
	}
	defer func() { err = errors.Join(err, session.Close()) }()
	var readings []meter.Reading
	var readErr error
	for group := range d.Profile.Groups() {
		list, err := session.Read(ctx, group)
		readings, readErr = append(readings, slices.Clone(list)...), errors.Join(readErr, err)
	}
	rows := make([]probed, len(readings))
	for i, r := range readings {
		rows[i] = probed{
			Quantity: r.Quantity, Unit: r.Quantity.Unit(), Quality: r.Quality.String(), Flags: r.Flags.String(),
			Raw: hex.EncodeToString(r.Raw), Time: r.EventTime, Detail: r.Detail,
		}
		if !math.IsNaN(r.Value) {
			rows[i].Value = &readings[i].Value
		}
	}
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return errors.Join(readErr, e.Encode(rows))
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "QUANTITY\tVALUE\tUNIT\tQUALITY\tRAW")
	for _, r := range rows {
		value, quality := "-", r.Quality
		if r.Value != nil {
			value = significant(*r.Value)
		}
		if r.Flags != "" {
			quality += " (" + strings.ReplaceAll(r.Flags, ";", ", ") + ")"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", r.Quantity, value, r.Unit, quality, r.Raw)
	}
	return errors.Join(t.Flush(), readErr)
}
