package fleet

import (
	"encoding/binary"
	"fmt"
	"math"
)

// Layout of a device.
const (
	Points    = 10 // of a device, all read in one poll
	Registers = 40 // of a device, from address 0

	stride = 8  // registers from one pair of points to the next
	uPlace = 4  // of the u point within them
	fScale = 64 // f points are whole multiples of 1/64
)

// Point is one value of a device.
type Point struct {
	Name    string // f0 to f4, u0 to u4
	Address int    // of its first register
	Float   bool   // FLOAT32 in two registers, else UINT16 in one
}

// List returns the points, in the order in which Value numbers them: f0, u0,
// f1, u1 and so on.
func List() [Points]Point {
	var list [Points]Point
	for i := range Points / 2 {
		list[2*i] = Point{Name: fmt.Sprint("f", i), Address: stride * i, Float: true}
		list[2*i+1] = Point{Name: fmt.Sprint("u", i), Address: stride*i + uPlace}
	}
	return list
}

// part is what the registers of one stride hold.
type part struct {
	f   float32
	u   uint16
	gap uint64 // fills the registers that belong to no point
}

// partOf computes a stride of a device in a second of the epoch. The f values
// are multiples of 1/64 below 16,384: exact in float32, in decimal text and
// after every conversion. u0 is second + 257*device and u1 second - 4099*device,
// modulo 65,536, so that a value in a log tells where it came from; the other
// u values are hashes like the f values.
func partOf(device, stride int, second int64) part {
	h := mix(mix(uint64(device)<<3|uint64(stride)) ^ uint64(second))
	p := part{f: float32(h&0xFFFFF) / fScale, u: uint16(h >> 20), gap: mix(h)}
	switch stride {
	case 0:
		p.u = uint16(second + 257*int64(device))
	case 1:
		p.u = uint16(second - 4099*int64(device))
	}
	return p
}

// mix is the finalizer of SplitMix64: every bit of x bears on every bit of
// the result.
func mix(x uint64) uint64 {
	x += 0x9E3779B97F4A7C15
	x = (x ^ x>>30) * 0xBF58476D1CE4E5B9
	x = (x ^ x>>27) * 0x94D049BB133111EB
	return x ^ x>>31
}

// Values returns what the points of a device hold in a second of the epoch.
func Values(device int, second int64) [Points]float64 {
	var list [Points]float64
	for i := range Points / 2 {
		p := partOf(device, i, second)
		list[2*i], list[2*i+1] = float64(p.f), float64(p.u)
	}
	return list
}

// AppendRegisters appends count registers of a device from the address first,
// big endian, as they are in a second of the epoch. Registers past the layout
// go on in the same way.
func AppendRegisters(b []byte, device, first, count int, second int64) []byte {
	var p part
	for r := first; r < first+count; r++ {
		if r == first || r%stride == 0 {
			p = partOf(device, r/stride, second)
		}
		b = binary.BigEndian.AppendUint16(b, p.register(r%stride))
	}
	return b
}

// register is the register at a place within the stride.
func (p part) register(place int) uint16 {
	switch place {
	case 0:
		return uint16(math.Float32bits(p.f) >> 16)
	case 1:
		return uint16(math.Float32bits(p.f))
	case uPlace:
		return p.u
	}
	return uint16(p.gap>>(6*place)) | 1
}
