package main

import "github.com/spf13/cobra"

// newOPCUA is the parent of the commands that concern OPC UA servers.
func newOPCUA() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "opcua",
		Short: "OPC UA servers: whom to trust, who we are, what they hold",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	return cmd
}
