package stream

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// The stored form of a batch of readings, version 1. Integers are unsigned
// (u) or zigzag (z) varints, floats are IEEE 754 little-endian.
//
//	"GWR" 1                     magic and version
//	u count, (u length, bytes)  dictionary: device, meter, quantity, detail
//	u count                     readings
//	per reading:
//	  byte                      bits 0-1 quality, then the has… and wide… bits
//	  u, u, u                   device, meter, quantity: dictionary indexes
//	  8 bytes                   value
//	  time, time                event, receive
//	  [u]                       flags, where hasFlags
//	  [u length, bytes]         raw, where hasRaw
//	  [u]                       detail: dictionary index, where hasDetail
//
// A time is z nanoseconds since the same time of the reading before (the
// first counts from the epoch), or, where it is wide (outside of the years
// 1678 to 2262, the zero time for one), z seconds of the epoch and u
// nanoseconds; a wide time leaves the base of the next one alone.
const (
	magic   = "GWR"
	version = 1

	qualityMask = 0x03
	wideEvent   = 0x04
	wideReceive = 0x08
	hasFlags    = 0x10
	hasRaw      = 0x20
	hasDetail   = 0x40
	reserved    = 0x80

	// minRow is the smallest reading possible; it bounds what a hostile count
	// can make the decoder allocate.
	minRow = 1 + 3 + 8 + 2

	// maxMessage is the largest message that is decoded. JetStream's own
	// default limit is the same.
	maxMessage = 1 << 20

	// maxField bounds one string or raw value, so that one reading more than
	// the target still fits a message.
	maxField = 64 << 10
)

// narrow reports whether t fits nanoseconds of the epoch in an int64.
func narrow(t time.Time) bool {
	year := t.Year()
	return year > 1678 && year < 2262
}

// encoder builds one message.
type encoder struct {
	index   map[string]uint64
	dict    []byte
	rows    []byte
	count   uint64
	event   int64
	receive int64

	// What the reading before had: readings of one poll follow each other, in
	// the same order of quantities every time.
	device, meter entry
	quantities    []entry
	at            int // in quantities, of the next guess
}

// entry is a name in the dictionary.
type entry struct {
	name  string
	index uint64
}

func newEncoder() *encoder { return &encoder{index: make(map[string]uint64)} }

// reset makes e ready for the next message.
func (e *encoder) reset() {
	clear(e.index)
	*e = encoder{index: e.index, dict: e.dict[:0], rows: e.rows[:0], quantities: e.quantities[:0]}
}

// size is the length of the message as it stands, give or take its header.
func (e *encoder) size() int {
	return len(e.dict) + len(e.rows) + len(magic) + 1 + 2*binary.MaxVarintLen64
}

// intern returns the dictionary index of s.
func (e *encoder) intern(s string) uint64 {
	if i, ok := e.index[s]; ok {
		return i
	}
	i := uint64(len(e.index))
	e.index[s] = i
	e.dict = binary.AppendUvarint(e.dict, uint64(len(s)))
	e.dict = append(e.dict, s...)
	return i
}

// again is intern for a name that is likely to be known as last.
func (e *encoder) again(last *entry, name string) uint64 {
	if e.count == 0 || last.name != name {
		*last = entry{name, e.intern(name)}
	}
	return last.index
}

// quantity is intern for quantities, whose order repeats.
func (e *encoder) quantity(name string) uint64 {
	if e.at >= len(e.quantities) {
		e.at = 0
	}
	if e.at < len(e.quantities) && e.quantities[e.at].name == name {
		e.at++
		return e.quantities[e.at-1].index
	}
	for i := range e.quantities {
		if e.quantities[i].name == name {
			e.at = i + 1
			return e.quantities[i].index
		}
	}
	index := e.intern(name)
	if len(e.quantities) < maxGuesses {
		e.quantities = append(e.quantities, entry{name, index})
		e.at = len(e.quantities)
	}
	return index
}

// maxGuesses bounds the quantities that are looked for one by one.
const maxGuesses = 64

// check refuses a reading that the decoder would refuse.
func check(r *meter.Reading) error {
	if r.Quality > meter.Good {
		return fmt.Errorf("device %q meter %q %s: quality %d does not exist; use bad, uncertain or good", cut(r.DeviceID), cut(r.MeterID), cut(string(r.Quantity)), r.Quality)
	}
	for _, f := range [...]struct {
		name string
		n    int
	}{{"device id", len(r.DeviceID)}, {"meter id", len(r.MeterID)}, {"quantity", len(r.Quantity)}, {"detail", len(r.Detail)}, {"raw value", len(r.Raw)}} {
		if f.n > maxField {
			return fmt.Errorf("device %q meter %q %s: its %s has %d bytes; shorten it to %d at most", cut(r.DeviceID), cut(r.MeterID), cut(string(r.Quantity)), f.name, f.n, maxField)
		}
	}
	return nil
}

// cut shortens a name for a message.
func cut(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}

// add appends one reading that check has passed.
func (e *encoder) add(r *meter.Reading) {
	head := byte(r.Quality) & qualityMask
	if !narrow(r.EventTime) {
		head |= wideEvent
	}
	if !narrow(r.ReceiveTime) {
		head |= wideReceive
	}
	if r.Flags != 0 {
		head |= hasFlags
	}
	if len(r.Raw) > 0 {
		head |= hasRaw
	}
	if r.Detail != "" {
		head |= hasDetail
	}
	b := append(e.rows, head)
	b = binary.AppendUvarint(b, e.again(&e.device, r.DeviceID))
	b = binary.AppendUvarint(b, e.again(&e.meter, r.MeterID))
	b = binary.AppendUvarint(b, e.quantity(string(r.Quantity)))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(r.Value))
	b = appendTime(b, r.EventTime, head&wideEvent != 0, &e.event)
	b = appendTime(b, r.ReceiveTime, head&wideReceive != 0, &e.receive)
	if r.Flags != 0 {
		b = binary.AppendUvarint(b, uint64(r.Flags))
	}
	if len(r.Raw) > 0 {
		b = binary.AppendUvarint(b, uint64(len(r.Raw)))
		b = append(b, r.Raw...)
	}
	if r.Detail != "" {
		b = binary.AppendUvarint(b, e.intern(r.Detail))
	}
	e.rows = b
	e.count++
}

func appendTime(b []byte, t time.Time, wide bool, base *int64) []byte {
	if wide {
		b = binary.AppendVarint(b, t.Unix())
		return binary.AppendUvarint(b, uint64(t.Nanosecond()))
	}
	ns := t.UnixNano()
	b = binary.AppendVarint(b, ns-*base)
	*base = ns
	return b
}

// bytes returns the finished message.
func (e *encoder) bytes() []byte {
	out := make([]byte, 0, e.size())
	out = append(out, magic...)
	out = append(out, version)
	out = binary.AppendUvarint(out, uint64(len(e.index)))
	out = append(out, e.dict...)
	out = binary.AppendUvarint(out, e.count)
	return append(out, e.rows...)
}

// Encode returns the messages that carry readings in order, each of about
// target bytes and below JetStream's limit of a megabyte. An error names the
// device whose reading cannot be carried.
func Encode(readings []meter.Reading, target int) ([][]byte, error) {
	return newEncoder().encode(readings, target)
}

// encode is Encode in e's own buffers.
func (e *encoder) encode(readings []meter.Reading, target int) ([][]byte, error) {
	var out [][]byte
	e.reset()
	for i := range readings {
		if err := check(&readings[i]); err != nil {
			return nil, fmt.Errorf("encode reading: %w", err)
		}
		e.add(&readings[i])
		if e.size() >= target {
			out = append(out, e.bytes())
			e.reset()
		}
	}
	if e.count > 0 {
		out = append(out, e.bytes())
	}
	return out, nil
}
