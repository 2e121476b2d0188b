package stream

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// ErrUndecodable marks a message that is not a batch of readings.
var ErrUndecodable = errors.New("not a batch of readings")

// Decode returns the readings of one message. Their raw values are parts of
// data, which must not change while they are in use. What it allocates is bounded by
// the length of data, whatever the bytes say. Its errors are ErrUndecodable.
func Decode(data []byte) ([]meter.Reading, error) { return appendDecoded(nil, data) }

// appendDecoded appends the readings of one message to dst, which it returns
// as it was where data is not a batch of readings.
func appendDecoded(dst []meter.Reading, data []byte) ([]meter.Reading, error) {
	if len(data) > maxMessage {
		return dst, fmt.Errorf("%w: %d bytes, at most %d were expected", ErrUndecodable, len(data), maxMessage)
	}
	if len(data) < len(magic)+1 || string(data[:len(magic)]) != magic {
		return dst, fmt.Errorf("%w: it does not begin with %q", ErrUndecodable, magic)
	}
	if v := data[len(magic)]; v != version {
		return dst, fmt.Errorf("%w: version %d, this program knows version %d; update the program", ErrUndecodable, v, version)
	}
	d := decoder{data: data, pos: len(magic) + 1}
	out := d.readings(dst)
	if d.err != nil {
		return dst, fmt.Errorf("%w: at byte %d: %w", ErrUndecodable, d.pos, d.err)
	}
	return out, nil
}

// decoder walks a message. After the first error its methods return zeros.
type decoder struct {
	data    []byte
	pos     int
	err     error
	dict    []string
	event   int64
	receive int64
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = fmt.Errorf(format, args...)
	}
}

func (d *decoder) left() int { return len(d.data) - d.pos }

func (d *decoder) uvarint(what string) uint64 {
	if d.err != nil {
		return 0
	}
	v, n := binary.Uvarint(d.data[d.pos:])
	if n <= 0 {
		d.fail("the %s is cut or too large", what)
		return 0
	}
	d.pos += n
	return v
}

func (d *decoder) varint(what string) int64 {
	v := d.uvarint(what)
	return int64(v>>1) ^ -int64(v&1)
}

func (d *decoder) take(n uint64, what string) []byte {
	if d.err != nil {
		return nil
	}
	if n > uint64(d.left()) {
		d.fail("the %s claims %d bytes where %d are left", what, n, d.left())
		return nil
	}
	b := d.data[d.pos : d.pos+int(n)]
	d.pos += int(n)
	return b
}

// count reads a number of items of at least size bytes each.
func (d *decoder) count(size int, what string) int {
	n := d.uvarint("number of " + what)
	if d.err == nil && n > uint64(d.left()/size) {
		d.fail("%d %s cannot fit the %d bytes left", n, what, d.left())
	}
	if d.err != nil {
		return 0
	}
	return int(n)
}

func (d *decoder) readings(dst []meter.Reading) []meter.Reading {
	d.dict = make([]string, d.count(1, "names"))
	for i := range d.dict {
		d.dict[i] = string(d.field("name"))
	}
	n := d.count(minRow, "readings")
	out := slices.Grow(dst, n)[:len(dst)+n]
	for i := len(dst); i < len(out); i++ {
		out[i] = meter.Reading{}
		d.reading(&out[i])
		if d.err != nil {
			return nil
		}
	}
	if d.err == nil && d.left() > 0 {
		d.fail("%d bytes follow the last reading", d.left())
	}
	return out
}

// field reads a length and as many bytes.
func (d *decoder) field(what string) []byte {
	n := d.uvarint("length of a " + what)
	if n > maxField {
		d.fail("a %s of %d bytes, at most %d were expected", what, n, maxField)
	}
	return d.take(n, what)
}

func (d *decoder) name(what string) string {
	i := d.uvarint(what)
	if d.err == nil && i >= uint64(len(d.dict)) {
		d.fail("%s %d of a dictionary of %d", what, i, len(d.dict))
	}
	if d.err != nil {
		return ""
	}
	return d.dict[i]
}

func (d *decoder) reading(r *meter.Reading) {
	head := byte(0)
	if b := d.take(1, "head of a reading"); len(b) == 1 {
		head = b[0]
	}
	if head&reserved != 0 || head&qualityMask > byte(meter.Good) {
		d.fail("the head of a reading is %#02x, which has no meaning", head)
		return
	}
	r.Quality = meter.Quality(head & qualityMask)
	r.DeviceID = d.name("device")
	r.MeterID = d.name("meter")
	r.Quantity = meter.Quantity(d.name("quantity"))
	if b := d.take(8, "value"); len(b) == 8 {
		r.Value = math.Float64frombits(binary.LittleEndian.Uint64(b))
	}
	r.EventTime = d.time("event time", head&wideEvent != 0, &d.event)
	r.ReceiveTime = d.time("receive time", head&wideReceive != 0, &d.receive)
	if head&hasFlags != 0 {
		flags := d.uvarint("flags")
		if flags > math.MaxUint16 {
			d.fail("flags %#x have more than 16 bits", flags)
		}
		r.Flags = meter.Flags(flags)
	}
	if head&hasRaw != 0 {
		raw := d.field("raw value")
		r.Raw = raw[:len(raw):len(raw)]
	}
	if head&hasDetail != 0 {
		r.Detail = d.name("detail")
	}
}

func (d *decoder) time(what string, wide bool, base *int64) time.Time {
	v := d.varint(what)
	if wide {
		ns := d.uvarint(what)
		if ns > 999_999_999 {
			d.fail("%s with %d nanoseconds", what, ns)
			return time.Time{}
		}
		return time.Unix(v, int64(ns)).UTC()
	}
	*base += v
	return time.Unix(0, *base).UTC()
}
