package profile

import (
	"slices"
	"sort"
)

// Block is one read request that covers one or more points.
type Block struct {
	Table   Table
	Address uint16
	Count   uint16 // registers
	Points  []int  // indexes into Modbus.Points, by address
}

// Bytes returns the part of the block's answer that holds p.
func (b *Block) Bytes(answer []byte, p *ModbusPoint) []byte {
	from := 2 * (int(p.Address) - int(b.Address))
	to := from + 2*p.Registers()
	if from < 0 || to > len(answer) {
		return nil
	}
	return answer[from:to]
}

// plan joins points into few blocks: neighbours join while the gap between
// them is at most MaxGap registers, the block at most MaxRegisters, and no
// forbidden register would be read in passing.
func (m *Modbus) plan(points []int) []Block {
	order := slices.Clone(points)
	sort.SliceStable(order, func(a, b int) bool {
		pa, pb := &m.Points[order[a]], &m.Points[order[b]]
		if pa.Table != pb.Table {
			return pa.Table < pb.Table
		}
		return pa.Address < pb.Address
	})
	var blocks []Block
	for _, i := range order {
		p := &m.Points[i]
		first, end := int(p.Address), int(p.Address)+p.Registers()
		if len(blocks) > 0 {
			b := &blocks[len(blocks)-1]
			blockEnd := int(b.Address) + int(b.Count)
			joined := max(blockEnd, end)
			if b.Table == p.Table && first-blockEnd <= m.MaxGap && joined-int(b.Address) <= m.MaxRegisters &&
				!m.forbidden(p.Table, int(b.Address), joined) {
				b.Count = uint16(joined - int(b.Address))
				b.Points = append(b.Points, i)
				continue
			}
		}
		blocks = append(blocks, Block{Table: p.Table, Address: p.Address, Count: uint16(p.Registers()), Points: []int{i}})
	}
	return blocks
}

// forbidden reports whether [from, end) touches a forbidden range of table.
func (m *Modbus) forbidden(table Table, from, end int) bool {
	for _, f := range m.Forbidden {
		if f.Table == table && from <= int(f.To) && end > int(f.From) {
			return true
		}
	}
	return false
}

// prepare computes what reading needs; validate has passed.
func (p *Profile) prepare() {
	p.group()
	if p.Modbus != nil {
		for i := range p.Modbus.Points {
			pt := &p.Modbus.Points[i]
			pt.conv = newConverter(pt.Scale, pt.Offset, pt.Range)
		}
		p.Modbus.blocks = nil
		for _, g := range p.Groups() {
			p.Modbus.blocks = append(p.Modbus.blocks, p.Modbus.plan(g.Points))
		}
	}
	if p.OPCUA != nil {
		for i := range p.OPCUA.Points {
			pt := &p.OPCUA.Points[i]
			pt.conv = newConverter(pt.Scale, pt.Offset, pt.Range)
		}
	}
}
