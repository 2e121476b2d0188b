package profile

import "github.com/gridwarden/gridwarden/plugins/sdk/meter"

// chunk is how many registers one reading of a profile of registers carries:
// a reading's native code is at most 32 bytes.
const chunk = 16

// OfRegisters returns a profile that reads the given blocks as they are, one
// group a block: the readings of a group carry, one after the other, the
// block's registers in Raw, or its bits a byte each. It is for looking at a
// device whose profile is not known yet.
func OfRegisters(name string, blocks []Block) *Profile {
	m := &Modbus{Order: ABCD, MaxRegisters: defaultMaxRegisters, MaxBits: defaultMaxBits}
	p := &Profile{Name: name, Status: Simulated, Protocol: ProtocolModbus, Modbus: m, groups: []Group{}}
	for _, b := range blocks {
		g := Group{Name: name}
		for from := 0; from < int(b.Count); {
			n := min(chunk, int(b.Count)-from)
			pt := ModbusPoint{
				Quantity: meter.ActivePower, // of no meaning; a reading must have one
				Table:    b.Table, Address: b.Address + uint16(from), Encoding: rawEncoding, Order: ABCD, Scale: 1, Side: Primary, registers: n,
			}
			if b.Table.Bits() {
				n, pt.registers = 1, 1
			}
			pt.prepare()
			g.Points = append(g.Points, len(m.Points))
			m.Points = append(m.Points, pt)
			from += n
		}
		p.groups = append(p.groups, g)
	}
	for _, g := range p.groups {
		m.blocks = append(m.blocks, m.plan(g.Points))
	}
	return p
}
