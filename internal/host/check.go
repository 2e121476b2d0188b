package host

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// Checked says what a configuration amounts to.
type Checked struct {
	Devices      int
	Profiles     int
	Transformers int
	UsagePoints  int
	Exports      int // files that the patterns match now
	Warnings     []string
}

// Check validates everything that a configuration names without touching the
// network or the data folder: registry, profiles, devices, policy pack.
func Check(cfg *config.Config, linked *drivers.Registry, further ...fs.FS) (*Checked, error) {
	var out Checked
	var problems []error
	reference, err := LoadReference()
	if err != nil {
		return nil, err
	}
	var network *grid.Network
	if cfg.Registry != "" {
		n, report, err := reference.LoadRegistry(cfg.Registry, cfg.Location())
		if err != nil {
			problems = append(problems, err)
		} else {
			network = n
			out.Transformers, out.UsagePoints, out.Warnings = len(n.Transformers), len(n.UsagePoints), report.Warnings
		}
	}
	if _, err := LoadPolicy(cfg.Cases.Policy); err != nil {
		problems = append(problems, err)
	}
	exports, err := exportFiles(cfg.Readings)
	problems = append(problems, err)
	out.Exports = len(exports)
	devices, known, err := loadDevices(cfg, linked, network, nil, further...)
	problems = append(problems, err)
	out.Devices, out.Profiles = len(devices), len(known)
	out.Warnings = append(out.Warnings, strangers(devices, network)...)
	return &out, errors.Join(problems...)
}

// strangers warns of devices whose meter is in no record: their readings are
// kept, but no detector sees them.
func strangers(devices []drivers.Device, network *grid.Network) []string {
	if network == nil {
		return nil
	}
	count, example := 0, ""
	for i := range devices {
		id := devices[i].MeterID
		if network.TransformerOfMeter(id) == nil && network.UsagePointOfMeter(id, time.Now()) == nil {
			if count == 0 {
				example = id
			}
			count++
		}
	}
	if count == 0 {
		return nil
	}
	return []string{fmt.Sprintf("%d devices read meters that the registry does not have, such as %q; their readings are stored, but no detector sees them", count, example)}
}
