package profile

import "encoding/binary"

// Order is the order of bytes on the wire, where A is the most significant
// byte of the value.
//
// The four short orders serve values of every size. A value of one register
// has no words to be swapped: CDAB leaves it, DCBA is BADC. A value of four
// registers follows the same rule as one of two: CDAB reverses all words
// (GHEFCDAB), BADC swaps the bytes of each word (BADCFEHG), DCBA does both
// (HGFEDCBA). Devices that put 64 bits together from two halves of their own
// order need one of the four long orders, which are read literally.
type Order string

// Orders.
const (
	ABCD Order = "ABCD" // big-endian, what the standard asks for
	CDAB Order = "CDAB" // low word first
	BADC Order = "BADC" // bytes of each word swapped
	DCBA Order = "DCBA" // little-endian

	EFGHABCD Order = "EFGHABCD" // low half first, each half ABCD
	CDABGHEF Order = "CDABGHEF" // high half first, each half CDAB
	FEHGBADC Order = "FEHGBADC" // low half first, each half BADC
	DCBAHGFE Order = "DCBAHGFE" // high half first, each half DCBA
)

// Orders returns the four orders that serve values of every size.
func Orders() []Order { return []Order{ABCD, CDAB, BADC, DCBA} }

func longOrders() []Order { return []Order{EFGHABCD, CDABGHEF, FEHGBADC, DCBAHGFE} }

// What an order exchanges: neighbouring bytes, neighbouring words, the halves
// of 64 bits. Each is its own inverse, and they may be done in any sequence.
const (
	swapBytes = 1 << iota
	swapWords
	swapHalves
)

// swaps returns what o exchanges in a value of so many bytes.
func (o Order) swaps(size int) uint8 {
	var s uint8
	switch o {
	case CDAB:
		s = swapWords | swapHalves
	case BADC:
		s = swapBytes
	case DCBA:
		s = swapBytes | swapWords | swapHalves
	case EFGHABCD:
		s = swapHalves
	case CDABGHEF:
		s = swapWords
	case FEHGBADC:
		s = swapHalves | swapBytes
	case DCBAHGFE:
		s = swapWords | swapBytes
	}
	switch {
	case size < 4:
		return s & swapBytes
	case size < 8:
		return s & (swapBytes | swapWords)
	}
	return s
}

// exchange brings a code from its order on the wire to ABCD, or back.
func exchange(c uint64, swaps uint8) uint64 {
	if swaps&swapBytes != 0 {
		c = c&0x00FF00FF00FF00FF<<8 | c>>8&0x00FF00FF00FF00FF
	}
	if swaps&swapWords != 0 {
		c = c&0x0000FFFF0000FFFF<<16 | c>>16&0x0000FFFF0000FFFF
	}
	if swaps&swapHalves != 0 {
		c = c<<32 | c>>32
	}
	return c
}

// code reads one to four registers as one unsigned integer in ABCD order.
func code(raw []byte, swaps uint8) uint64 {
	var c uint64
	switch len(raw) {
	case 2:
		c = uint64(binary.BigEndian.Uint16(raw))
	case 4:
		c = uint64(binary.BigEndian.Uint32(raw))
	case 8:
		c = binary.BigEndian.Uint64(raw)
	}
	return exchange(c, swaps)
}

// appendCode is the inverse of code.
func appendCode(raw []byte, c uint64, size int, swaps uint8) []byte {
	c = exchange(c, swaps)
	for i := size - 1; i >= 0; i-- {
		raw = append(raw, byte(c>>(8*i)))
	}
	return raw
}
