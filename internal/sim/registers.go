package sim

import (
	"math"

	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// readRegisters answers a read of count registers from address with v laid out
// by the profile, and says which quantities went out whole, decoded from the
// very bytes. Registers between points read as zero, as on most devices; a
// range that touches no point at all is an illegal address.
func readRegisters(p *profile.Modbus, v *values, function byte, address, count uint16) (data []byte, sent map[meter.Quantity]float64, exception byte) {
	table := profile.Holding
	if function == fcReadInput {
		table = profile.Input
	}
	data = make([]byte, 2*int(count))
	sent = make(map[meter.Quantity]float64, len(p.Points))
	touched := false
	for i := range p.Points {
		pt := &p.Points[i]
		at := int(pt.Address) - int(address)
		size := pt.Registers()
		if pt.Table != table || at+size <= 0 || at >= int(count) {
			continue
		}
		touched = true
		raw, err := pt.Encode(v.get(pt.Quantity))
		if err != nil {
			return nil, nil, exServerFailure // a value beyond its register: a fault of the model
		}
		for k, b := range raw {
			if to := 2*at + k; to >= 0 && to < len(data) {
				data[to] = b
			}
		}
		if at >= 0 && at+size <= int(count) {
			if n := pt.Decode(raw).Number; !math.IsNaN(n) {
				sent[pt.Quantity] = n
			}
		}
	}
	if !touched {
		return nil, nil, exIllegalAddress
	}
	return data, sent, 0
}
