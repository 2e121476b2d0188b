package host

import (
	"encoding/hex"
	"net/url"

	"github.com/gridwarden/gridwarden/internal/console"
	"github.com/gridwarden/gridwarden/internal/poll"
)

func (h *Host) deviceView() []console.Device {
	list := h.poller.Status()
	out := make([]console.Device, len(list))
	for i := range list {
		out[i] = consoleDevice(&list[i])
	}
	return out
}

func consoleDevice(s *poll.DeviceStatus) console.Device {
	d := console.Device{
		ID: s.ID, MeterID: s.MeterID, Driver: s.Driver, Address: addressOnly(s.URL), Profile: s.Profile, Mode: string(s.Mode),
		Interval: s.Interval, State: string(s.State), Since: s.Since, LastGood: s.LastOK, LastTry: s.LastOK,
		Due: int64(s.Reads + s.Missed), OK: int64(s.Reads - min(s.Reads, s.Failures)), Failed: int64(s.Failures), Missed: int64(s.Missed), //nolint:gosec // counts
		RoundTrip: s.Latency, P50: s.P50, P99: s.P99, NextTurn: s.NextTurn, NextProbe: s.NextProbe,
		Connections: s.Connections, Parallel: s.Parallel, ClockKnown: s.ClockKnown, ClockOffset: s.ClockOffset,
	}
	if s.LastErrorAt.After(d.LastTry) {
		d.LastTry = s.LastErrorAt
	}
	if s.State == poll.Failing || s.State == poll.Silent {
		d.LastError = s.LastError
	}
	return d
}

// deviceDetail is all that the console shows of one device.
func (h *Host) deviceDetail(id string) (*console.DeviceDetail, bool) {
	d, ok := h.poller.Device(id)
	if !ok {
		return nil, false
	}
	out := &console.DeviceDetail{Device: consoleDevice(&d.DeviceStatus), PastError: d.LastError, PastErrorAt: d.LastErrorAt, Notes: d.Notes}
	for i := range d.Values {
		v := &d.Values[i]
		value := console.DeviceValue{
			Quantity: string(v.Quantity), Number: v.Number, Unit: string(v.Quantity.Unit()), Flags: flagNames(v.Flags), Detail: withoutDevice(id, v.Detail),
			At: v.EventTime, Received: v.ReceiveTime, Raw: hex.EncodeToString(v.Raw),
		}
		if !v.ReceiveTime.IsZero() {
			value.Quality = v.Quality.String()
		}
		out.Values = append(out.Values, value)
	}
	for _, g := range d.Groups {
		group := console.DeviceGroup{Name: g.Name, Interval: g.Interval, NextTurn: g.NextTurn}
		for _, b := range g.Blocks {
			group.Blocks = append(group.Blocks, console.DeviceBlock{Table: b.Table, Address: b.Address, Count: b.Count, Quantities: texts(b.Quantities), Nodes: b.Nodes})
		}
		out.Groups = append(out.Groups, group)
	}
	return out, true
}

// reloadView is the last reload as the console shows it, nil before the first.
func (h *Host) reloadView() *console.Reload {
	r := h.reloads.last.Load()
	if r == nil {
		return nil
	}
	return &console.Reload{
		At: r.At, By: r.By, File: r.File, Added: r.Added, Removed: r.Removed, Changed: r.Changed, Kept: r.Kept,
		Restart: r.Restart, Warnings: r.Warnings, Problems: r.Problems,
	}
}

// addressOnly leaves credentials out of an address that people see.
func addressOnly(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	u.User = nil
	return u.String()
}
