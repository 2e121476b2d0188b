package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/drivers/opcua"
	"github.com/gridwarden/gridwarden/internal/config"
)

func newOPCUACert() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "cert",
		Short: "Our own certificate, which servers must trust",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newOPCUACertShow(), newOPCUACertRenew())
	return cmd
}

func newOPCUACertShow() *cobra.Command {
	var f pkiFlags
	cmd := &cobra.Command{
		Use:   "show [-c FILE | --pki DIR]",
		Short: "Show the certificate, and make it where there is none yet",
		Long: `Shows our certificate and where its file is, so that it can be given to the servers
before the first connection. Where there is none yet, it is made.`,
		Example: "  gridwarden opcua cert show -c gridwarden.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			own, err := f.own()
			if err != nil {
				return err
			}
			id, err := own.Identity()
			if err != nil {
				return badInput{err}
			}
			writeIdentity(cmd.OutOrStdout(), id)
			warnings, err := own.Warnings()
			for _, w := range warnings {
				fmt.Fprintln(cmd.ErrOrStderr(), "warning:", w)
			}
			return err
		},
	}
	f.add(cmd)
	return cmd
}

func newOPCUACertRenew() *cobra.Command {
	var f pkiFlags
	cmd := &cobra.Command{
		Use:   "renew [-c FILE | --pki DIR]",
		Short: "Make a new certificate with a new key",
		Long: `Makes a new certificate with a new key. The next connections use it, so let the servers
trust it first where they can hold two: its file is shown. The one before stays in the
folder, unused.`,
		Example: "  gridwarden opcua cert renew -c gridwarden.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			own, err := f.own()
			if err != nil {
				return err
			}
			id, err := own.Renew()
			if err != nil {
				return badInput{err}
			}
			writeIdentity(cmd.OutOrStdout(), id)
			return nil
		},
	}
	f.add(cmd)
	return cmd
}

func (f *pkiFlags) own() (*opcua.Own, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, badInput{err}
	}
	return opcuaOptions(cfg, nil).Own, nil
}

// certificateMetric tells when our certificate ends, once there is one.
type certificateMetric struct {
	own  *opcua.Own
	desc *prometheus.Desc
}

// opcuaMetrics are what OPC UA adds to the program's metrics.
func opcuaMetrics(cfg *config.Config) []prometheus.Collector {
	return []prometheus.Collector{certificateMetric{
		own:  opcuaOptions(cfg, nil).Own,
		desc: prometheus.NewDesc("gridwarden_opcua_certificate_expiry_timestamp_seconds", "When the program's own OPC UA certificate ends, in Unix time.", nil, nil),
	}}
}

// Describe implements prometheus.Collector.
func (m certificateMetric) Describe(out chan<- *prometheus.Desc) { out <- m.desc }

// Collect implements prometheus.Collector.
func (m certificateMetric) Collect(out chan<- prometheus.Metric) {
	if end, found := m.own.Expiry(); found {
		out <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, float64(end.Unix()))
	}
}

func writeIdentity(w io.Writer, id *opcua.Identity) {
	var hosts []string
	hosts = append(hosts, id.Leaf.DNSNames...)
	for _, ip := range id.Leaf.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	fmt.Fprintf(w, "Certificate:      %s\nSubject:          %s\nApplication URI:  %s\nHosts:            %s\nSHA-256:          %s\nValid:            %s to %s\n",
		id.File, id.Leaf.Subject, id.ApplicationURI, strings.Join(hosts, ", "), opcua.Fingerprint(id.Leaf.Raw),
		id.Leaf.NotBefore.UTC().Format(time.DateOnly), id.Leaf.NotAfter.UTC().Format(time.DateOnly))
}
