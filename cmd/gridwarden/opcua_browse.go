package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/opcua"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/internal/host"
	"github.com/gridwarden/gridwarden/internal/sim"
)

// browseFlags say which part of which server is browsed, and what becomes of it.
type browseFlags struct {
	pki        pkiFlags
	options    map[string]string
	profiles   string
	profileOut string
	prefix     string
	interval   time.Duration
	subscribe  bool
	limits     opcua.BrowseLimits
}

func newOPCUABrowse() *cobra.Command {
	var f browseFlags
	cmd := &cobra.Command{
		Use:   "browse URL",
		Short: "Walk a server's address space and propose a devices file",
		Long: `Walks the objects of an OPC UA server, finds the variables that hold numbers,
and prints a devices file for them: with the profiles that fit, and for the rest
with new profiles, which are written to the folder of --profile-out. Names are
matched with quantities by their words (ActivePower, P_total, Voltage L1-N),
units are the server's own. What nothing was made of is listed as comments.
The file can be checked and run as it is; nothing is written to the server.`,
		Example: `  gridwarden opcua browse opc.tcp://192.0.2.20:4840 --option server_sha256=3f9c… --profile-out profiles > devices.yaml
  gridwarden check -c devices.yaml
  gridwarden opcua browse opc.tcp://127.0.0.1:4840 --option security=none --root "nsu=urn:maker:meters;s=Hall 3"`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd.Context(), cmd.OutOrStdout(), cmd.ErrOrStderr(), args[0])
		},
	}
	f.pki.add(cmd)
	flags := cmd.Flags()
	flags.StringToStringVar(&f.options, "option", nil, "option of the devices as name=value; may be repeated")
	flags.StringVar(&f.profiles, "profiles", "", "folder of further profiles that may fit")
	flags.StringVar(&f.profileOut, "profile-out", "", "folder for the profiles that are made; without it only known profiles are used")
	flags.StringVar(&f.prefix, "profile-prefix", "", "what the names of those profiles begin with (default: the server's host)")
	flags.DurationVar(&f.interval, "interval", 0, "the devices' interval (default: that of the program)")
	flags.BoolVar(&f.subscribe, "subscribe", false, "propose devices that are subscribed instead of polled")
	flags.StringVar(&f.limits.Root, "root", "", "node id to begin at (default: the Objects folder)")
	flags.IntVar(&f.limits.Depth, "depth", 10, "how deep objects within objects are followed")
	flags.IntVar(&f.limits.Nodes, "nodes", 20000, "how many nodes are visited at most")
	flags.DurationVar(&f.limits.Time, "time", time.Minute, "how long the walk may take")
	return cmd
}

// folder is where the profiles lie that the devices file names.
func (f *browseFlags) folder() (string, error) {
	if f.profiles != "" && f.profileOut != "" && filepath.Clean(f.profiles) != filepath.Clean(f.profileOut) {
		return "", errors.New("--profiles and --profile-out name two folders, and a devices file can name one; give the same folder")
	}
	if f.profileOut != "" {
		return f.profileOut, nil
	}
	return f.profiles, nil
}

func (f *browseFlags) run(ctx context.Context, out, progress io.Writer, address string) (err error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "opc.tcp" || u.Hostname() == "" {
		return badInput{fmt.Errorf("%q is no OPC UA address; write it as opc.tcp://host:4840/path", address)}
	}
	if err := noSecret(f.options); err != nil {
		return badInput{err}
	}
	folder, err := f.folder()
	if err != nil {
		return badInput{err}
	}
	profiles, err := f.known(folder)
	if err != nil {
		return badInput{err}
	}
	opts := opcuaOptions(nil, nil)
	if f.pki.config != "" || f.pki.dir != "" {
		cfg, err := f.pki.load()
		if err != nil {
			return badInput{err}
		}
		opts = opcuaOptions(cfg, nil)
	}
	d := opcua.New(opts)
	defer func() { err = errors.Join(err, d.Close()) }()
	dev := drivers.Device{ID: "browse", URL: u, Options: f.options, Interval: f.interval}
	if f.subscribe {
		dev.Mode = drivers.Subscribe
	}
	space, err := d.Browse(ctx, dev, f.limits)
	if err != nil {
		return fmt.Errorf("browse: %w", err)
	}
	prefix := f.prefix
	if prefix == "" {
		prefix = u.Hostname()
	}
	p := space.Propose(profiles, prefix)
	if f.profileOut != "" {
		if err := writeProfiles(f.profileOut, p.Profiles, address); err != nil {
			return err
		}
	} else {
		p.KnownOnly()
	}
	if err := p.WriteDevices(out, dev, space, folder); err != nil {
		return fmt.Errorf("browse: %w", err)
	}
	fmt.Fprintf(progress, "%d nodes visited, %d devices, %d profiles made, %d numbers left out\n", space.Visited, len(p.Devices), len(p.Profiles), len(p.Unmatched))
	return nil
}

// known loads the profiles that may fit: shipped, simulated, and the folder's.
func (f *browseFlags) known(folder string) (map[string]*profile.Profile, error) {
	further := []fs.FS{sim.Profiles()}
	if folder != "" {
		switch info, err := os.Stat(folder); {
		case err == nil && info.IsDir():
			further = append(further, os.DirFS(folder))
		case f.profileOut == "" || err == nil || !errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%s is not a folder of profiles; name one", folder)
		}
	}
	return host.Profiles(further...)
}

// writeProfiles writes new profiles. A file that is there is never replaced.
func writeProfiles(folder string, list []opcua.ProposedProfile, server string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil { //nolint:gosec // profiles are no secret
		return fmt.Errorf("profiles: %w", err)
	}
	for i := range list {
		path := filepath.Join(folder, list[i].Name+".yaml")
		file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) //nolint:gosec // as above
		if err != nil {
			if errors.Is(err, fs.ErrExist) {
				return fmt.Errorf("%s is already there, and does not fit this server; choose other names with --profile-prefix", path)
			}
			return fmt.Errorf("profiles: %w", err)
		}
		err = list[i].Write(file, server, time.Now())
		if err := errors.Join(err, file.Close()); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
	}
	return nil
}
