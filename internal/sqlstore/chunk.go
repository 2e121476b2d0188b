package sqlstore

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"

	"github.com/gridwarden/gridwarden/internal/curve"
)

// chunkMeters is how many meters of successive numbers share a chunk of a day.
const chunkMeters = 64

// chunkKey is the key of the chunk that holds a meter's day: days first, so
// that one day of all meters is one sweep and imports append.
func chunkKey(date curve.Date, meter int64) int64 { return int64(date)<<32 | meter/chunkMeters }

func dateOf(key int64) curve.Date { return curve.Date(key >> 32) }

// groupOf returns which chunkMeters meters a chunk holds.
func groupOf(key int64) int64 { return key & (1<<32 - 1) }

// record is one version of a meter-day in its stored form.
type record struct {
	curve    []byte // curve.Encode
	features []byte // curve.AppendFeatures; empty in an open day
	version  int64  // from 1
	at       int64  // Unix nanoseconds; 0 where it was not kept
	origin   curve.Origin
	open     bool
}

// chunk holds the closed days of up to chunkMeters meters on one date. Its
// stored form is an index, the features and the curves, each one after the
// other in the order of slots, so that one meter's day is cut out without
// looking at the others'. The index, version 1:
//
//	byte     version
//	uvarint  bytes of features of each day
//	8 bytes  which slots are present, little-endian bits
//	uvarint  number of origins, each: uvarint time, three strings
//	         (uvarint length, bytes): rule, author, reason
//	for each slot present: uvarint origin, version, bytes of the curve
type chunk struct {
	present uint64
	days    [chunkMeters]record
}

const chunkVersion = 1

// errChunk says that stored bytes are no chunk.
var errChunk = errors.New("a stored chunk of days is damaged; restore the database from a backup")

func (c *chunk) has(slot int) bool { return c.present&(1<<slot) != 0 }

func (c *chunk) put(slot int, r record) {
	c.present |= 1 << slot
	c.days[slot] = r
}

func (c *chunk) drop(slot int) {
	c.present &^= 1 << slot
	c.days[slot] = record{}
}

// slots calls fn for each slot that is present.
func slots(present uint64, fn func(slot int)) {
	for left := present; left != 0; left &= left - 1 {
		fn(bits.TrailingZeros64(left))
	}
}

type provenance struct {
	at     int64
	origin curve.Origin
}

// encode returns the stored form.
func (c *chunk) encode() (index, features, curves []byte) {
	width, size := 0, 0
	var order []provenance
	places := map[provenance]uint64{}
	slots(c.present, func(slot int) {
		d := &c.days[slot]
		width, size = max(width, len(d.features)), size+len(d.curve)
		p := provenance{d.at, d.origin}
		if _, ok := places[p]; !ok {
			places[p] = uint64(len(order))
			order = append(order, p)
		}
	})
	index = append(make([]byte, 0, 64+4*chunkMeters), chunkVersion)
	index = binary.AppendUvarint(index, uint64(width))
	index = binary.LittleEndian.AppendUint64(index, c.present)
	index = binary.AppendUvarint(index, uint64(len(order)))
	for _, p := range order {
		index = binary.AppendUvarint(index, uint64(p.at))
		for _, s := range []string{p.origin.Rule, p.origin.Author, p.origin.Reason} {
			index = binary.AppendUvarint(index, uint64(len(s)))
			index = append(index, s...)
		}
	}
	features = make([]byte, 0, width*bits.OnesCount64(c.present))
	curves = make([]byte, 0, size)
	slots(c.present, func(slot int) {
		d := &c.days[slot]
		index = binary.AppendUvarint(index, places[provenance{d.at, d.origin}])
		index = binary.AppendUvarint(index, uint64(d.version))
		index = binary.AppendUvarint(index, uint64(len(d.curve)))
		curves = append(curves, d.curve...)
		features = append(features, d.features...)
		for n := len(d.features); n < width; n += 4 { // features that a later version added
			features = binary.LittleEndian.AppendUint32(features, missingFeature)
		}
	})
	return index, features, curves
}

// missingFeature is a float32 that is no number.
const missingFeature = 0x7fc00000

// chunkIndex reads the index of a stored chunk.
type chunkIndex struct {
	r       reader
	width   uint64 // bytes of features of each day
	present uint64
	origins []provenance
}

func openIndex(index []byte) (*chunkIndex, error) {
	x := &chunkIndex{r: reader{in: index}}
	if v := x.r.byte(); v != chunkVersion {
		return nil, fmt.Errorf("%w (version %d)", errChunk, v)
	}
	x.width = x.r.uvarint()
	x.present = x.r.uint64()
	x.origins = x.r.origins()
	if x.r.bad || x.width%4 != 0 || x.width > 1<<16 {
		return nil, fmt.Errorf("%w (head of the index)", errChunk)
	}
	return x, nil
}

// next reads what the index says of the next slot that is present: the record
// without its bytes, and the length of its curve.
func (x *chunkIndex) next() (r record, length uint64) {
	origin := x.r.uvarint()
	r.version = int64(x.r.uvarint())
	length = x.r.uvarint()
	if origin >= uint64(len(x.origins)) || r.version < 1 {
		x.r.bad = true
		return r, 0
	}
	r.at, r.origin = x.origins[origin].at, x.origins[origin].origin
	return r, length
}

// decodeChunk reads a stored chunk; the days refer to the bytes. Features or
// curves may be nil: those of the days are empty then.
func decodeChunk(c *chunk, index, features, curves []byte) error {
	*c = chunk{}
	x, err := openIndex(index)
	if err != nil {
		return err
	}
	if features != nil && uint64(len(features)) != uint64(bits.OnesCount64(x.present))*x.width {
		return fmt.Errorf("%w (features)", errChunk)
	}
	cut, place := reader{in: curves}, uint64(0)
	slots(x.present, func(slot int) {
		r, length := x.next()
		if curves != nil {
			r.curve = cut.bytes(length)
		}
		if features != nil {
			r.features = features[place*x.width : (place+1)*x.width]
		}
		c.days[slot] = r
		place++
	})
	if x.r.bad || cut.bad || len(x.r.in) != 0 || len(cut.in) != 0 {
		return fmt.Errorf("%w (index)", errChunk)
	}
	c.present = x.present
	return nil
}

// locate finds one slot's record, without features, and where in the chunk's
// curves its curve lies; ok is false where the slot is empty.
func locate(index []byte, slot int) (r record, from, length uint64, ok bool, err error) {
	x, err := openIndex(index)
	if err != nil || x.present&(1<<slot) == 0 {
		return record{}, 0, 0, false, err
	}
	for before := bits.OnesCount64(x.present & (1<<slot - 1)); before >= 0; before-- {
		from += length
		r, length = x.next()
	}
	if x.r.bad {
		return record{}, 0, 0, false, fmt.Errorf("%w (index)", errChunk)
	}
	return r, from, length, true, nil
}

func (r *reader) origins() []provenance {
	n := r.uvarint()
	if r.bad || n > chunkMeters {
		r.bad = true
		return nil
	}
	list := make([]provenance, n)
	for i := range list {
		list[i].at = int64(r.uvarint())
		list[i].origin = curve.Origin{Rule: r.string(), Author: r.string(), Reason: r.string()}
	}
	return list
}
