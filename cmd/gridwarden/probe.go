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
}

func newProbe() *cobra.Command {
	var f probeFlags
	cmd := &cobra.Command{
		Use:   "probe URL --profile NAME",
		Short: "Read one device once and show what it says",
		Long: `Reads every point of a profile from one device once, and shows value, unit,
quality and the native code as it came. Nothing is stored and nothing is written
to the device.`,
		Example: `  gridwarden probe --list
  gridwarden probe modbus://192.0.2.10:502/1 --profile eastron-sdm630
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
			return probe(cmd.Context(), cmd.OutOrStdout(), d, f.json)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.profile, "profile", "", "device profile; see --list")
	flags.StringVar(&f.profiles, "profiles", "", "folder of further profiles")
	flags.DurationVar(&f.timeout, "timeout", 3*time.Second, "of one request")
	flags.StringToStringVar(&f.options, "option", nil, "driver option as name=value; may be repeated")
	flags.BoolVar(&f.json, "json", false, "print one JSON document")
	flags.BoolVar(&f.list, "list", false, "list the profiles and stop")
	return cmd
}

func (f *probeFlags) device(address string, profiles map[string]*profile.Profile) (drivers.Device, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme == "" {
		return drivers.Device{}, fmt.Errorf("%q is not a device address; write it as modbus://host:502/unit or opc.tcp://host:4840", address)
	}
	if f.profile == "" {
		return drivers.Device{}, errors.New("a profile is needed; `gridwarden probe --list` names them")
	}
	p := profiles[f.profile]
	if p == nil {
		return drivers.Device{}, fmt.Errorf("no profile %q; `gridwarden probe --list` names them, and --profiles adds a folder of your own", f.profile)
	}
	return drivers.Device{
		ID: "probe", MeterID: "probe", URL: u, Profile: p, Mode: drivers.Poll,
		Interval: time.Minute, Timeout: f.timeout, Options: f.options,
	}, nil
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

func probe(ctx context.Context, w io.Writer, d drivers.Device, asJSON bool) (err error) {
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
	readings, readErr := session.Read(ctx, 0)
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
