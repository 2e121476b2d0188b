package host

import (
	"context"
	"encoding/hex"
	"math"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/control"
	"github.com/gridwarden/gridwarden/internal/poll"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// controlled shows the devices and the stream to commands.
func (h *Host) controlled() control.Service {
	return struct {
		controlView
		streamView
		clusterView
		pluginDesk
	}{controlView{h}, streamView{h.stream}, clusterView{h}, pluginDesk{h}}
}

type controlView struct{ h *Host }

// Devices implements control.Service.
func (v controlView) Devices() []control.Device {
	list := v.h.poller.Status()
	out := make([]control.Device, len(list))
	for i := range list {
		out[i] = controlDevice(&list[i])
	}
	return out
}

// Device implements control.Service.
func (v controlView) Device(id string) (*control.Detail, bool) {
	d, ok := v.h.poller.Device(id)
	if !ok {
		return nil, false
	}
	out := &control.Detail{Device: controlDevice(&d.DeviceStatus), Notes: d.Notes}
	for i := range d.Values {
		out.Values = append(out.Values, controlValue(id, &d.Values[i]))
	}
	for _, g := range d.Groups {
		group := control.Group{Name: g.Name, IntervalS: g.Interval.Seconds(), NextTurn: g.NextTurn}
		for _, b := range g.Blocks {
			group.Blocks = append(group.Blocks, control.Block{
				Table: b.Table, Address: b.Address, Count: b.Count, Quantities: texts(b.Quantities), Nodes: b.Nodes,
			})
		}
		out.Groups = append(out.Groups, group)
	}
	return out, true
}

// Reload implements control.Service.
func (v controlView) Reload(ctx context.Context, by string) (*control.Reload, error) {
	r, err := v.h.Reload(ctx, by)
	if err != nil {
		return nil, err
	}
	return &control.Reload{
		At: r.At, By: r.By, File: r.File, Refused: r.Refused(), TookS: r.Took.Seconds(),
		Added: r.Added, Removed: r.Removed, Changed: r.Changed, Kept: r.Kept,
		Restart: r.Restart, Warnings: r.Warnings, Problems: r.Problems,
	}, nil
}

func controlDevice(s *poll.DeviceStatus) control.Device {
	d := control.Device{
		ID: s.ID, MeterID: s.MeterID, Driver: s.Driver, Address: addressOnly(s.URL), Profile: s.Profile, Mode: string(s.Mode),
		IntervalS: s.Interval.Seconds(), State: string(s.State), Since: s.Since, LastOK: s.LastOK,
		LastError: s.LastError, LastErrorAt: s.LastErrorAt, ConsecutiveFailures: s.ConsecutiveFailures,
		Reads: s.Reads, Failures: s.Failures, Missed: s.Missed,
		RoundTripMS: milliseconds(s.Latency), RoundTripP50MS: milliseconds(s.P50), RoundTripP99MS: milliseconds(s.P99),
		NextTurn: s.NextTurn, NextProbe: s.NextProbe, Connections: s.Connections, Parallel: s.Parallel,
	}
	if s.ClockKnown {
		d.ClockOffsetS = new(s.ClockOffset.Seconds())
	}
	return d
}

func controlValue(id string, v *poll.Value) control.Value {
	out := control.Value{
		Quantity: string(v.Quantity), Unit: string(v.Quantity.Unit()), Detail: withoutDevice(id, v.Detail),
		EventTime: v.EventTime, ReceiveTime: v.ReceiveTime, Raw: hex.EncodeToString(v.Raw), Flags: flagNames(v.Flags),
	}
	if !v.ReceiveTime.IsZero() {
		out.Quality = v.Quality.String()
	}
	if !math.IsNaN(v.Number) && !math.IsInf(v.Number, 0) {
		out.Value = &v.Number
	}
	return out
}

// withoutDevice leaves the device out of a message that stands under its name.
func withoutDevice(id, message string) string {
	return strings.TrimPrefix(message, "device "+id+": ")
}

// milliseconds of d; nil where there are none.
func milliseconds(d time.Duration) *float64 {
	if d <= 0 {
		return nil
	}
	return new(float64(d) / float64(time.Millisecond))
}

func flagNames(f meter.Flags) []string {
	if f == 0 {
		return nil
	}
	return strings.Split(f.String(), ";")
}

func texts(list []meter.Quantity) []string {
	out := make([]string, len(list))
	for i, q := range list {
		out[i] = string(q)
	}
	return out
}
