package path

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/modbus"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/internal/poll"
	"github.com/gridwarden/gridwarden/internal/poll/bench/fleet"
	"github.com/gridwarden/gridwarden/internal/stream"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// polled is the poll path, made anew for every round; the stream stays.
type polled struct {
	devices []drivers.Device
	number  map[string]int         // of package fleet, by id
	point   map[meter.Quantity]int // of package fleet
	stream  *stream.Stream
	log     *slog.Logger
	wrong   atomic.Int64 // readings that were not good or not what the device held
	checked atomic.Int64
}

func newPolled(addresses []string, s *stream.Stream, log *slog.Logger) (*polled, error) {
	p, err := profile.Parse("bench.yaml", []byte(fleet.Profile()))
	if err != nil {
		return nil, fmt.Errorf("profile of the benchmark: %w", err)
	}
	if blocks := p.Modbus.Blocks(0); len(blocks) != 1 || blocks[0].Address != firstReg || blocks[0].Count != registers {
		return nil, fmt.Errorf("the profile is read as %+v, but the plain loop reads %d registers from %d", blocks, registers, firstReg)
	}
	out := &polled{number: make(map[string]int), point: make(map[meter.Quantity]int), stream: s, log: log}
	for i, q := range fleet.Quantities() {
		out.point[q] = i
	}
	for i, a := range addresses {
		id := fmt.Sprintf("dev%04d", i)
		out.number[id] = i
		out.devices = append(out.devices, drivers.Device{
			ID: id, MeterID: id, URL: &url.URL{Scheme: "modbus", Host: a, Path: "/1"}, Profile: p, Interval: time.Second,
		})
	}
	return out, nil
}

// sink publishes, and holds the first readings of each batch to what their
// devices held.
func (p *polled) sink(ctx context.Context, list []meter.Reading) error {
	for i := range list[:min(len(list), fleet.Points)] {
		p.check(&list[i])
	}
	return p.stream.PublishReadings(ctx, list)
}

func (p *polled) check(r *meter.Reading) {
	p.checked.Add(1)
	device, point := p.number[r.DeviceID], p.point[r.Quantity]
	if r.Quality == meter.Good {
		for s := r.ReceiveTime.Unix(); s >= r.ReceiveTime.Unix()-1; s-- {
			if fleet.Values(device, s)[point] == r.Value {
				return
			}
		}
	}
	p.wrong.Add(1)
}

// round polls without pause, and measures after a warm-up.
func (p *polled) round(ctx context.Context, w watch) (_ phase, err error) {
	driver := modbus.New(modbus.Options{})
	defer func() { err = errors.Join(err, driver.Close()) }()
	poller, err := poll.New(poll.Config{
		Devices: p.devices, Drivers: drivers.NewRegistry(driver), Sink: p.sink, Logger: p.log, Continuous: true,
	})
	if err != nil {
		return phase{}, fmt.Errorf("poll path: %w", err)
	}
	polling, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- poller.Run(polling) }()
	got, err := w.run(ctx, func() int64 {
		return int64(poller.Totals()[driver.Name()].OK) //nolint:gosec // a count
	})
	stop()
	if err = errors.Join(err, <-ended); err != nil {
		return phase{}, fmt.Errorf("poll path: %w", err)
	}
	totals := poller.Totals()[driver.Name()]
	if totals.Failed > 0 || p.wrong.Load() > 0 {
		return phase{}, fmt.Errorf("poll path: %d of %d polls failed, %d of %d readings that were looked at are wrong: %s",
			totals.Failed, totals.Due, p.wrong.Load(), p.checked.Load(), lastErrors(poller.Status()))
	}
	return got, nil
}

// lastErrors is what some devices say.
func lastErrors(list []poll.DeviceStatus) string {
	var said []string
	for i := range list {
		if list[i].LastError != "" && len(said) < 3 {
			said = append(said, list[i].LastError)
		}
	}
	return strings.Join(said, "; ")
}
