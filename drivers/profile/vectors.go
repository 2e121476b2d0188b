package profile

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// MinVectors is how many vectors a profile needs at least: with fewer it has
// not been worked through.
const MinVectors = 5

// Vectors are raw register words of a device with the readings that they must
// give, from a source other than our own decoder.
type Vectors struct {
	Profile string   `yaml:"profile"`
	Vectors []Vector `yaml:"vectors"`
}

// Vector is the words of a point, or of an identity, or a dump of registers,
// and their meaning.
type Vector struct {
	Quantity meter.Quantity `yaml:"quantity"`
	Identity string         `yaml:"identity"` // name of an identity, instead of a quantity
	Words    []uint16       `yaml:"words"`    // registers as they come, first address first; then that of the exponent
	Bits     []uint8        `yaml:"bits"`     // of a table of bits, instead of words
	ReadAt   time.Time      `yaml:"read_at"`  // of a clock

	Value   float64 `yaml:"value"`   // in the quantity's unit; .nan where there is none
	Quality string  `yaml:"quality"` // good where absent
	Flags   string  `yaml:"flags"`
	Text    string  `yaml:"text"` // of an identity

	Registers     map[string][]uint16        `yaml:"registers"` // a dump: address on the wire → what lies from there on
	Table         Table                      `yaml:"table"`     // of the dump; holding where absent
	Readings      map[meter.Quantity]float64 `yaml:"readings"`  // of the dump; .nan where the quality is bad
	IdentityTexts map[string]string          `yaml:"identity_texts"`

	Origin string `yaml:"origin"` // manual page, published capture, or "by hand" with the working

	dump map[uint16]uint16
}

// ParseVectors reads the vectors of p.
func ParseVectors(file string, data []byte, p *Profile) (*Vectors, error) {
	root, err := parseYAML(file, data)
	if err != nil {
		return nil, err
	}
	v := new(Vectors)
	if err := decode(file, root, v); err != nil {
		return nil, err
	}
	m := &mistakes{file: file, root: root}
	if v.Profile != p.Name {
		m.add([]any{"profile"}, "name the profile that the vectors are for", "profile is %q, not %q", v.Profile, p.Name)
	}
	for i := range v.Vectors {
		v.Vectors[i].validate(m, []any{"vectors", i}, p)
	}
	return v, m.err()
}

// Count returns how many meanings the vectors prove.
func (v *Vectors) Count() int {
	n := 0
	for i := range v.Vectors {
		n += max(1, len(v.Vectors[i].Readings)+len(v.Vectors[i].IdentityTexts))
	}
	return n
}

func (v *Vector) validate(m *mistakes, at []any, p *Profile) {
	if v.Quality == "" {
		v.Quality = meter.Good.String()
	}
	if strings.TrimSpace(v.Origin) == "" {
		m.add(at, "name the manual's page, the capture, or write how it was worked out by hand", "origin is missing")
	}
	forms := 0
	for _, there := range []bool{v.Quantity != "", v.Identity != "", v.Registers != nil} {
		if there {
			forms++
		}
	}
	if forms != 1 {
		m.add(at, "write one of the three", "a vector has a quantity, an identity or registers")
		return
	}
	switch {
	case v.Registers != nil:
		v.validateDump(m, at, p)
	case v.Identity != "":
		id := p.identity(v.Identity)
		if id == nil {
			m.add(append(at, "identity"), "take one of the profile's identity section", "%q is not in the profile", v.Identity)
		} else if n := id.point.Registers(); len(v.Words) != n {
			m.add(append(at, "words"), fmt.Sprintf("%s has %d", id.Encoding, n), "%d words", len(v.Words))
		}
	default:
		v.validatePoint(m, at, p)
	}
}

func (v *Vector) validatePoint(m *mistakes, at []any, p *Profile) {
	pt := p.modbusPoint(v.Quantity)
	switch {
	case pt == nil:
		m.add(append(at, "quantity"), "take a quantity of the profile", "%q is not in the profile", v.Quantity)
	case pt.Table.Bits():
		if len(v.Words) > 0 || len(v.Bits) != 1 || v.Bits[0] > 1 {
			m.add(at, "write bits: [0] or bits: [1]", "%s is one bit", v.Quantity)
		}
	case len(v.Words) != pt.Size()/2:
		mend := fmt.Sprintf("%s has %d", pt.Encoding, pt.Size()/2)
		if pt.Exponent != nil {
			mend += " with its exponent, which comes last"
		}
		m.add(append(at, "words"), mend, "%d words", len(v.Words))
	case pt.clock != nil && v.ReadAt.IsZero():
		m.add(at, "write read_at: 2024-05-06T07:08:09Z", "a clock is compared with the moment at which it was read")
	}
}

func (p *Profile) identity(name string) *Identity {
	if p.Modbus == nil {
		return nil
	}
	for i := range p.Modbus.Identity {
		if p.Modbus.Identity[i].Name == name {
			return &p.Modbus.Identity[i]
		}
	}
	return nil
}

// Check decodes one vector and says where its meaning differs.
func (v *Vector) Check(p *Profile) error {
	switch {
	case v.Registers != nil:
		return v.checkDump(p)
	case v.Identity != "":
		id := p.identity(v.Identity)
		if id == nil {
			return fmt.Errorf("identity %s is not in profile %s", v.Identity, p.Name)
		}
		return checkText(id, words(v.Words), v.Text)
	}
	pt := p.modbusPoint(v.Quantity)
	if pt == nil {
		return fmt.Errorf("%s is not in profile %s", v.Quantity, p.Name)
	}
	raw := words(v.Words)
	if pt.Table.Bits() {
		raw = slices.Clone(v.Bits)
	}
	got := pt.DecodeAt(raw, v.ReadAt)
	if !pt.means(got.Number, v.Value) || got.Quality.String() != v.Quality || got.Flags.String() != v.Flags {
		return fmt.Errorf("%s: % x gives %v (%s, %q), not %v (%s, %q)",
			v.Quantity, raw, got.Number, got.Quality, got.Flags, v.Value, v.Quality, v.Flags)
	}
	return nil
}

// means reports whether a decoded number is what a vector says.
func (p *ModbusPoint) means(got, want float64) bool {
	if got == want || math.IsNaN(got) && math.IsNaN(want) {
		return true
	}
	// A manual prints a float32 with few digits; it means the nearest one.
	return p.Encoding.Registers() == 2 && (p.Encoding == Float32 || p.Encoding == Float32FourQuadrant) &&
		float32(got) == float32(want)
}

func checkText(id *Identity, raw []byte, want string) error {
	if got := id.Text(raw); got != want {
		return fmt.Errorf("identity %s: % x gives %q, not %q", id.Name, raw, got, want)
	}
	if id.Distinctive() && !id.Matches(raw) {
		return fmt.Errorf("identity %s: %q is not one that the profile recognises", id.Name, want)
	}
	return nil
}

func words(list []uint16) []byte {
	raw := make([]byte, 0, 2*len(list))
	for _, w := range list {
		raw = binary.BigEndian.AppendUint16(raw, w)
	}
	return raw
}
