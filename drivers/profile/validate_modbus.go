package profile

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Defaults of a Modbus profile. The standard allows 125 registers or 2000 bits
// in one request; a gap of 16 registers costs less time than a second request.
const (
	defaultMaxRegisters = 125
	defaultMaxGap       = 16
	defaultMaxBits      = 2000
	defaultMaxBitGap    = 64
)

// expand adds the base to every address, makes the clock one of the points,
// and gives points what the section says for all.
func (m *Modbus) expand(ms *mistakes) {
	if m.Order == "" {
		m.Order = ABCD
	}
	shift := func(address *uint16, at ...any) {
		if to := int(*address) + int(m.Base); to > math.MaxUint16 {
			ms.add(append([]any{"modbus"}, at...), "the last register is 65535", "the base %d and %d make %d", m.Base, *address, to)
		}
		*address += m.Base
	}
	if m.Base > 0 {
		for i := range m.Points {
			shift(&m.Points[i].Address, "points", i, "address")
			if e := m.Points[i].Exponent; e != nil {
				shift(e, "points", i, "exponent")
			}
		}
		for i := range m.Forbidden {
			shift(&m.Forbidden[i].From, "forbidden", i, "from")
			shift(&m.Forbidden[i].To, "forbidden", i, "to")
		}
		for i := range m.Identity {
			if !m.Identity[i].Absolute {
				shift(&m.Identity[i].Address, "identity", i, "address")
			}
		}
		if m.Clock != nil && !m.Clock.Absolute {
			shift(&m.Clock.Address, "clock", "address")
		}
	}
	for i := range m.Points {
		pt := &m.Points[i]
		if pt.Table.Bits() && pt.Encoding == "" {
			pt.Encoding = Bit
		}
		if pt.Absent == nil {
			pt.Absent = m.Absent[pt.Encoding]
		}
	}
	if m.Clock != nil {
		if m.Clock.Order == "" {
			m.Clock.Order = m.Order
		}
		m.Points = append(m.Points, m.Clock.point())
	}
}

func (m *Modbus) validate(ms *mistakes) {
	oneOf(ms, []any{"modbus", "order"}, m.Order, Orders()...)
	limit := func(key string, value *int, low, high, standard int) {
		if !ms.has("modbus", key) {
			*value = standard
		}
		if *value < low || *value > high {
			ms.add([]any{"modbus", key}, fmt.Sprintf("from %d to %d", low, high), "%s is %d", key, *value)
		}
	}
	limit("max_registers", &m.MaxRegisters, 1, 125, defaultMaxRegisters)
	limit("max_gap", &m.MaxGap, 0, 124, defaultMaxGap)
	limit("max_bits", &m.MaxBits, 1, 2000, defaultMaxBits)
	limit("max_bit_gap", &m.MaxBitGap, 0, 1999, defaultMaxBitGap)
	for i, f := range m.Forbidden {
		at := []any{"modbus", "forbidden", i}
		oneOf(ms, append(at, "table"), f.Table, Holding, Input, Coil, Discrete)
		if f.From > f.To {
			ms.add(append(at, "from"), "from is the first register, to the last", "from %d is after to %d", f.From, f.To)
		}
	}
	for _, e := range slices.Sorted(maps.Keys(m.Absent)) {
		at := []any{"modbus", "absent", string(e)}
		if e.Registers() == 0 {
			ms.add(at, "take one of "+encodingNames(), "the encoding %q is not known", e)
		}
		validateCodes(ms, at, m.Absent[e], e)
	}
	seen := make(map[meter.Quantity]int)
	for i := range m.Points {
		pt := &m.Points[i]
		if pt.clockOf(m, i) {
			m.validateClock(ms, pt, seen)
			continue
		}
		m.validatePoint(ms, i, pt, seen)
	}
	if len(seen) == 0 && len(m.Points) == 0 {
		ms.add([]any{"modbus", "points"}, "list what the device measures", "there are no points")
	}
	m.validateIdentity(ms)
}

// clockOf reports whether the i-th point is the one made from the section clock.
func (p *ModbusPoint) clockOf(m *Modbus, i int) bool { return m.Clock != nil && i == len(m.Points)-1 }

func (m *Modbus) validateClock(ms *mistakes, pt *ModbusPoint, seen map[meter.Quantity]int) {
	at := []any{"modbus", "clock"}
	if first, twice := seen[meter.ClockOffset]; twice {
		ms.add(at, "remove one of the two", "%s is there already as point %d", meter.ClockOffset, first+1)
	}
	if !ms.has("modbus", "clock", "address") {
		ms.add(at, "write address as on the wire, counted from 0", "address is missing")
	}
	oneOf(ms, append(at, "table"), pt.Table, Holding, Input)
	oneOf(ms, append(at, "order"), pt.Order, Orders()...)
	pt.clock = m.Clock.reader(ms, at)
	if len(m.Clock.Layout) > 0 {
		m.validateSpan(ms, at, pt)
	}
}

func (m *Modbus) validatePoint(ms *mistakes, i int, pt *ModbusPoint, seen map[meter.Quantity]int) {
	at := []any{"modbus", "points", i}
	if pt.Order == "" {
		pt.Order = m.Order
	}
	common(ms, at, i, seen, pt.Quantity, &pt.Scale, pt.Offset, pt.Range, &pt.Side)
	known := oneOf(ms, append(at, "table"), pt.Table, Holding, Input, Coil, Discrete)
	if !ms.has(append(at, "address")...) {
		ms.add(at, "write address as on the wire, counted from 0", "address is missing")
	}
	if pt.Table.Bits() && pt.Encoding != Bit {
		ms.add(append(at, "encoding"), "a coil or discrete input is a bit", "encoding is %q", pt.Encoding)
		return
	}
	if !oneOf(ms, append(at, "encoding"), pt.Encoding, pointEncodings()...) {
		oneOf(ms, append(at, "order"), pt.Order, Orders()...)
		return
	}
	validateOrder(ms, append(at, "order"), pt.Order, pt.Encoding)
	pt.validateMask(ms, at)
	pt.validateExponent(ms, at)
	pt.validateRollover(ms, at)
	if known {
		m.validateSpan(ms, at, pt)
	}
	if ms.has(append(at, "absent")...) || pt.Table.Bits() {
		if pt.Table.Bits() && len(pt.Absent) > 0 {
			ms.add(append(at, "absent"), "remove it", "a coil or discrete input always has a value")
		}
		validateCodes(ms, append(at, "absent"), pt.Absent, pt.Encoding)
	}
}

// validateOrder holds the long orders to values that are long enough.
func validateOrder(ms *mistakes, at []any, o Order, e Encoding) {
	orders := Orders()
	if e.Registers() == 4 {
		orders = append(orders, longOrders()...)
	}
	oneOf(ms, at, o, orders...)
}

func (p *ModbusPoint) validateMask(ms *mistakes, at []any) {
	inRegister := p.Encoding == Bit && !p.Table.Bits()
	switch {
	case p.Bit != nil && !inRegister:
		ms.add(append(at, "bit"), "remove it, or write encoding: bit and a table of registers", "bit is for the encoding bit of a register")
	case p.Bit != nil && *p.Bit > 15:
		ms.add(append(at, "bit"), "from 0, the least significant, to 15", "bit is %d", *p.Bit)
	case p.Bit != nil && p.Mask != 0:
		ms.add(append(at, "mask"), "keep one of the two", "there is a bit and a mask")
	case p.Mask != 0 && (!p.Encoding.masked() || p.Table.Bits()):
		ms.add(append(at, "mask"), "remove it, or write encoding: bitfield16", "%s of the table %s takes no mask", p.Encoding, p.Table)
	case p.Mask == 0 && p.Bit == nil && (inRegister || p.Encoding.masked() && p.Encoding != Bit):
		ms.add(append(at, "encoding"), "say which bits, as in bit: 3 or mask: 0x0F00", "%s of a register needs a bit or a mask", p.Encoding)
	case p.Mask != 0:
		validateCodes(ms, append(at, "mask"), []uint64{p.Mask}, p.Encoding)
		if field := p.Mask / lowest(p.Mask); p.Encoding != Bit && field&(field+1) != 0 {
			ms.add(append(at, "mask"), "a field is of neighbouring bits, as in mask: 0x0F00", "the bits of %#x do not lie together", p.Mask)
		}
	}
}

func (p *ModbusPoint) validateExponent(ms *mistakes, at []any) {
	if p.Exponent == nil {
		if p.ExponentMask != 0 {
			ms.add(append(at, "exponent_mask"), "give its address as exponent", "there is no exponent to be masked")
		}
		return
	}
	if p.Table.Bits() || p.Encoding == Bit {
		ms.add(append(at, "exponent"), "remove it", "a bit has no exponent")
	}
}

func (p *ModbusPoint) validateRollover(ms *mistakes, at []any) {
	at = append(at, "rollover")
	if !ms.has(at...) {
		return
	}
	// What the register would show at its capacity: it must return before.
	most := p.Encoding.capacity()*math.Abs(p.Scale) + math.Abs(p.Offset)
	switch {
	case !(p.Rollover > 0) || math.IsInf(p.Rollover, 0):
		ms.add(at, "give the value at which the register returns to zero, as in 1000000", "rollover is %v", p.Rollover)
	case !p.Quantity.Cumulative():
		ms.add(at, "remove it", "%s does not only rise", p.Quantity)
	case p.Exponent != nil:
		ms.add(at, "remove it", "with an exponent the rollover is not one value")
	case p.Rollover > most*(1+1e-9):
		plain := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
		ms.add(at, "at most "+plain(most), "%s at scale %v never reaches %s", p.Encoding, p.Scale, plain(p.Rollover))
	}
}

// validateSpan checks what is read for a point against the table's end, the
// request limit and the forbidden ranges.
func (m *Modbus) validateSpan(ms *mistakes, at []any, pt *ModbusPoint) {
	from, end := pt.span()
	last := int(pt.Address) + pt.Registers() - 1
	if last > math.MaxUint16 {
		ms.add(append(at, "address"), "the last register is 65535", "%s at %d needs registers up to %d", pt.Encoding, pt.Address, last)
	}
	if most, _ := m.limits(pt.Table); most > 0 && end-from > most {
		if pt.Registers() > most {
			ms.add(append(at, "encoding"), "raise max_registers", "%s needs %d registers, a request may read %d", pt.Encoding, pt.Registers(), most)
		} else {
			ms.add(append(at, "exponent"), "value and exponent are read in one request; use an exponent that is nearer", "the exponent is %d registers away, a request may read %d", end-from, most)
		}
	}
	for _, f := range m.Forbidden {
		if f.Table == pt.Table && from <= int(f.To) && end > int(f.From) {
			ms.add(append(at, "address"), "remove the point or narrow the range", "registers %d to %d are forbidden", f.From, f.To)
		}
	}
}

// validateCodes holds codes to the bits of their encoding.
func validateCodes(ms *mistakes, at []any, codes []uint64, e Encoding) {
	n := e.Registers()
	for i, c := range codes {
		if n > 0 && n < 4 && c >= 1<<(16*n) {
			ms.add(append(at, i), fmt.Sprintf("%s has %d bits", e, 16*n), "the code %#x does not fit", c)
		}
	}
}

func encodingNames() string {
	var list string
	for i, e := range pointEncodings() {
		if i > 0 {
			list += ", "
		}
		list += string(e)
	}
	return list
}
