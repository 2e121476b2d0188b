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

// version is the SHA-256 over everything that detectors may be given of the
// points and transformers of a part: features and attributes. What belongs to
// other parts is in theirs.
func (b *builder) version() string {
	h := newHasher()
	h.number(float64(b.days.first), float64(b.days.last), b.prior)
	meter := func(id string) {
		h.text(id)
		row, ok := b.frame.rows[id]
		if !ok {
			return
		}
		n := b.frame.n()
		for _, column := range b.frame.columns {
			if column != nil {
				h.floats(column[row*n : (row+1)*n])
			}
		}
	}
	for _, p := range b.roster.points {
		h.point(p)
		h.attributes(b.points[p.id])
		for _, t := range p.tenures {
			meter(t.record.MeterID)
		}
		h.events(eventsOf(b.network, p.tenures, b.days, b.curves.loc))
	}
	for _, a := range b.roster.areas {
		h.text("transformer", a.transformer.ID)
		h.attributes(b.transformers[a.transformer.ID])
		h.events(b.events(member{transformer: a.transformer}, b.days))
		meter(a.transformer.MeterID)
	}
	return h.sum()
}

// dataVersion draws the versions of all parts together: a hash over those of
// the parts in order, so that it does not hang on who ran them. The part that
// looks at the whole fleet sees the data of the others once more.
func dataVersion(p *Plan, parts []*Part) string {
	h := newHasher()
	h.text(p.id())
	for _, part := range parts[:len(p.Shares)] {
		h.text(part.Version)
	}
	return h.sum()
}

// hasher writes values to a hash so that no two sequences look alike.
type hasher struct {
	hash hash.Hash
	buf  []byte
}

func newHasher() *hasher { return &hasher{hash: sha256.New()} }

func (h *hasher) sum() string { return hex.EncodeToString(h.hash.Sum(nil)) }

func (h *hasher) point(p *point) {
	h.text("usage_point", p.id)
	for _, t := range p.tenures {
		h.text(t.record.MeterID, t.record.CustomerID, t.record.TransformerID)
		h.number(float64(t.first), float64(t.last))
	}
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
