package profile

import (
	"strings"
	"testing"
)

const identities = `  base: 100
  points: [{quantity: voltage_a, table: holding, address: 0, encoding: uint16}]
  identity:
    - {name: marker, table: holding, address: 40000, absolute: true, encoding: string, length: 2, match: "^SunS$"}
    - {name: manufacturer, table: holding, address: 4, encoding: string, length: 4}
    - {name: model, table: holding, address: 8, encoding: string, length: 3, order: BADC, match: "^EM-?3"}
    - {name: model_code, table: holding, address: 12, encoding: uint16, codes: [0x0303, 7]}
    - {name: serial, table: input, address: 0, encoding: uint32, order: CDAB}
    - {name: firmware, table: input, address: 2, encoding: int16}
`

func TestIdentity(t *testing.T) {
	p, err := parsed(t, identities)
	if err != nil {
		t.Fatal(err)
	}
	m := p.Modbus
	blocks := m.IdentityBlocks()
	if len(blocks) != 3 || blocks[0].Address != 104 || blocks[0].Count != 9 || blocks[1].Address != 40000 || blocks[2].Table != Input || blocks[2].Address != 100 {
		t.Fatalf("%+v", blocks)
	}
	if len(p.Quantities()) != 1 {
		t.Errorf("identities are readings: %v", p.Quantities())
	}
	answer := append([]byte("Example \x00junk"), "ME3-\x00\x00"...)
	answer = append(answer[:8], append([]byte("ME3-\x00\x00\x00\x00"), 0x03, 0x03)...)
	texts := map[string]string{}
	matched := map[string]bool{}
	for _, i := range blocks[0].Points {
		id := &m.Identity[i]
		raw := id.Bytes(&blocks[0], answer)
		texts[id.Name], matched[id.Name] = id.Text(raw), id.Matches(raw)
	}
	if texts["manufacturer"] != "Example" || texts["model"] != "EM-3" || texts["model_code"] != "771" ||
		matched["manufacturer"] || !matched["model"] || !matched["model_code"] {
		t.Errorf("%q %v", texts, matched)
	}
	for name, c := range map[string]struct {
		words   []uint16
		text    string
		matches bool
	}{
		"marker":       {[]uint16{0x5375, 0x6E53}, "SunS", true},
		"model":        {[]uint16{0x4500, 0, 0}, "", false}, // swapped: a NUL comes first
		"model_code":   {[]uint16{8}, "8", false},
		"serial":       {[]uint16{2, 1}, "65538", false},
		"firmware":     {[]uint16{0xFFFE}, "-2", false},
		"manufacturer": {[]uint16{0x20FF, 0x1B41, 0x2020, 0}, "??A", false},
	} {
		id := p.identity(name)
		if text, matches := id.Text(words(c.words)), id.Matches(words(c.words)); text != c.text || matches != c.matches {
			t.Errorf("%s: %q %v, want %q %v", name, text, matches, c.text, c.matches)
		}
		if id.Text(nil) != "" || id.Matches(nil) {
			t.Errorf("%s: nothing is something", name)
		}
	}
	for _, name := range []string{"manufacturer", "serial"} {
		if p.identity(name).Distinctive() {
			t.Errorf("%s tells devices apart", name)
		}
	}
}

// FuzzIdentity reads arbitrary registers as texts and codes.
func FuzzIdentity(f *testing.F) {
	p, err := parsed(f, identities)
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte("SunS"))
	f.Add([]byte("Example\x00"))
	f.Add([]byte("\xFF\xFF\x1B[2J"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		for i := range p.Modbus.Identity {
			id := &p.Modbus.Identity[i]
			text := id.Text(raw)
			if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) || len(text) > 2*len(raw)+20 {
				t.Fatalf("% x gives %q", raw, text)
			}
			if id.Matches(raw) && !id.Distinctive() {
				t.Fatalf("% x is recognised by nothing", raw)
			}
		}
	})
}
