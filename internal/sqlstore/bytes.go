package sqlstore

import "encoding/binary"

// reader reads stored bytes with bounds checks; past the end it sets bad.
type reader struct {
	in  []byte
	bad bool
}

func (r *reader) bytes(n uint64) []byte {
	if r.bad || n > uint64(len(r.in)) {
		r.bad = true
		return nil
	}
	b := r.in[:n:n]
	r.in = r.in[n:]
	return b
}

func (r *reader) byte() byte {
	b := r.bytes(1)
	if len(b) == 0 {
		return 0
	}
	return b[0]
}

func (r *reader) uint64() uint64 {
	b := r.bytes(8)
	if len(b) == 0 {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.in)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.in = r.in[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.in)
	if n <= 0 {
		r.bad = true
		return 0
	}
	r.in = r.in[n:]
	return v
}

func (r *reader) string() string { return string(r.bytes(r.uvarint())) }
