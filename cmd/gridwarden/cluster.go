package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/internal/control"
)

// newCluster is the parent of the commands about hosts that share their work.
func newCluster() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cluster",
		Short: "Hosts that share devices and detection: who is there, who has what",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newClusterStatus())
	return cmd
}

func newClusterStatus() *cobra.Command {
	var f runningFlags
	cmd := &cobra.Command{
		Use:   "status -c FILE",
		Short: "Hosts, the leader, and the partitions of the devices with owner and fencing token",
		Long: `Asks the program that runs with the data folder how it sees its cluster: the hosts
with their state, the one that leads, and every partition of the devices with the host
that has its lease and the token under which the stream takes its readings.

Exit codes: 0 every partition has a host and all hosts have the same devices, 1 not so,
or it could not be found out.`,
		Example: `  gridwarden cluster status -c gridwarden.yaml
  gridwarden cluster status -c gridwarden.yaml --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			r, err := f.find()
			if err != nil {
				return err
			}
			state, err := r.Cluster(cmd.Context())
			if err != nil {
				return r.explain(err)
			}
			if f.json {
				err = printJSON(cmd.OutOrStdout(), state)
			} else {
				err = showCluster(cmd.OutOrStdout(), state, r.location, time.Now())
			}
			return errors.Join(err, inDisorder(state))
		},
	}
	f.add(cmd)
	return cmd
}

func showCluster(w io.Writer, c *control.Cluster, location *time.Location, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "HOST\tSTATE\tLEADS\tPARTITIONS\tHEARD\tSTARTED\tCONSOLE\tVERSION")
	for i := range c.Hosts {
		h := &c.Hosts[i]
		leads := "-"
		if h.Host == c.Leader {
			leads = "yes"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%.1f s ago\t%s\t%s\t%s\n",
			h.Host, h.State, leads, h.Partitions, h.SilentS, moment(h.Started, now, location), dash(h.Console), dash(h.Version))
	}
	fmt.Fprintln(t)
	fmt.Fprintln(t, "PARTITION\tHOST\tTOKEN\tSINCE")
	for i := range c.Partitions {
		p := &c.Partitions[i]
		token, since := "-", "-"
		if p.Token > 0 {
			token = fmt.Sprint(p.Token)
		}
		if !p.Since.IsZero() {
			since = moment(p.Since, now, location)
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\n", p.Partition, dash(p.Host), token, since)
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}

// inDisorder is an error where devices are not polled, or not by the same plan.
func inDisorder(c *control.Cluster) error {
	var problems []error
	free := 0
	for i := range c.Partitions {
		if c.Partitions[i].Host == "" {
			free++
		}
	}
	if !c.LeaseHolds {
		problems = append(problems, fmt.Errorf("the lease of host %s does not hold: it polls nothing; look at its connection to NATS", c.Host))
	}
	if free > 0 {
		problems = append(problems, fmt.Errorf("%d of %d partitions are with no host; look again in a few seconds, then into the hosts' logs", free, len(c.Partitions)))
	}
	devices := make(map[string]string)
	for i := range c.Hosts {
		if h := &c.Hosts[i]; h.State != "gone" {
			devices[h.Devices] = h.Host
		}
	}
	if len(devices) > 1 {
		problems = append(problems, errors.New("the hosts do not have the same devices; give all the same configuration and run `gridwarden devices reload` at each"))
	}
	return errors.Join(problems...)
}
