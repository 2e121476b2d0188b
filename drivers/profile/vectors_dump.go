package profile

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// validateDump checks a dump's addresses and that it expects something.
func (v *Vector) validateDump(m *mistakes, at []any, p *Profile) {
	if v.Table == "" {
		v.Table = Holding
	}
	oneOf(m, append(at, "table"), v.Table, Holding, Input, Coil, Discrete)
	v.dump = make(map[uint16]uint16)
	for _, key := range slices.Sorted(maps.Keys(v.Registers)) {
		from, err := strconv.ParseUint(key, 0, 16)
		if err != nil || int(from)+len(v.Registers[key]) > 1<<16 {
			m.add(append(at, "registers", key), "write the first address on the wire, as in 0x5B00: [1, 2]", "%q with %d words is no place", key, len(v.Registers[key]))
			continue
		}
		for i, w := range v.Registers[key] {
			v.dump[uint16(from)+uint16(i)] = w
			if v.Table.Bits() && w > 1 {
				m.add(append(at, "registers", key, i), "a coil or discrete input is 0 or 1", "the bit is %d", w)
			}
		}
	}
	if len(v.Readings)+len(v.IdentityTexts) == 0 {
		m.add(at, "write readings: {voltage_a: 230.1}", "the dump expects nothing")
	}
	for _, q := range slices.Sorted(maps.Keys(v.Readings)) {
		pt := p.modbusPoint(q)
		switch {
		case pt == nil:
			m.add(append(at, "readings", string(q)), "take a quantity of the profile", "%q is not in the profile", q)
		case pt.Table != v.Table || v.raw(pt) == nil:
			from, end := pt.span()
			m.add(append(at, "readings", string(q)), "dump them too, or leave the reading out", "%s lies in %s %d to %d, which the dump does not hold", q, pt.Table, from, end-1)
		case pt.clock != nil && v.ReadAt.IsZero():
			m.add(at, "write read_at: 2024-05-06T07:08:09Z", "a clock is compared with the moment at which it was read")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.IdentityTexts)) {
		id := p.identity(name)
		if id == nil {
			m.add(append(at, "identity_texts", name), "take one of the profile's identity section", "%q is not in the profile", name)
		} else if id.point.Table != v.Table || v.raw(&id.point) == nil {
			m.add(append(at, "identity_texts", name), "dump them too, or leave the text out", "the dump does not hold the registers of %s", name)
		}
	}
}

// raw cuts a point's bytes out of the dump, nil where they are not all there.
func (v *Vector) raw(p *ModbusPoint) []byte {
	from, end := p.span()
	b := Block{Table: p.Table, Address: uint16(from), Count: uint16(end - from)}
	answer := make([]byte, b.AnswerSize())
	inGap := func(address int) bool {
		return (address < int(p.Address) || address >= int(p.Address)+p.Registers()) && (p.Exponent == nil || address != int(*p.Exponent))
	}
	for address := from; address < end; address++ {
		w, held := v.dump[uint16(address)]
		switch i := address - from; {
		case !held && !inGap(address):
			return nil
		case p.Table.Bits():
			answer[i/8] |= byte(w&1) << (i % 8)
		default:
			answer[2*i], answer[2*i+1] = byte(w>>8), byte(w)
		}
	}
	return b.Bytes(answer, p)
}

func (v *Vector) checkDump(p *Profile) error {
	var list []error
	for _, q := range slices.Sorted(maps.Keys(v.Readings)) {
		pt, want := p.modbusPoint(q), v.Readings[q]
		raw := v.raw(pt)
		got := pt.DecodeAt(raw, v.ReadAt)
		if bad := math.IsNaN(want); bad != (got.Quality != meter.Good) || !bad && !pt.means(got.Number, want) {
			list = append(list, fmt.Errorf("%s: % x gives %v (%s, %q), not %v", q, raw, got.Number, got.Quality, got.Flags, want))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.IdentityTexts)) {
		id := p.identity(name)
		if err := checkText(id, v.raw(&id.point), v.IdentityTexts[name]); err != nil {
			list = append(list, err)
		}
	}
	return errors.Join(list...)
}

// CheckVectors holds every Modbus profile in the root of fsys to the vectors
// beside it: at least MinVectors of them, each with its origin, all of them
// met. The error joins one for each mistake and names its file.
func CheckVectors(fsys fs.FS) error {
	all, err := LoadFS(fsys)
	if err != nil {
		return err
	}
	var list []error
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if p := all[name]; p.Modbus != nil {
			list = append(list, checkVectorsOf(fsys, p))
		}
	}
	files, err := fs.Glob(fsys, "*"+VectorsSuffix)
	if err != nil {
		return fmt.Errorf("list vectors: %w", err)
	}
	for _, file := range files {
		if name := strings.TrimSuffix(file, VectorsSuffix); all[name] == nil {
			list = append(list, &Error{File: file, What: "there is no profile " + name, Mend: "name the file as its profile"})
		}
	}
	return errors.Join(list...)
}

func checkVectorsOf(fsys fs.FS, p *Profile) error {
	file := p.Name + VectorsSuffix
	data, err := fs.ReadFile(fsys, file)
	if err != nil {
		return &Error{File: file, What: fmt.Sprintf("profile %s has no vectors", p.Name), Mend: fmt.Sprintf("write at least %d, from the manual's examples or by hand", MinVectors)}
	}
	v, err := ParseVectors(file, data, p)
	if err != nil {
		return err
	}
	var list []error
	if n := v.Count(); n < MinVectors {
		list = append(list, &Error{File: file, What: fmt.Sprintf("%d vectors", n), Mend: fmt.Sprintf("at least %d are asked for", MinVectors)})
	}
	for i := range v.Vectors {
		if err := v.Vectors[i].Check(p); err != nil {
			list = append(list, fmt.Errorf("%s: vector %d: %w", file, i+1, err))
		}
	}
	return errors.Join(list...)
}
