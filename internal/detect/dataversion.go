package detect

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
	"maps"
	"math"
	"slices"
)

// dataVersion is the SHA-256 over everything that detectors may be given in a
// run: features, attributes, weather, calendar, prior. It does not depend on
// the order of the records.
func (b *builder) dataVersion() string {
	h := &hasher{hash: sha256.New()}
	h.number(float64(b.days.first), float64(b.days.last), b.prior)
	for _, meter := range b.frame.meters {
		h.text(meter)
	}
	for _, column := range b.frame.columns {
		h.floats(column)
	}
	for _, p := range b.roster.points {
		h.text("usage_point", p.id)
		for _, t := range p.tenures {
			h.text(t.record.MeterID, t.record.CustomerID, t.record.TransformerID)
			h.number(float64(t.first), float64(t.last))
		}
		h.attributes(b.points[p.id])
	}
	for _, a := range b.roster.areas {
		h.text("transformer", a.transformer.ID, a.transformer.MeterID)
		h.attributes(b.transformers[a.transformer.ID])
	}
	h.floats(b.temperature)
	for _, holiday := range b.holiday {
		h.number(oneIf(holiday))
	}
	return hex.EncodeToString(h.hash.Sum(nil))
}

// hasher writes values to a hash so that no two sequences look alike.
type hasher struct {
	hash hash.Hash
	buf  []byte
}

func (h *hasher) text(values ...string) {
	for _, v := range values {
		h.buf = binary.AppendUvarint(h.buf[:0], uint64(len(v)))
		h.hash.Write(append(h.buf, v...))
	}
}

func (h *hasher) number(values ...float64) {
	for _, v := range values {
		h.buf = binary.LittleEndian.AppendUint64(h.buf[:0], math.Float64bits(v))
		h.hash.Write(h.buf)
	}
}

func (h *hasher) floats(values []float32) {
	h.number(float64(len(values)))
	for part := range slices.Chunk(values, 16<<10) {
		h.buf = h.buf[:0]
		for _, v := range part {
			bits := math.Float32bits(v)
			if v != v {
				bits = 0x7fc00000 // one NaN for all: its payload means nothing
			}
			h.buf = binary.LittleEndian.AppendUint32(h.buf, bits)
		}
		h.hash.Write(h.buf)
	}
}

func (h *hasher) attributes(a attributes) {
	for _, name := range slices.Sorted(maps.Keys(a.numbers)) {
		h.text(name)
		h.number(a.numbers[name])
	}
	for _, name := range slices.Sorted(maps.Keys(a.texts)) {
		h.text(name, a.texts[name])
	}
}
