package profile

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Identity is a part of what a device says of itself. It is not measured, and
// no reading: it is shown, and tells whether the profile is the right one.
type Identity struct {
	Name     string   `yaml:"name"` // one of IdentityNames
	Table    Table    `yaml:"table"`
	Address  uint16   `yaml:"address"`
	Absolute bool     `yaml:"absolute"` // Modbus.Base is not added
	Encoding Encoding `yaml:"encoding"` // String or an integer
	Length   int      `yaml:"length"`   // of a String, in registers
	Order    Order    `yaml:"order"`    // of a String ABCD where absent, of an integer the profile's
	Match    string   `yaml:"match"`    // regular expression for a String
	Codes    []uint64 `yaml:"codes"`    // for an integer, in ABCD order

	point   ModbusPoint
	pattern *regexp.Regexp
}

// IdentityNames lists what a device may say of itself. Marker is a fixed text
// or number by which devices of a family are known.
func IdentityNames() []string {
	return []string{"manufacturer", "model", "model_code", "serial", "firmware", "marker"}
}

// maxStringRegisters bounds a text. Makers use up to 20.
const maxStringRegisters = 32

// IdentityBlocks returns the read plan of the identity: few requests whose
// Points are indexes into Identity.
func (m *Modbus) IdentityBlocks() []Block { return m.identity }

func (m *Modbus) planIdentity() {
	list := make([]*ModbusPoint, len(m.Identity))
	for i := range m.Identity {
		m.Identity[i].point.prepare()
		list[i] = &m.Identity[i].point
	}
	m.identity = m.planOf(list, indexes(len(list)))
}

// Distinctive reports whether the identity says by what the device is known.
func (id *Identity) Distinctive() bool { return id.pattern != nil || len(id.Codes) > 0 }

// Bytes returns the identity's part of the answer to one of IdentityBlocks.
func (id *Identity) Bytes(b *Block, answer []byte) []byte { return b.Bytes(answer, &id.point) }

// Text returns what the device says, of the bytes as they came: "" where it
// says nothing. Characters that cannot be printed come as "?".
func (id *Identity) Text(raw []byte) string {
	if len(raw) != id.point.Size() {
		return ""
	}
	if id.Encoding != String {
		c := code(raw, id.point.swaps)
		n := 8 * len(raw)
		switch id.Encoding {
		case Int16, Int32, Int64:
			return strconv.FormatInt(int64(c<<(64-n))>>(64-n), 10)
		}
		return strconv.FormatUint(c, 10)
	}
	text := make([]byte, 0, len(raw))
	for i := range raw {
		b := raw[i^int(id.point.swaps&swapBytes)]
		if b == 0 {
			break
		}
		if b < ' ' || b > '~' {
			b = '?'
		}
		text = append(text, b)
	}
	return strings.TrimSpace(string(text))
}

// Matches reports whether the device is one of those that the profile is for.
// It is false where the profile does not say by what they are known.
func (id *Identity) Matches(raw []byte) bool {
	if len(raw) != id.point.Size() {
		return false
	}
	if id.pattern != nil {
		return id.pattern.MatchString(id.Text(raw))
	}
	return slices.Contains(id.Codes, code(raw, id.point.swaps))
}

func (m *Modbus) validateIdentity(ms *mistakes) {
	seen := make(map[string]bool)
	for i := range m.Identity {
		id := &m.Identity[i]
		at := []any{"modbus", "identity", i}
		if oneOf(ms, append(at, "name"), id.Name, IdentityNames()...) && seen[id.Name] {
			ms.add(append(at, "name"), "give each name once", "%s is there already", id.Name)
		}
		seen[id.Name] = true
		if !ms.has(append(at, "address")...) {
			ms.add(at, "write address as on the wire, counted from 0", "address is missing")
		}
		oneOf(ms, append(at, "table"), id.Table, Holding, Input)
		if oneOf(ms, append(at, "encoding"), id.Encoding, String, Uint16, Int16, Uint32, Int32, Uint64, Int64) {
			id.validate(ms, at, m.Order)
		}
		id.point = ModbusPoint{Table: id.Table, Address: id.Address, Encoding: id.Encoding, Order: id.Order, Scale: 1, registers: id.Length}
		id.point.prepare()
		m.validateSpan(ms, at, &id.point)
	}
}

func (id *Identity) validate(ms *mistakes, at []any, order Order) {
	if id.Encoding == String {
		if id.Order == "" {
			id.Order = ABCD
		}
		oneOf(ms, append(at, "order"), id.Order, ABCD, BADC)
		if id.Length < 1 || id.Length > maxStringRegisters {
			ms.add(append(at, "length"), fmt.Sprintf("count registers, from 1 to %d", maxStringRegisters), "length is %d", id.Length)
			id.Length = 1
		}
		if len(id.Codes) > 0 {
			ms.add(append(at, "codes"), "write match: with a regular expression", "a string has no codes")
		}
		if id.Match == "" {
			return
		}
		pattern, err := regexp.Compile(id.Match)
		if err != nil || !utf8.ValidString(id.Match) {
			ms.add(append(at, "match"), "write a regular expression, as in \"^EM-3\"", "%q is not one: %v", id.Match, err)
		} else if pattern.MatchString("") {
			ms.add(append(at, "match"), "write one that an empty text does not fit", "%q fits a device that says nothing", id.Match)
		}
		id.pattern = pattern
		return
	}
	if id.Order == "" {
		id.Order = order
	}
	validateOrder(ms, append(at, "order"), id.Order, id.Encoding)
	if id.Length != 0 {
		ms.add(append(at, "length"), "remove it", "only a string has a length")
		id.Length = 0
	}
	if id.Match != "" {
		ms.add(append(at, "match"), "write codes: [101, 0x66]", "only a string is matched")
	}
	validateCodes(ms, append(at, "codes"), id.Codes, id.Encoding)
}
