package fleet

import (
	"fmt"
	"strings"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Quantities are what Gridwarden's profile calls the points of List: powers,
// which may be anything and change from second to second.
func Quantities() [Points]meter.Quantity {
	return [Points]meter.Quantity{
		meter.ActivePower, meter.ReactivePowerA, meter.ActivePowerA, meter.ReactivePowerB, meter.ActivePowerB,
		meter.ReactivePowerC, meter.ActivePowerC, meter.ApparentPower, meter.ReactivePower, meter.ApparentPowerA,
	}
}

// Profile is Gridwarden's register map of the devices, the text of bench.yaml.
func Profile() string {
	var b strings.Builder
	b.WriteString("name: bench\nmanufacturer: Gridwarden\nmodel: benchmark\nsource: package fleet of the polling benchmark\nstatus: simulated\n" +
		"protocol: modbus\nmodbus:\n  points:\n")
	names := Quantities()
	for i, p := range List() {
		encoding := "uint16"
		if p.Float {
			encoding = "float32"
		}
		fmt.Fprintf(&b, "    - {quantity: %s, table: holding, address: %d, encoding: %s}\n", names[i], p.Address, encoding)
	}
	return b.String()
}
