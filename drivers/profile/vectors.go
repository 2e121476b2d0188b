package profile

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Vectors are raw register words of a device with the readings that they must
// give, from a source other than our own decoder.
type Vectors struct {
	Profile string   `yaml:"profile"`
	Vectors []Vector `yaml:"vectors"`
}

// Vector is one point's words and meaning.
type Vector struct {
	Quantity meter.Quantity `yaml:"quantity"`
	Words    []uint16       `yaml:"words"`   // registers as they come, first address first
	Value    float64        `yaml:"value"`   // in the quantity's unit; .nan where there is none
	Quality  string         `yaml:"quality"` // good where absent
	Flags    string         `yaml:"flags"`
	Origin   string         `yaml:"origin"` // manual page, published capture, or "by hand" with the working
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
		vec := &v.Vectors[i]
		at := []any{"vectors", i}
		if vec.Quality == "" {
			vec.Quality = meter.Good.String()
		}
		if vec.Origin == "" {
			m.add(at, "name the manual's page, the capture, or write how it was worked out by hand", "origin is missing")
		}
		pt := p.modbusPoint(vec.Quantity)
		if pt == nil {
			m.add(append(at, "quantity"), "take a quantity of the profile", "%q is not in the profile", vec.Quantity)
		} else if len(vec.Words) != pt.Registers() {
			m.add(append(at, "words"), fmt.Sprintf("%s has %d", pt.Encoding, pt.Registers()), "%d words", len(vec.Words))
		}
	}
	return v, m.err()
}

func (p *Profile) modbusPoint(q meter.Quantity) *ModbusPoint {
	if p.Modbus == nil {
		return nil
	}
	for i := range p.Modbus.Points {
		if p.Modbus.Points[i].Quantity == q {
			return &p.Modbus.Points[i]
		}
	}
	return nil
}

// Check decodes one vector and says where its meaning differs.
func (v *Vector) Check(p *Profile) error {
	pt := p.modbusPoint(v.Quantity)
	if pt == nil {
		return fmt.Errorf("%s is not in profile %s", v.Quantity, p.Name)
	}
	var raw []byte
	for _, w := range v.Words {
		raw = binary.BigEndian.AppendUint16(raw, w)
	}
	got := pt.Decode(raw)
	same := got.Number == v.Value || math.IsNaN(got.Number) && math.IsNaN(v.Value)
	if pt.Encoding == Float32 && !same {
		// A manual prints a float32 with few digits; it means the nearest one.
		same = float32(got.Number) == float32(v.Value)
	}
	if !same || got.Quality.String() != v.Quality || got.Flags.String() != v.Flags {
		return fmt.Errorf("%s: words %#04x give %v (%s, %q), not %v (%s, %q)",
			v.Quantity, v.Words, got.Number, got.Quality, got.Flags, v.Value, v.Quality, v.Flags)
	}
	return nil
}
