package profile

import (
	"cmp"
	"slices"
	"time"
)

// Block is one read request that covers one or more points.
type Block struct {
	Table   Table
	Address uint16
	Count   uint16 // registers, or bits in a table of bits
	Points  []int  // indexes into Modbus.Points, by address

	points []*ModbusPoint
}

// AnswerSize returns how many bytes a whole answer has.
func (b *Block) AnswerSize() int {
	if b.Table.Bits() {
		return (int(b.Count) + 7) / 8
	}
	return 2 * int(b.Count)
}

// Bytes returns the point's bytes of the block's answer, whatever the table:
// what the point's Decode takes. It is nil where the answer does not hold all
// of them. Registers come as a part of the answer itself; bits, and values
// with their exponent behind them, are copied.
func (b *Block) Bytes(answer []byte, p *ModbusPoint) []byte {
	at := int(p.Address) - int(b.Address)
	if b.Table.Bits() {
		if at < 0 || at >= int(b.Count) || at/8 >= len(answer) {
			return nil
		}
		return []byte{answer[at/8] >> (at % 8) & 1}
	}
	from, to := 2*at, 2*(at+p.Registers())
	if from < 0 || to > len(answer) {
		return nil
	}
	if p.Exponent == nil {
		return answer[from:to:to]
	}
	e := 2 * (int(*p.Exponent) - int(b.Address))
	if e < 0 || e+2 > len(answer) {
		return nil
	}
	raw := make([]byte, 0, p.Size())
	return append(append(raw, answer[from:to]...), answer[e:e+2]...)
}

// Decode gives the meaning of the k-th point of the block, Points[k], in the
// block's answer that was received at a moment, and the point's bytes.
func (b *Block) Decode(k int, answer []byte, received time.Time) (Value, []byte) {
	p := b.points[k]
	var raw []byte
	if from := 2 * (int(p.Address) - int(b.Address)); !p.bits && p.Exponent == nil && from+p.width <= len(answer) {
		raw = answer[from : from+p.width : from+p.width]
	} else {
		raw = b.Bytes(answer, p)
	}
	return p.DecodeAt(raw, received), raw
}

// Point returns the k-th point of the block.
func (b *Block) Point(k int) *ModbusPoint { return b.points[k] }

// plan joins points into few blocks: neighbours join while the gap between
// them is at most MaxGap registers, the block at most MaxRegisters, and no
// forbidden register would be read in passing. Tables of bits have limits of
// their own.
func (m *Modbus) plan(points []int) []Block {
	list := make([]*ModbusPoint, len(m.Points))
	for i := range m.Points {
		list[i] = &m.Points[i]
	}
	return m.planOf(list, points)
}

func (m *Modbus) planOf(list []*ModbusPoint, points []int) []Block {
	order := slices.Clone(points)
	slices.SortStableFunc(order, func(a, b int) int {
		fromA, _ := list[a].span()
		fromB, _ := list[b].span()
		return cmp.Or(cmp.Compare(list[a].Table, list[b].Table), cmp.Compare(fromA, fromB))
	})
	var blocks []Block
	for _, i := range order {
		p := list[i]
		from, end := p.span()
		most, gap := m.limits(p.Table)
		if len(blocks) > 0 {
			b := &blocks[len(blocks)-1]
			blockEnd := int(b.Address) + int(b.Count)
			joined := max(blockEnd, end)
			if b.Table == p.Table && from-blockEnd <= gap && joined-int(b.Address) <= most &&
				!m.forbidden(p.Table, int(b.Address), joined) {
				b.Count = uint16(joined - int(b.Address))
				b.Points = append(b.Points, i)
				b.points = append(b.points, p)
				continue
			}
		}
		blocks = append(blocks, Block{
			Table: p.Table, Address: uint16(from), Count: uint16(end - from),
			Points: []int{i}, points: []*ModbusPoint{p},
		})
	}
	return blocks
}

// limits returns how much of a table one request may read, and how much of it
// unused.
func (m *Modbus) limits(t Table) (most, gap int) {
	if t.Bits() {
		return m.MaxBits, m.MaxBitGap
	}
	return m.MaxRegisters, m.MaxGap
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
	if m := p.Modbus; m != nil {
		for i := range m.Points {
			m.Points[i].prepare()
		}
		m.blocks = nil
		for _, g := range p.Groups() {
			m.blocks = append(m.blocks, m.plan(g.Points))
		}
		m.planIdentity()
	}
	if p.OPCUA != nil {
		for i := range p.OPCUA.Points {
			pt := &p.OPCUA.Points[i]
			pt.conv = newConverter(pt.Scale, pt.Offset, pt.Range)
		}
	}
}
