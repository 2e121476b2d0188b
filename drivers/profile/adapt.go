package profile

import (
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Options of a device by which it differs from its profile.
const (
	OptionBase  = "base"  // replaces Modbus.Base
	OptionOrder = "order" // replaces Modbus.Order
)

// Adapted returns the profile as a device with the given options has it: p
// itself where neither OptionBase nor OptionOrder is among them.
func (p *Profile) Adapted(options map[string]string) (*Profile, error) {
	out := p
	if text, there := options[OptionBase]; there {
		base, err := strconv.ParseUint(text, 0, 16)
		if err != nil {
			return nil, fmt.Errorf("option %s is %q; write an address from 0 to 65535", OptionBase, text)
		}
		if out, err = out.Rebased(uint16(base)); err != nil {
			return nil, err
		}
	}
	if text, there := options[OptionOrder]; there {
		if !slices.Contains(Orders(), Order(text)) {
			return nil, fmt.Errorf("option %s is %q; write one of %v", OptionOrder, text, Orders())
		}
		out = out.Reordered(Order(text))
	}
	return out, nil
}

// clone copies what Rebased and Reordered change.
func (p *Profile) clone() *Profile {
	out, m := *p, *p.Modbus
	m.Points = slices.Clone(m.Points)
	for i := range m.Points {
		if e := m.Points[i].Exponent; e != nil {
			address := *e
			m.Points[i].Exponent = &address
		}
	}
	m.Forbidden, m.Identity = slices.Clone(m.Forbidden), slices.Clone(m.Identity)
	if m.Clock != nil {
		c := *m.Clock
		m.Clock = &c
	}
	out.Modbus = &m
	return &out
}

// Rebased returns the profile with its addresses counted from another base,
// but for those that are absolute. A profile without registers is returned as
// it is.
func (p *Profile) Rebased(base uint16) (*Profile, error) {
	if p.Modbus == nil || p.Modbus.Base == base {
		return p, nil
	}
	out := p.clone()
	m := out.Modbus
	by := int(base) - int(m.Base)
	m.Base = base
	beyond := false
	shift := func(address *uint16) {
		to := int(*address) + by
		beyond = beyond || to < 0 || to > math.MaxUint16
		*address = uint16(to)
	}
	for i := range m.Points {
		if m.Points[i].clockOf(m, i) {
			if m.Clock.Absolute {
				continue
			}
			shift(&m.Clock.Address)
		}
		shift(&m.Points[i].Address)
		if m.Points[i].Exponent != nil {
			shift(m.Points[i].Exponent)
		}
	}
	for i := range m.Forbidden {
		shift(&m.Forbidden[i].From)
		shift(&m.Forbidden[i].To)
	}
	for i := range m.Identity {
		if !m.Identity[i].Absolute {
			shift(&m.Identity[i].Address)
			m.Identity[i].point.Address = m.Identity[i].Address
		}
	}
	for i := range m.Points {
		from, end := m.Points[i].span()
		beyond = beyond || end > math.MaxUint16+1 || m.forbidden(m.Points[i].Table, from, end)
	}
	if beyond {
		return nil, fmt.Errorf("profile %s at base %d reaches beyond the last register, 65535, or into what is forbidden; check the base", p.Name, base)
	}
	out.prepare()
	return out, nil
}

// MultiRegister reports whether the order of words matters to the profile.
func (p *Profile) MultiRegister() bool {
	return p.Modbus != nil && slices.ContainsFunc(p.Modbus.Points, func(pt ModbusPoint) bool {
		return !pt.Table.Bits() && pt.clock == nil && pt.Registers() > 1
	})
}

// Reordered returns the profile with another Modbus.Order, as if the file said
// so. What has an order of its own there keeps its difference: a device whose
// words are exchanged exchanges all of them.
func (p *Profile) Reordered(o Order) *Profile {
	if p.Modbus == nil || p.Modbus.Order == o {
		return p
	}
	out := p.clone()
	m := out.Modbus
	by := m.Order.swaps(8) ^ o.swaps(8)
	m.Order = o
	for i := range m.Points {
		pt := &m.Points[i]
		pt.Order = orderOf(pt.Order.swaps(8) ^ by)
		if pt.clock != nil {
			c := *pt.clock
			c.swaps = pt.Order.swaps(2 * pt.Registers())
			if c.kind != layoutUnix {
				c.swaps &= swapBytes
			}
			pt.clock = &c
		}
	}
	for i := range m.Identity {
		if id := &m.Identity[i]; id.Encoding != String {
			id.Order = orderOf(id.Order.swaps(8) ^ by)
			id.point.Order = id.Order
		}
	}
	out.prepare()
	return out
}

// orderOf returns the order that exchanges what swaps says.
func orderOf(swaps uint8) Order {
	for _, o := range append(Orders(), longOrders()...) {
		if o.swaps(8) == swaps {
			return o
		}
	}
	return ABCD // all eight are there
}
