package profile

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func example(t testing.TB) *Profile {
	t.Helper()
	all, err := LoadFS(os.DirFS("testdata"))
	if err != nil {
		t.Fatal(err)
	}
	return all["example-modbus"]
}

func TestAdapted(t *testing.T) {
	p := example(t)
	if same, err := p.Adapted(map[string]string{"node": "x"}); err != nil || same != p {
		t.Errorf("%v", err)
	}
	moved, err := p.Adapted(map[string]string{OptionBase: "0x0400", OptionOrder: "CDAB"})
	if err != nil {
		t.Fatal(err)
	}
	checkPlan(t, moved.Modbus)
	for i := range p.Modbus.Points {
		was, is := &p.Modbus.Points[i], &moved.Modbus.Points[i]
		if is.Address != was.Address+0x400 || is.Exponent != nil && *is.Exponent != *was.Exponent+0x400 {
			t.Errorf("%s was at %d and is at %d", is.Quantity, was.Address, is.Address)
		}
	}
	if pt := moved.modbusPoint(meter.ActivePower); pt.Order != ABCD { // its own was CDAB in a profile of ABCD
		t.Errorf("active_power has order %s", pt.Order)
	}
	if pt := moved.modbusPoint(meter.VoltageA); pt.Order != CDAB || pt.Decode([]byte{0x80, 0, 0x43, 0x66}).Number != 230.5 {
		t.Errorf("voltage_a has order %s", pt.Order)
	}
	if pt := p.modbusPoint(meter.VoltageA); pt.Order != ABCD || p.Modbus.Base != 0 || p.Modbus.Clock.Address != 0x40 {
		t.Error("the profile itself was changed")
	}
	if id := moved.identity("serial"); id.Address != 0x55 {
		t.Errorf("the absolute address %#x was moved", id.Address)
	}
	if b := moved.Modbus.IdentityBlocks(); b[0].Address != 0x55 || b[1].Address != 0x450 {
		t.Errorf("%+v", b)
	}
	if f := moved.Modbus.Forbidden[0]; f.From != 0x500 || moved.Digest() != p.Digest() {
		t.Errorf("%+v", f)
	}
	back, err := moved.Reordered(ABCD).Rebased(0)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Modbus.Points {
		if was, is := p.Modbus.Points[i], back.Modbus.Points[i]; is.Address != was.Address || is.Order != was.Order || is.swaps != was.swaps {
			t.Errorf("%s: %+v, %+v", was.Quantity, was, is)
		}
	}
	for option, wrong := range map[string]string{OptionBase: "70000", OptionOrder: "ABDC"} {
		if _, err := p.Adapted(map[string]string{option: wrong}); err == nil || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%s %s: %v", option, wrong, err)
		}
	}
	if _, err := p.Rebased(65530); err == nil || !strings.Contains(err.Error(), "beyond the last register") {
		t.Error(err)
	}
	if !p.MultiRegister() {
		t.Error("floats are one register")
	}
}

// TestOfRegisters cuts any block into readings and puts it together again.
func TestOfRegisters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 125).Draw(t, "count")
		block := Block{Table: rapid.SampledFrom([]Table{Holding, Coil}).Draw(t, "table"), Address: uint16(rapid.IntRange(0, 65536-count).Draw(t, "address")), Count: uint16(count)}
		answer := rapid.SliceOfN(rapid.Byte(), block.AnswerSize(), block.AnswerSize()).Draw(t, "answer")
		p := OfRegisters("look", []Block{{Table: Input, Address: 3, Count: 2}, block})
		if len(p.Groups()) != 2 || len(p.Modbus.Blocks(1)) != 1 {
			t.Fatalf("%+v", p.Groups())
		}
		b := &p.Modbus.Blocks(1)[0]
		if b.Table != block.Table || b.Address != block.Address || b.Count != block.Count {
			t.Fatalf("%+v, not %+v", b, block)
		}
		var got []byte
		for k := range b.Points {
			v, raw := b.Decode(k, answer, read)
			if len(raw) == 0 || len(raw) > 32 || v.Quality == meter.Good && !b.Table.Bits() {
				t.Fatalf("% x: %+v", raw, v)
			}
			got = append(got, raw...)
		}
		if block.Table.Bits() {
			for i := range got {
				if got[i] != answer[i/8]>>(i%8)&1 {
					t.Fatalf("bit %d of % x is %d", i, answer, got[i])
				}
			}
		} else if !bytes.Equal(got, answer) {
			t.Fatalf("% x, not % x", got, answer)
		}
	})
}

func TestOrderOf(t *testing.T) {
	var seen []Order
	for swaps := range uint8(8) {
		o := orderOf(swaps)
		if o.swaps(8) != swaps || slices.Contains(seen, o) {
			t.Errorf("%03b is %s", swaps, o)
		}
		seen = append(seen, o)
	}
}
