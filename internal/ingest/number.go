package ingest

import (
	"bytes"
	"math"
	"strconv"
)

// powersOfTen are exact in float64 up to here.
var powersOfTen = [23]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12,
	1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// parseNumber reads a decimal number. Digits are gathered as an integer and
// divided once by a power of ten: both are exact below 2^53, so the quotient
// is rounded once and equals what strconv.ParseFloat gives. Longer numbers
// and exponents go there. NaN, infinities and hexadecimal are no numbers here.
func parseNumber(field []byte) (float64, bool) {
	digits := field
	negative := false
	if len(digits) > 0 && (digits[0] == '-' || digits[0] == '+') {
		negative = digits[0] == '-'
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 16 {
		return parseSlowly(field)
	}
	var whole uint64
	point := -1
	for i, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			whole = whole*10 + uint64(c-'0')
		case c == '.' && point < 0:
			point = i
		default:
			return parseSlowly(field)
		}
	}
	v := float64(whole)
	if point >= 0 {
		if len(digits) == 1 {
			return 0, false
		}
		v /= powersOfTen[len(digits)-1-point]
	} else if whole >= 1<<53 {
		return parseSlowly(field)
	}
	if negative {
		v = 0 - v // not -v: a zero stays positive
	}
	return v, true
}

func parseSlowly(field []byte) (float64, bool) {
	const longest = 64
	if len(field) == 0 || len(field) > longest || bytes.ContainsAny(field, "xX_nNiIpP") {
		return 0, false
	}
	v, err := strconv.ParseFloat(string(field), 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, false
	}
	return v + 0, true
}

// trimField drops blanks and one pair of quotes around a field without comma.
func trimField(field []byte) []byte {
	field = bytes.TrimSpace(field)
	if n := len(field); n >= 2 && field[0] == '"' && field[n-1] == '"' {
		field = bytes.TrimSpace(field[1 : n-1])
	}
	return field
}
