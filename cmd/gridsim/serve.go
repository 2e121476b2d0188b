package main

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/sim"
)

func newServe(d *districtFlags) *cobra.Command {
	opt := sim.ServeOptions{}
	var faults []string
	var asJSON, asCSV bool
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the district live over Modbus TCP and OPC UA",
		Long: `serve starts a Modbus TCP gateway for each transformer (its meters are units 1, 2, …, its
own meter is unit 247) and an OPC UA server for the substation and the transformers'
monitors, prints where every device is, and runs until it is interrupted.
Values change each second; energy registers go on from the history's end.`,
		Example: `  gridsim serve --base-port 15020
  gridsim serve --transformer T-1010 --json
  gridsim serve --csv > devices.csv        for device_files in gridwarden's configuration
  gridsim serve --fault M-60012=silent --fault M-60040=delay:2s`,
		Args: func(_ *cobra.Command, args []string) error { return noArgs(args) },
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opt.BasePort < 0 || opt.BasePort > 65000 {
				return usageError{fmt.Errorf("--base-port %d; choose 1024 to 65000, or 0 for any free ports", opt.BasePort)}
			}
			var err error
			if opt.Faults, err = parseFaults(faults); err != nil {
				return usageError{err}
			}
			district, err := d.district()
			if err != nil {
				return err
			}
			s, err := district.Serve(cmd.Context(), opt)
			if err != nil {
				return err
			}
			switch {
			case asJSON:
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(s.Devices())
			case asCSV:
				err = writeDevices(cmd.OutOrStdout(), s.Devices())
			default:
				for _, dev := range s.Devices() {
					fmt.Fprintf(cmd.OutOrStdout(), "%-12s %-38s %s\n", dev.ID, dev.URL, dev.Profile)
				}
			}
			if err == nil {
				fmt.Fprintf(cmd.ErrOrStderr(), "%d devices are served; interrupt to end\n", len(s.Devices()))
				<-cmd.Context().Done()
			}
			return errors.Join(err, s.Close())
		},
	}
	cmd.Flags().StringVar(&opt.Host, "host", "127.0.0.1", "address to listen on")
	cmd.Flags().IntVar(&opt.BasePort, "base-port", 0, "first of consecutive ports: gateways, then OPC UA (0: any free ones)")
	cmd.Flags().StringSliceVar(&opt.Transformers, "transformer", nil, "serve only these transformers")
	cmd.Flags().BoolVar(&opt.WithoutOPCUA, "without-opcua", false, "Modbus only")
	cmd.Flags().StringArrayVar(&faults, "fault", nil, "METER=silent|delay:DURATION|exception:N|wrong-transaction|truncated")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the devices as JSON")
	cmd.Flags().BoolVar(&asCSV, "csv", false, "print the devices as a CSV file for gridwarden's device_files")
	cmd.MarkFlagsMutuallyExclusive("json", "csv")
	return cmd
}

// writeDevices writes the devices as a CSV file for device_files.
func writeDevices(w io.Writer, devices []sim.Device) error {
	rows := [][]string{{"id", "url", "profile", "meter_id", "interval", "mode", "option.node", "option.security"}}
	for _, d := range devices {
		rows = append(rows, []string{d.ID, d.URL, d.Profile, d.MeterID, "1s", d.Mode, d.Options["node"], d.Options["security"]})
	}
	if err := csv.NewWriter(w).WriteAll(rows); err != nil {
		return fmt.Errorf("write devices: %w", err)
	}
	return nil
}

// parseFaults reads METER=FAULT; several faults of one meter combine.
func parseFaults(list []string) (map[string]sim.Fault, error) {
	out := make(map[string]sim.Fault)
	for _, s := range list {
		id, what, ok := strings.Cut(s, "=")
		kind, arg, _ := strings.Cut(what, ":")
		f := out[id]
		var err error
		switch kind {
		case "silent":
			f.Silent = true
		case "wrong-transaction":
			f.WrongTransaction = true
		case "truncated":
			f.Truncated = true
		case "delay":
			f.Delay, err = time.ParseDuration(arg)
		case "exception":
			_, err = fmt.Sscanf(arg, "%d", &f.Exception)
		default:
			ok = false
		}
		if !ok || err != nil || id == "" {
			return nil, fmt.Errorf("--fault %q; write METER=silent, METER=delay:2s, METER=exception:6, METER=wrong-transaction or METER=truncated", s)
		}
		out[id] = f
	}
	return out, nil
}
