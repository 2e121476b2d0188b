package ingest

import (
	"math/bits"
)

// Numbers are read eight characters at a time: a word holds the next eight
// bytes of a row, the first in its lowest byte. A byte of the word is tested
// without branches by arithmetic on the whole word.
const (
	ones    = 0x0101010101010101
	highs   = 0x8080808080808080
	zeros   = '0' * ones
	commas  = ',' * ones
	points  = '.' * ones
	noDigit = 0x76 * ones // what carries a byte above 9 over into its highest bit

	// 0.000, is what one interval of most exports looks like.
	thousandths     = '0' | '.'<<8 | '0'<<16 | '0'<<24 | '0'<<32 | ','<<40
	thousandthsMask = 1<<48 - 1
	// Digits may be up to 9 above '0', the others must be what they are.
	thousandthsTest = 0x76 | 0x7f<<8 | 0x76<<16 | 0x76<<24 | 0x76<<32 | 0x7f<<40
	thousandthsSize = 6
)

// readThousandths reads a word that begins like "0.123," and returns the
// number in thousandths.
func readThousandths(word uint64) (n uint64, ok bool) {
	d := (word ^ thousandths) & thousandthsMask
	if (d|(d+thousandthsTest))&highs != 0 {
		return 0, false
	}
	return d&0xff*1000 + d>>16&0xff*100 + d>>24&0xff*10 + d>>32, true
}

// readShort reads a word that begins with a plain decimal of at most seven
// characters and a comma. size is the decimal's length; ok is false where the
// word is something else, an empty field too.
func readShort(word uint64) (n uint64, decimals, size int, ok bool) {
	end := find(word, commas)
	if end == 0 {
		return 0, 0, 0, false
	}
	size = bits.TrailingZeros64(end) >> 3
	if size == 0 {
		return 0, 0, 0, false
	}
	field := word << (64 - 8*uint(size)) // its last character in the highest byte
	pad := uint64(zeros) >> (8 * uint(size))
	if at := find(field, points); at != 0 {
		if size == 1 {
			return 0, 0, 0, false
		}
		place := uint(bits.TrailingZeros64(at) &^ 7)
		before := field & (1<<place - 1)
		field = field>>place>>8<<8<<place | before<<8
		pad = pad<<8 | '0'
		decimals = 7 - int(place>>3)
	}
	field = (field | pad) ^ zeros
	if (field|(field+noDigit))&highs != 0 {
		return 0, 0, 0, false
	}
	return eightDigits(field), decimals, size, true
}

// find returns a word whose lowest set bit is the highest of the first byte of
// word that equals those of pattern; 0 where none does.
func find(word, pattern uint64) uint64 {
	word ^= pattern
	return (word - ones) &^ word & highs
}

// eightDigits puts eight digits together, the first in the lowest byte.
func eightDigits(d uint64) uint64 {
	const pair = 0x000000ff000000ff
	d = d*10 + d>>8 // two digits in every other byte
	return (d&pair*(100+1000000<<32) + d>>16&pair*(1+10000<<32)) >> 32
}
