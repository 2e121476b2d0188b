package poll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Sink takes readings. It must not use the slice after it returned: the
// poller fills it again. An error makes the poller offer the same readings
// again; a sink must bear seeing some twice.
type Sink func(context.Context, []meter.Reading) error

// Config is what a Poller needs.
type Config struct {
	Devices []drivers.Device
	Drivers *drivers.Registry
	Sink    Sink

	// Gate says whether devices may be read now; nil: always. While it is closed
	// no turn is given and nothing that waits is sent. It is cheap, and asked by
	// several goroutines. Drivers that ask it themselves, before each request,
	// are told by drivers.Registry.Gate.
	Gate func() bool

	Logger  *slog.Logger          // slog.Default() where nil
	Metrics prometheus.Registerer // none where nil
	Now     func() time.Time      // clock of schedules and status; time.Now where nil

	Slot        time.Duration // turns that are due wake together; a tenth of the shortest interval where zero, 20 to 100 ms
	Ramp        int           // devices of which no connection is known that are tried in one slot; 200 where zero
	FlushEvery  time.Duration // readings wait so long for company; 200 ms where zero
	BatchSize   int           // or until so many are there; 2,048 where zero
	MaxBuffered int           // readings waiting for the sink before reading stops; 100,000 where zero
	Grace       time.Duration // for the last reads and readings after Run's context ended; 700 ms where zero

	Quality  Quality  // when values are doubted
	Backfill Backfill // what is asked of histories after an outage

	// Continuous reads every group again as soon as it was read, whatever its
	// interval: for measurements of what the path can carry.
	Continuous bool
}

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Slot == 0 {
		c.Slot = c.slot()
	}
	if c.Ramp == 0 {
		c.Ramp = 200
	}
	if c.FlushEvery == 0 {
		c.FlushEvery = 200 * time.Millisecond
	}
	if c.BatchSize == 0 {
		c.BatchSize = 2048
	}
	if c.MaxBuffered == 0 {
		c.MaxBuffered = 100_000
	}
	c.Quality.setDefaults()
	c.Backfill.setDefaults()
	if c.Grace == 0 {
		c.Grace = 700 * time.Millisecond
	}
}

// Bounds of the slot where none is set.
const (
	shortestSlot = 20 * time.Millisecond
	longestSlot  = 100 * time.Millisecond
)

// SlotOf is the slot of a poller that is to read devices which it is given
// later, by Apply.
func SlotOf(devices []drivers.Device) time.Duration {
	c := Config{Devices: devices}
	return c.slot()
}

// slot is a tenth of the shortest interval of any group: waking up costs as
// much as some polls, and no device is read later for it than that.
func (c *Config) slot() time.Duration {
	slot := longestSlot
	for i := range c.Devices {
		d := &c.Devices[i]
		if d.Profile == nil {
			continue
		}
		for g := range d.Profile.Groups() {
			slot = min(slot, d.GroupInterval(g)/10)
		}
	}
	return max(slot, shortestSlot)
}

// check validates what is not about single devices, then the devices.
func (c *Config) check() error {
	if c.Sink == nil || c.Drivers == nil {
		return errors.New("poll: Sink and Drivers must be set")
	}
	return checkDevices(c.Devices, c.Drivers)
}

// Check validates devices against each other and by their drivers, as New and
// Apply do. It touches no network.
func Check(devices []drivers.Device, registry *drivers.Registry) error {
	return checkDevices(devices, registry)
}

func checkDevices(devices []drivers.Device, registry *drivers.Registry) error {
	var list []error
	seen := make(map[string]bool, len(devices))
	together := make(map[drivers.Driver][]drivers.Device)
	for i := range devices {
		d := &devices[i]
		switch {
		case d.ID == "":
			list = append(list, fmt.Errorf("device %d of %d has no id; give it one", i+1, len(devices)))
			continue
		case seen[d.ID]:
			list = append(list, fmt.Errorf("device %s is listed twice; keep one or rename it", d.ID))
			continue
		case d.Interval < drivers.MinInterval || d.Interval > drivers.MaxInterval:
			list = append(list, fmt.Errorf("device %s: interval %v; it must be from %v to %v", d.ID, d.Interval, drivers.MinInterval, drivers.MaxInterval))
		case d.URL == nil:
			list = append(list, fmt.Errorf("device %s has no URL; write one such as modbus://host:port/unit", d.ID))
			continue
		case d.Profile == nil:
			list = append(list, fmt.Errorf("device %s has no profile; name one", d.ID))
			continue
		}
		seen[d.ID] = true
		drv, err := registry.For(d.URL)
		if err != nil {
			list = append(list, fmt.Errorf("device %s: %w", d.ID, err))
			continue
		}
		if err := drv.Check(*d); err != nil {
			list = append(list, err)
			continue
		}
		together[drv] = append(together[drv], *d)
		for g, group := range d.Profile.Groups() {
			if every := d.GroupInterval(g); group.Name != "" && (every < drivers.MinInterval || every > drivers.MaxInterval) {
				list = append(list, fmt.Errorf("device %s: interval %v of group %s; it must be from %v to %v", d.ID, every, group.Name, drivers.MinInterval, drivers.MaxInterval))
			}
		}
	}
	for _, drv := range registry.Drivers() {
		if c, ok := drv.(togetherChecker); ok {
			if err := c.CheckTogether(together[drv]); err != nil {
				list = append(list, err)
			}
		}
	}
	return errors.Join(list...)
}

// togetherChecker is implemented by drivers whose devices must agree on
// something, such as the settings of a line that they share.
type togetherChecker interface {
	CheckTogether([]drivers.Device) error
}
