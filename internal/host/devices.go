package host

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gridwarden/gridwarden/configs"
	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/grid"
	"github.com/gridwarden/gridwarden/internal/poll"
)

// Profiles loads the shipped device profiles and those of further folders; a
// later folder's profile replaces an earlier one of the same name.
func Profiles(further ...fs.FS) (map[string]*profile.Profile, error) {
	shipped, err := fs.Sub(configs.FS, "profiles")
	if err != nil {
		return nil, fmt.Errorf("shipped profiles: %w", err)
	}
	all := make(map[string]*profile.Profile)
	for _, folder := range append([]fs.FS{shipped}, further...) {
		loaded, err := profile.LoadFS(folder)
		if err != nil {
			return nil, fmt.Errorf("device profiles:\n%w", err)
		}
		maps.Copy(all, loaded)
	}
	return all, nil
}

// profilesOf loads the profiles that a configuration can name.
func profilesOf(cfg *config.Config, further ...fs.FS) (map[string]*profile.Profile, error) {
	all, err := Profiles(further...)
	if err != nil || cfg.Profiles == "" {
		return all, err
	}
	if info, err := os.Stat(cfg.Profiles); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("profiles: %s is not a folder; name the folder that holds your device profiles", cfg.Profiles)
	}
	own, err := profile.LoadFS(os.DirFS(cfg.Profiles))
	if err != nil {
		inFolder(cfg.Profiles, err)
		return nil, err
	}
	maps.Copy(all, own)
	return all, nil
}

// inFolder makes the mistakes in err name their files as people find them.
func inFolder(dir string, err error) {
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range many.Unwrap() {
			inFolder(dir, one)
		}
		return
	}
	var mistake *profile.Error
	if errors.As(err, &mistake) {
		mistake.File = filepath.Join(dir, mistake.File)
	}
}

// configuredDevices returns the devices of the file and of its device files.
func configuredDevices(cfg *config.Config) ([]config.Device, error) {
	devices := slices.Clone(cfg.Devices)
	var problems []error
	for _, file := range cfg.DeviceCSV {
		more, err := config.ReadDeviceFile(file)
		if err != nil {
			problems = append(problems, err)
		}
		devices = append(devices, more...)
	}
	first := make(map[string]string, len(devices))
	once := devices[:0]
	for _, d := range devices {
		if other, twice := first[d.ID]; twice {
			problems = append(problems, placed(d.At, fmt.Errorf("device %s stands at %s already; give each device an id of its own", d.ID, other)))
			continue
		}
		first[d.ID] = d.At
		once = append(once, d)
	}
	return once, errors.Join(problems...)
}

// placed says where in a file a problem is, where that is known.
func placed(at string, err error) error {
	if at == "" {
		return err
	}
	return fmt.Errorf("%s: %w", at, err)
}

// loadDevices reads everything that says what is polled: devices, device
// files and profiles. A profile that is the same as one of before is that one,
// so that devices share it. The error holds all that is wrong, a line each.
func loadDevices(cfg *config.Config, linked *drivers.Registry, network *grid.Network, before map[string]*profile.Profile, further ...fs.FS) ([]drivers.Device, map[string]*profile.Profile, error) {
	configured, err := configuredDevices(cfg)
	profiles, badProfiles := profilesOf(cfg, further...)
	if badProfiles != nil {
		return nil, nil, errors.Join(err, badProfiles)
	}
	for name, p := range profiles {
		if same := before[name]; same != nil && same.Digest() != "" && same.Digest() == p.Digest() {
			profiles[name] = same
		}
	}
	devices, bad := resolveDevices(configured, profiles, network)
	wrong := poll.Check(devices, linked)
	return devices, profiles, errors.Join(err, bad, located(wrong, configured))
}

// located says of each line of an error that begins with a device where that
// device stands.
func located(err error, devices []config.Device) error {
	if err == nil {
		return nil
	}
	at := make(map[string]string, len(devices))
	for i := range devices {
		at[devices[i].ID] = devices[i].At
	}
	lines := problemLines(err)
	for i, line := range lines {
		rest, ofDevice := strings.CutPrefix(line, "device ")
		for end := 0; ofDevice && end < len(rest); end++ {
			if place := at[rest[:end]]; place != "" && strings.ContainsRune(": ", rune(rest[end])) {
				lines[i], ofDevice = place+": "+line, false
			}
		}
	}
	return errors.New(strings.Join(lines, "\n"))
}

// ratiosOf lists the ratios of the usage points that a meter has served, by
// the time from which each held. After the end of the last, or in a gap
// between two, there is none.
func ratiosOf(network *grid.Network, meterID string) []drivers.Ratio {
	points := slices.Clone(network.UsagePointsOfMeter(meterID))
	slices.SortStableFunc(points, func(a, b *grid.UsagePoint) int { return a.ValidFrom.Compare(b.ValidFrom) })
	var out []drivers.Ratio
	add := func(r drivers.Ratio) {
		if n := len(out); n > 0 && !out[n-1].From.Before(r.From) {
			return // a meter that is at two places at once: the registry warns of it
		}
		out = append(out, r)
	}
	for i, p := range points {
		add(drivers.Ratio{From: p.ValidFrom, Factor: p.Factor(), CT: p.CTRatio, PT: p.PTRatio})
		if !p.ValidTo.IsZero() && (i+1 == len(points) || points[i+1].ValidFrom.After(p.ValidTo)) {
			add(drivers.Ratio{From: p.ValidTo})
		}
	}
	return out
}

// resolveDevices turns configured devices into drivers' devices: with profile,
// address, and the factors from secondary to primary values of the meter's
// usage points.
func resolveDevices(list []config.Device, profiles map[string]*profile.Profile, network *grid.Network) ([]drivers.Device, error) {
	out := make([]drivers.Device, 0, len(list))
	var problems []error
	for _, c := range list {
		u, err := url.Parse(c.URL)
		if err != nil {
			problems = append(problems, placed(c.At, fmt.Errorf("device %s: its url is no address; write it as modbus://host:502/unit or opc.tcp://host:4840", c.ID)))
			continue
		}
		p := profiles[c.Profile]
		if p == nil {
			problems = append(problems, placed(c.At, fmt.Errorf("device %s: no profile %q; there are %s", c.ID, c.Profile, strings.Join(slices.Sorted(maps.Keys(profiles)), ", "))))
			continue
		}
		d := drivers.Device{
			ID: c.ID, MeterID: c.MeterID, URL: u, Profile: p, Mode: drivers.Mode(c.Mode),
			Interval: c.Interval, Timeout: c.Timeout, Options: c.Options, Groups: c.Groups,
		}
		if network != nil {
			d.Ratios = ratiosOf(network, c.MeterID)
		}
		if err := checkGroups(&d); err != nil {
			problems = append(problems, placed(c.At, err))
			continue
		}
		out = append(out, d)
	}
	return out, errors.Join(problems...)
}

// checkGroups wants the groups that have intervals to be the profile's.
func checkGroups(d *drivers.Device) error {
	known := make(map[string]bool)
	for _, g := range d.Profile.Groups() {
		known[g.Name] = g.Name != ""
	}
	for name := range d.Groups {
		if !known[name] {
			return fmt.Errorf("device %s: profile %s has no group %q; correct the name, or remove the interval", d.ID, d.Profile.Name, name)
		}
	}
	return nil
}
