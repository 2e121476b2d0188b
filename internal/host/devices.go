package host

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"slices"
	"strings"

	"github.com/gridwarden/gridwarden/configs"
	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/grid"
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
	if cfg.Profiles != "" {
		if info, err := os.Stat(cfg.Profiles); err != nil || !info.IsDir() {
			return nil, fmt.Errorf("profiles: %s is not a folder; name the folder that holds your device profiles", cfg.Profiles)
		}
		further = append(further, os.DirFS(cfg.Profiles))
	}
	return Profiles(further...)
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
	return devices, errors.Join(problems...)
}

// ratiosOf lists the ratios of the usage points that a meter has served, by
// the time from which each held.
func ratiosOf(network *grid.Network, meterID string) []drivers.Ratio {
	var out []drivers.Ratio
	for _, point := range network.UsagePointsOfMeter(meterID) {
		out = append(out, drivers.Ratio{From: point.ValidFrom, Factor: point.Factor(), CT: point.CTRatio, PT: point.PTRatio})
	}
	slices.SortFunc(out, func(a, b drivers.Ratio) int { return a.From.Compare(b.From) })
	return out
}

// resolveDevices turns configured devices into drivers' devices: with profile,
// address, and the factor from secondary to primary values of the meter's
// usage point.
func resolveDevices(list []config.Device, profiles map[string]*profile.Profile, registry *drivers.Registry, network *grid.Network) ([]drivers.Device, error) {
	out := make([]drivers.Device, 0, len(list))
	var problems []error
	for _, c := range list {
		u, err := url.Parse(c.URL)
		if err != nil {
			problems = append(problems, fmt.Errorf("device %s: %q is not an address: %w", c.ID, c.URL, err))
			continue
		}
		p := profiles[c.Profile]
		if p == nil {
			problems = append(problems, fmt.Errorf("device %s: no profile %q; there are %s", c.ID, c.Profile, strings.Join(slices.Sorted(maps.Keys(profiles)), ", ")))
			continue
		}
		d := drivers.Device{
			ID: c.ID, MeterID: c.MeterID, URL: u, Profile: p, Mode: drivers.Mode(c.Mode),
			Interval: c.Interval, Timeout: c.Timeout, Options: c.Options, Groups: c.Groups,
		}
		if network != nil {
			d.Ratios = ratiosOf(network, c.MeterID)
		}
		driver, err := registry.For(u)
		if err == nil {
			err = driver.Check(d)
		}
		if err != nil {
			problems = append(problems, err)
			continue
		}
		out = append(out, d)
	}
	return out, errors.Join(problems...)
}
