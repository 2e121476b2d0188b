package profile

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

type failer interface {
	Helper()
	Fatalf(string, ...any)
}

// checkPlan holds the plans of every group to what every plan must be.
func checkPlan(t failer, m *Modbus) {
	t.Helper()
	covered := make(map[int]int)
	for group := range m.blocks {
		for i := range m.Blocks(group) {
			checkBlock(t, m, &m.Blocks(group)[i], covered)
		}
	}
	for i := range m.Points {
		if covered[i] != 1 {
			t.Fatalf("point %d is covered %d times", i, covered[i])
		}
	}
}

func checkBlock(t failer, m *Modbus, b *Block, covered map[int]int) {
	t.Helper()
	first, end := int(b.Address), int(b.Address)+int(b.Count)
	most, gap := m.limits(b.Table)
	if b.Count < 1 || int(b.Count) > most || end > 65536 {
		t.Fatalf("a block of %d at %d, %d allowed", b.Count, b.Address, most)
	}
	if m.forbidden(b.Table, first, end) {
		t.Fatalf("a block from %d to %d reads what is forbidden: %v", first, end-1, m.Forbidden)
	}
	answer, last := make([]byte, b.AnswerSize()), first
	for k, i := range b.Points {
		p := &m.Points[i]
		covered[i]++
		from, to := p.span()
		if p.Table != b.Table || from < first || to > end || b.Point(k) != p {
			t.Fatalf("point %d at %s %d is not in its block %+v", i, p.Table, p.Address, b)
		}
		if from-last > gap {
			t.Fatalf("a gap of %d before %d, %d allowed", from-last, from, gap)
		}
		last = max(last, to)
		if raw := b.Bytes(answer, p); len(raw) != p.Size() {
			t.Fatalf("%d bytes for %s", len(raw), p.Encoding)
		}
		if raw := b.Bytes(answer[:len(answer)-1], p); raw != nil && len(raw) != p.Size() {
			t.Fatalf("%d bytes for %s out of a short answer", len(raw), p.Encoding)
		}
	}
	if last != end {
		t.Fatalf("a block reads on to %d after its last point ends at %d", end, last)
	}
}

func TestPlanProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := &Modbus{
			MaxRegisters: rapid.IntRange(4, 125).Draw(t, "max"),
			MaxGap:       rapid.IntRange(0, 30).Draw(t, "gap"),
			MaxBits:      rapid.IntRange(1, 2000).Draw(t, "max bits"),
			MaxBitGap:    rapid.IntRange(0, 100).Draw(t, "bit gap"),
		}
		tables := rapid.SampledFrom([]Table{Holding, Input, Coil, Discrete})
		for range rapid.IntRange(0, 3).Draw(t, "forbidden") {
			from := rapid.IntRange(0, 300).Draw(t, "from")
			m.Forbidden = append(m.Forbidden, Forbidden{tables.Draw(t, "table"), uint16(from), uint16(from + rapid.IntRange(0, 20).Draw(t, "len"))})
		}
		for range rapid.IntRange(1, 40).Draw(t, "points") {
			p := ModbusPoint{Quantity: meter.ActivePower, Table: tables.Draw(t, "table"), Address: uint16(rapid.OneOf(rapid.IntRange(0, 300), rapid.IntRange(65500, 65532)).Draw(t, "address")), Encoding: anyEncoding(t)}
			if p.Table.Bits() {
				p.Encoding = Bit
			} else if rapid.Bool().Draw(t, "has exponent") {
				e := uint16(min(65535, int(p.Address)+rapid.IntRange(0, 3).Draw(t, "exponent")))
				p.Exponent = &e
			}
			from, end := p.span()
			if most, _ := m.limits(p.Table); !m.forbidden(p.Table, from, end) && end-from <= most {
				m.Points = append(m.Points, p)
			}
		}
		m.blocks = [][]Block{m.plan(indexes(len(m.Points)))}
		checkPlan(t, m)
	})
}

// TestPlanJoins shows what joins and what does not.
func TestPlanJoins(t *testing.T) {
	at := func(table Table, address uint16) ModbusPoint {
		return ModbusPoint{Table: table, Address: address, Encoding: Float32}
	}
	for name, c := range map[string]struct {
		m      Modbus
		blocks int
	}{
		"neighbours":              {Modbus{MaxRegisters: 125, Points: []ModbusPoint{at(Input, 2), at(Input, 0)}}, 1},
		"gap allowed":             {Modbus{MaxRegisters: 125, MaxGap: 8, Points: []ModbusPoint{at(Input, 0), at(Input, 10)}}, 1},
		"gap too wide":            {Modbus{MaxRegisters: 125, MaxGap: 7, Points: []ModbusPoint{at(Input, 0), at(Input, 10)}}, 2},
		"two tables":              {Modbus{MaxRegisters: 125, MaxGap: 8, Points: []ModbusPoint{at(Input, 0), at(Holding, 2)}}, 2},
		"too many for a request":  {Modbus{MaxRegisters: 3, Points: []ModbusPoint{at(Input, 0), at(Input, 2)}}, 2},
		"the same registers":      {Modbus{MaxRegisters: 2, Points: []ModbusPoint{at(Input, 0), at(Input, 0)}}, 1},
		"forbidden between":       {Modbus{MaxRegisters: 125, MaxGap: 9, Forbidden: []Forbidden{{Input, 5, 5}}, Points: []ModbusPoint{at(Input, 0), at(Input, 10)}}, 2},
		"forbidden in the other":  {Modbus{MaxRegisters: 125, MaxGap: 9, Forbidden: []Forbidden{{Holding, 5, 5}}, Points: []ModbusPoint{at(Input, 0), at(Input, 10)}}, 1},
		"forbidden just past end": {Modbus{MaxRegisters: 125, MaxGap: 9, Forbidden: []Forbidden{{Input, 12, 12}}, Points: []ModbusPoint{at(Input, 0), at(Input, 10)}}, 1},
	} {
		if got := c.m.plan(indexes(len(c.m.Points))); len(got) != c.blocks {
			t.Errorf("%s: %d blocks %+v, want %d", name, len(got), got, c.blocks)
		}
	}
}
