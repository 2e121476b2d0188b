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
//	byte         version
//	64 x 3 bytes where the curve of each slot ends, little-endian; it begins
//	             where the last one ends
//	uvarint      bytes of features of each day
//	8 bytes      which slots are present, little-endian bits
//	uvarint      number of origins, each: uvarint time, three strings
//	             (uvarint length, bytes): rule, author, reason
//	for each slot present: uvarint origin, uvarint version
//
// That the ends stand at fixed places lets PostgreSQL cut a curve out itself.
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
	index = append(make([]byte, 0, 64+(endBytes+2)*chunkMeters), chunkVersion)
	end := 0
	for slot := range chunkMeters {
		end += len(c.days[slot].curve)
		index = append(index, byte(end), byte(end>>8), byte(end>>16))
	}
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

// endBytes is what the end of a curve takes in the index.
const endBytes = 3

// chunkIndex reads the index of a stored chunk.
type chunkIndex struct {
	r       reader
	ends    []byte
	width   uint64 // bytes of features of each day
	present uint64
	origins []provenance
}

func openIndex(index []byte) (*chunkIndex, error) {
	x := &chunkIndex{r: reader{in: index}}
	if v := x.r.byte(); v != chunkVersion {
		return nil, fmt.Errorf("%w (version %d)", errChunk, v)
	}
	x.ends = x.r.bytes(endBytes * chunkMeters)
	x.width = x.r.uvarint()
	x.present = x.r.uint64()
	x.origins = x.r.origins()
	if x.r.bad || x.width%4 != 0 || x.width > 1<<16 {
		return nil, fmt.Errorf("%w (head of the index)", errChunk)
	}
	return x, nil
}

// curve returns where the curve of a slot lies.
func (x *chunkIndex) curve(slot int) (from, to int) {
	end := func(slot int) int {
		e := x.ends[endBytes*slot:]
		return int(e[0]) | int(e[1])<<8 | int(e[2])<<16
	}
	if slot > 0 {
		from = end(slot - 1)
	}
	return from, end(slot)
}

// next reads what the index says of the next slot that is present: its record
// without the bytes.
func (x *chunkIndex) next() (r record) {
	origin := x.r.uvarint()
	r.version = int64(x.r.uvarint())
	if origin >= uint64(len(x.origins)) || r.version < 1 {
		x.r.bad = true
		return r
	}
	r.at, r.origin = x.origins[origin].at, x.origins[origin].origin
	return r
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
	place := uint64(0)
	for slot := range chunkMeters {
		from, to := x.curve(slot)
		there := x.present&(1<<slot) != 0
		if from > to || !there && from != to || curves != nil && to > len(curves) {
			return fmt.Errorf("%w (curves)", errChunk)
		}
		if !there {
			continue
		}
		r := x.next()
		if curves != nil {
			r.curve = curves[from:to:to]
		}
		if features != nil {
			r.features = features[place*x.width : (place+1)*x.width]
		}
		c.days[slot] = r
		place++
	}
	if _, end := x.curve(chunkMeters - 1); x.r.bad || len(x.r.in) != 0 || curves != nil && end != len(curves) {
		return fmt.Errorf("%w (index)", errChunk)
	}
	c.present = x.present
	return nil
}

// locate finds one slot's record, without its bytes, and where in the chunk's
// curves its curve lies; ok is false where the slot is empty.
func locate(index []byte, slot int) (r record, from, to int, ok bool, err error) {
	x, err := openIndex(index)
	if err != nil || x.present&(1<<slot) == 0 {
		return record{}, 0, 0, false, err
	}
	for range bits.OnesCount64(x.present&(1<<slot-1)) + 1 {
		r = x.next()
	}
	from, to = x.curve(slot)
	if x.r.bad || from > to {
		return record{}, 0, 0, false, fmt.Errorf("%w (index)", errChunk)
	}
	return r, from, to, true, nil
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
