package main

import (
	"errors"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/drivers/opcua"
	"github.com/gridwarden/gridwarden/internal/config"
)

// newOPCUA is the parent of the commands that concern OPC UA servers.
func newOPCUA() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "opcua",
		Short: "OPC UA servers: whom to trust, who we are, what they hold",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newOPCUATrust(), newOPCUACert(), newOPCUABrowse())
	return cmd
}

// opcuaOptions are the driver's options as a configuration has them; without
// one, servers must be pinned and our certificate lives as long as the process.
func opcuaOptions(cfg *config.Config, logger *slog.Logger) opcua.Options {
	if cfg == nil {
		return opcua.Options{Logger: logger}
	}
	return opcua.Options{
		Logger: logger,
		Own: opcua.NewOwn(opcua.OwnOptions{
			Dir: cfg.PKI(), ApplicationURI: cfg.OPCUA.ApplicationURI, Organisation: cfg.Site.Organisation,
			Validity:    time.Duration(cfg.OPCUA.ValidDays) * 24 * time.Hour,
			Certificate: cfg.OPCUA.Certificate, Key: cfg.OPCUA.Key,
		}),
		Trust: opcua.NewTrustList(cfg.PKI(), opcua.TrustOptions{AllowMissingCRL: cfg.OPCUA.AllowMissingCRL}),
	}
}

// pkiFlags say which PKI folder a command works on.
type pkiFlags struct{ config, dir string }

func (f *pkiFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.config, "config", "c", "", "configuration file that names the PKI folder (default: gridwarden.yaml, unless --pki is given)")
	cmd.Flags().StringVar(&f.dir, "pki", "", "PKI folder, instead of a configuration")
}

// load returns the configuration, or the defaults with the folder that was given.
func (f *pkiFlags) load() (*config.Config, error) {
	switch {
	case f.dir != "" && f.config != "":
		return nil, errors.New("both -c and --pki are given; give one")
	case f.dir != "":
		cfg := config.Default()
		cfg.OPCUA.PKIDir = f.dir
		return &cfg, nil
	}
	file := f.config
	if file == "" {
		file = "gridwarden.yaml"
	}
	cfg, err := config.Load(file)
	if err != nil && f.config == "" {
		err = errors.Join(err, errors.New("without a gridwarden.yaml here, name the configuration with -c FILE or the PKI folder with --pki DIR"))
	}
	return cfg, err
}

// noSecret refuses a password on the command line, where every user of the
// machine can read it.
func noSecret(options map[string]string) error {
	if options["password"] != "" {
		return errors.New("--option password would show it to everybody on this machine; give --option password_file=FILE or password_env=NAME")
	}
	return nil
}
