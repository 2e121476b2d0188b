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

// Sink takes readings. The slice is the sink's to keep. An error makes the
// poller offer the same readings again; a sink must bear seeing some twice.
type Sink func(context.Context, []meter.Reading) error

// Config is what a Poller needs.
type Config struct {
	Devices []drivers.Device
	Drivers *drivers.Registry
	Sink    Sink

	Logger  *slog.Logger          // slog.Default() where nil
	Metrics prometheus.Registerer // none where nil
	Now     func() time.Time      // clock of schedules and status; time.Now where nil

	Slot        time.Duration // devices that are due wake together; 20 ms where zero
	FlushEvery  time.Duration // readings wait so long for company; 50 ms where zero
	BatchSize   int           // or until so many are there; 4,096 where zero
	MaxBuffered int           // readings waiting for the sink before reading stops; 100,000 where zero
	Grace       time.Duration // for the last readings after Run's context ended; 700 ms where zero
}

func (c *Config) setDefaults() {
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Slot == 0 {
		c.Slot = 20 * time.Millisecond
	}
	if c.FlushEvery == 0 {
		c.FlushEvery = 50 * time.Millisecond
	}
	if c.BatchSize == 0 {
		c.BatchSize = 4096
	}
	if c.MaxBuffered == 0 {
		c.MaxBuffered = 100_000
	}
	if c.Grace == 0 {
		c.Grace = 700 * time.Millisecond
	}
}

// check validates the devices against each other and by their drivers.
func (c *Config) check() error {
	var list []error
	if c.Sink == nil || c.Drivers == nil {
		list = append(list, errors.New("poll: Sink and Drivers must be set"))
	}
	seen := make(map[string]bool, len(c.Devices))
	for i := range c.Devices {
		d := &c.Devices[i]
		switch {
		case d.ID == "":
			list = append(list, fmt.Errorf("device %d of %d has no id; give it one", i+1, len(c.Devices)))
			continue
		case seen[d.ID]:
			list = append(list, fmt.Errorf("device %s is listed twice; keep one or rename it", d.ID))
			continue
		case d.Interval < drivers.MinInterval || d.Interval > drivers.MaxInterval:
			list = append(list, fmt.Errorf("device %s: interval %v; it must be from %v to %v", d.ID, d.Interval, drivers.MinInterval, drivers.MaxInterval))
		case d.URL == nil:
			list = append(list, fmt.Errorf("device %s has no URL; write one such as modbus://host:port/unit", d.ID))
			continue
		}
		seen[d.ID] = true
		if c.Drivers == nil {
			continue
		}
		drv, err := c.Drivers.For(d.URL)
		if err != nil {
			list = append(list, fmt.Errorf("device %s: %w", d.ID, err))
			continue
		}
		if err := drv.Check(*d); err != nil {
			list = append(list, err)
		}
	}
	return errors.Join(list...)
}
