package profile

import (
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Modbus is the register map of a device and the limits on reading it.
type Modbus struct {
	Order        Order                 `yaml:"order"`         // default of the points; ABCD where absent
	Base         uint16                `yaml:"base"`          // added to every address of the file; Parse has done so
	MaxRegisters int                   `yaml:"max_registers"` // of one request; 125 where absent
	MaxGap       int                   `yaml:"max_gap"`       // unused registers that a block may span; 16 where absent
	MaxBits      int                   `yaml:"max_bits"`      // of one request of coils or discrete inputs; 2000 where absent
	MaxBitGap    int                   `yaml:"max_bit_gap"`   // unused bits that a block may span; 64 where absent
	Forbidden    []Forbidden           `yaml:"forbidden"`     // never read, not even within a block
	Absent       map[Encoding][]uint64 `yaml:"absent"`        // default of the points, by encoding
	Points       []ModbusPoint         `yaml:"points"`
	Clock        *Clock                `yaml:"clock"`
	Identity     []Identity            `yaml:"identity"`

	blocks   [][]Block // by group
	identity []Block
}

// Blocks returns the read plan of a group, an index into Profile.Groups: few
// requests that cover its points.
func (m *Modbus) Blocks(group int) []Block { return m.blocks[group] }

// Forbidden is a range of registers or bits that must not be read.
type Forbidden struct {
	Table Table  `yaml:"table"`
	From  uint16 `yaml:"from"`
	To    uint16 `yaml:"to"` // inclusive
}

// Table is one of the four tables of Modbus.
type Table string

// Tables, with the function code that reads them.
const (
	Coil     Table = "coil"     // 1, bits
	Discrete Table = "discrete" // 2, bits
	Holding  Table = "holding"  // 3, registers of 16 bits
	Input    Table = "input"    // 4, registers of 16 bits
)

// Function returns the function code that reads the table.
func (t Table) Function() byte {
	switch t {
	case Coil:
		return 1
	case Discrete:
		return 2
	case Input:
		return 4
	}
	return 3
}

// Bits reports whether the table is one of bits, not of registers.
func (t Table) Bits() bool { return t == Coil || t == Discrete }

// ModbusPoint is one quantity in the registers or bits of a device.
//
// Its value is code * 10^exponent * Scale + Offset in Quantity's unit.
type ModbusPoint struct {
	Quantity meter.Quantity `yaml:"quantity"`
	Table    Table          `yaml:"table"`
	Address  uint16         `yaml:"address"` // as on the wire, counted from 0 (register 40001 of old manuals is 0)
	Encoding Encoding       `yaml:"encoding"`
	Order    Order          `yaml:"order"`
	Bit      *uint8         `yaml:"bit"`  // of a register, 0 the least significant
	Mask     uint64         `yaml:"mask"` // of Bit and bitfields, in ABCD order
	Scale    float64        `yaml:"scale"`
	Offset   float64        `yaml:"offset"`

	// Exponent is the address, in the same table, of a register that holds the
	// power of ten as an int16; 0x8000 there means that there is no value. It is
	// always read in one request with the value. ExponentMask selects bits of
	// that register, which are then an unsigned number.
	Exponent     *uint16 `yaml:"exponent"`
	ExponentMask uint16  `yaml:"exponent_mask"`

	Absent   []uint64  `yaml:"absent"`   // codes, as unsigned integers in ABCD order, that mean "no value"
	Range    []float64 `yaml:"range"`    // [lowest, highest] believable value, after scaling
	Rollover float64   `yaml:"rollover"` // where a cumulative register returns to zero, after scaling; 0 = not known
	Side     Side      `yaml:"side"`     // primary where absent
	Group    string    `yaml:"group"`    // read with the others of the group; with the ungrouped where absent

	conv      converter
	registers int // where the encoding does not say
	mask      uint64
	swaps     uint8
	bits      bool // it lies in a table of bits
	size      int  // bytes that decoding takes
	width     int  // bytes of the value without its exponent
	clock     *clockReader
}

// Registers returns how many registers the point's value occupies, or bits in
// a table of bits.
func (p *ModbusPoint) Registers() int {
	if p.registers > 0 {
		return p.registers
	}
	return p.Encoding.Registers()
}

// Size returns how many bytes Decode takes: those of the value's registers,
// then the two of its exponent where it has one. A bit of a bit table is one
// byte, 0 or 1.
func (p *ModbusPoint) Size() int {
	switch {
	case p.Table.Bits():
		return 1
	case p.Exponent != nil:
		return 2*p.Registers() + 2
	}
	return 2 * p.Registers()
}

// span returns what must be read for the point, [from, end) of its table.
func (p *ModbusPoint) span() (from, end int) {
	from, end = int(p.Address), int(p.Address)+p.Registers()
	if p.Exponent != nil {
		from, end = min(from, int(*p.Exponent)), max(end, int(*p.Exponent)+1)
	}
	return from, end
}

// prepare computes what decoding needs; the point is valid.
func (p *ModbusPoint) prepare() {
	p.conv = newConverter(p.Scale, p.Offset, p.Range)
	p.swaps = p.Order.swaps(2 * p.Registers())
	p.bits, p.size, p.width = p.Table.Bits(), p.Size(), 2*p.Registers()
	p.mask = p.Mask
	if p.Bit != nil {
		p.mask = 1 << *p.Bit
	}
	if p.bits {
		p.mask = 1
	}
}

// Decode gives the meaning of the point's bytes as they came: what Block.Bytes
// returns. A clock needs DecodeAt.
func (p *ModbusPoint) Decode(raw []byte) Value { return p.DecodeAt(raw, time.Time{}) }
