package host

import (
	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// fleet is all that the configuration says is polled, by this host or another.
type fleet struct {
	devices   []drivers.Device
	rollovers map[register]float64
}

// register is a cumulative register of a meter.
type register struct {
	meterID  string
	quantity meter.Quantity
}

// setFleet takes the devices that are polled from now on.
func (h *Host) setFleet(devices []drivers.Device) {
	f := &fleet{devices: devices, rollovers: make(map[register]float64)}
	for i := range devices {
		d := &devices[i]
		factor := 1.0
		if n := len(d.Ratios); n > 0 && d.Ratios[n-1].Factor != 0 {
			factor = d.Ratios[n-1].Factor
		}
		for _, q := range d.Profile.Quantities() {
			if top := d.Profile.Rollover(q); top > 0 {
				f.rollovers[register{d.MeterID, q}] = top * factor
			}
		}
	}
	h.fleet.Store(f)
}

// rollover is the primary value at which a meter's register begins anew, where
// its device's profile says so.
func (h *Host) rollover(meterID string, q meter.Quantity) (top float64, known bool) {
	f := h.fleet.Load()
	if f == nil {
		return 0, false
	}
	top, known = f.rollovers[register{meterID, q}]
	return top, known
}
