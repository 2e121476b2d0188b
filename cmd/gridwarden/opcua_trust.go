package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/drivers/opcua"
)

func newOPCUATrust() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trust",
		Short: "Whose certificates are accepted",
		Long: `A server's certificate is accepted if it, or an authority in its chain, is among the
trusted, and all else about it is in order: dates, host name, application URI, usage,
key, revocation. What was refused as unknown waits among the rejected. A running
program sees a change at its next connection.

The PKI folder has trusted/certs, trusted/crl, issuers/certs, issuers/crl,
rejected/certs and own; files may also be put there by hand, in DER or PEM.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newOPCUATrustList(), newOPCUATrustAdd(), newOPCUATrustReject())
	return cmd
}

// trustList opens the trust list that the flags name.
func (f *pkiFlags) trustList() (*opcua.TrustList, error) {
	cfg, err := f.load()
	if err != nil {
		return nil, badInput{err}
	}
	return opcuaOptions(cfg, nil).Trust, nil
}

func newOPCUATrustList() *cobra.Command {
	var f pkiFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list [-c FILE | --pki DIR]",
		Short: "List certificates and revocation lists, and where they stand",
		Example: `  gridwarden opcua trust list -c gridwarden.yaml
  gridwarden opcua trust list --pki data/pki --json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			list, err := f.trustList()
			if err != nil {
				return err
			}
			entries, err := list.List() // an error is of some files; the others are shown
			return errors.Join(writeEntries(cmd.OutOrStdout(), entries, time.Now(), asJSON), err)
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return cmd
}

func writeEntries(w io.Writer, entries []opcua.Entry, now time.Time, asJSON bool) error {
	if asJSON {
		if entries == nil {
			entries = []opcua.Entry{}
		}
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(entries) //nolint:wrapcheck // the terminal's own error says it all
	}
	if len(entries) == 0 {
		fmt.Fprintln(w, "Nothing is there yet. Servers whose certificates were refused appear here after the first try to connect.")
		return nil
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "WHERE\tKIND\tSHA-256\tFROM\tUNTIL\tSUBJECT\tAPPLICATION URI")
	for _, e := range entries {
		until := e.Until.UTC().Format(time.DateOnly)
		switch {
		case e.Until.IsZero():
			until = "-"
		case e.Until.Before(now):
			until += " (over)"
		case e.From.After(now):
			until += " (not yet)"
		}
		uri := e.ApplicationURI
		if uri == "" {
			uri = "-"
		}
		// What a stranger's certificate says of itself is shown quoted.
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%q\t%q\n", e.Folder, e.Kind, e.SHA256, e.From.UTC().Format(time.DateOnly), until, e.Subject, uri)
	}
	return t.Flush() //nolint:wrapcheck // the terminal's own error says it all
}

func newOPCUATrustAdd() *cobra.Command {
	var f pkiFlags
	var issuer bool
	cmd := &cobra.Command{
		Use:   "add FILE|SHA-256 [-c FILE | --pki DIR]",
		Short: "Trust a certificate: from a file, or a rejected one by its fingerprint",
		Long: `Trusts the certificates of a file, or a rejected certificate by the first digits of its
SHA-256 (at least 8). Compare the fingerprint with what the server itself shows first.
A file may hold an authority's certificate, and its revocation list, too: with a
trusted authority, all servers that it vouches for are accepted. With --issuer it only
completes the chains of servers that are trusted one by one.`,
		Example: `  gridwarden opcua trust add 3f9c0a4e5b7d1c2e -c gridwarden.yaml
  gridwarden opcua trust add plc-7.der --pki data/pki
  gridwarden opcua trust add plant-ca.pem --issuer -c gridwarden.yaml
  gridwarden opcua trust add plant-ca.crl -c gridwarden.yaml`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := f.trustList()
			if err != nil {
				return err
			}
			added, err := addTrust(list, args[0], issuer)
			for _, e := range added {
				fmt.Fprintf(cmd.OutOrStdout(), "Added to %s: %s %q, SHA-256 %s\n", e.Folder, e.Kind, e.Subject, e.SHA256)
			}
			if err != nil {
				return badInput{err}
			}
			return nil
		},
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&issuer, "issuer", false, "take authorities' certificates without trusting all that they vouch for")
	return cmd
}

func addTrust(list *opcua.TrustList, what string, issuer bool) ([]opcua.Entry, error) {
	if info, err := os.Stat(what); err == nil && info.Mode().IsRegular() {
		return list.AddFile(what, issuer)
	}
	e, err := list.AddRejected(what)
	if err != nil {
		return nil, fmt.Errorf("%q is no file here, and %w", what, err)
	}
	return []opcua.Entry{e}, nil
}

func newOPCUATrustReject() *cobra.Command {
	var f pkiFlags
	cmd := &cobra.Command{
		Use:   "reject SHA-256 [-c FILE | --pki DIR]",
		Short: "Trust a certificate no longer: it moves to the rejected",
		Example: `  gridwarden opcua trust reject 3f9c0a4e5b7d1c2e -c gridwarden.yaml
  gridwarden opcua trust reject 3f9c0a4e --pki data/pki`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			list, err := f.trustList()
			if err != nil {
				return err
			}
			e, err := list.Reject(args[0])
			if err != nil {
				return badInput{err}
			}
			fmt.Fprintf(cmd.OutOrStdout(), "No longer trusted: %s %q, SHA-256 %s\n", e.Kind, e.Subject, e.SHA256)
			return nil
		},
	}
	f.add(cmd)
	return cmd
}
