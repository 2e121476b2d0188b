package historian

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

const (
	maxName   = 256  // bytes of an id
	maxDetail = 1024 // bytes of a detail that are kept
)

// The engine's range of times.
func earliest() time.Time { return time.Unix(0, math.MinInt64+1_000_000_000) }
func latest() time.Time   { return time.Unix(0, math.MaxInt64-1_000_000_000) }

// storable says why the engine could never take r, or nil.
func storable(r *meter.Reading) error {
	if err := goodName("device id", r.DeviceID); err != nil {
		return err
	}
	if err := goodName("meter id", r.MeterID); err != nil {
		return err
	}
	if err := fieldName(r); err != nil {
		return err
	}
	if r.EventTime.Before(earliest()) || r.EventTime.After(latest()) {
		return fmt.Errorf("device %q: event time %s is outside of the years 1678 to 2262; set the device's clock", r.DeviceID, r.EventTime.Format(time.RFC3339))
	}
	return nil
}

// fieldName says why r's quantity can be no field, or nil.
func fieldName(r *meter.Reading) error {
	if r.Quantity == "" || r.Quantity == fieldReceived {
		return fmt.Errorf("device %q: quantity %q cannot be stored; use one of the known quantities", r.DeviceID, r.Quantity)
	}
	for _, c := range []byte(r.Quantity) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_') {
			return fmt.Errorf("device %q: quantity %q has a character other than a to z, digits and _; mend its profile", r.DeviceID, r.Quantity)
		}
	}
	return nil
}

func goodName(what, s string) error {
	switch {
	case len(s) > maxName:
		return fmt.Errorf("%s %q… has %d bytes; use %d at most", what, s[:40], len(s), maxName)
	case !utf8.ValidString(s):
		return fmt.Errorf("%s %q is not UTF-8", what, s)
	case strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || r == '\\' }):
		return fmt.Errorf("%s %q has a control character or a backslash, which the line protocol cannot carry; rename it", what, s)
	}
	return nil
}

// sameLine reports whether b can join the line of a.
func sameLine(a, b *meter.Reading) bool {
	return a.DeviceID == b.DeviceID && a.MeterID == b.MeterID &&
		a.EventTime.Equal(b.EventTime) && a.ReceiveTime.Equal(b.ReceiveTime)
}

// appendLine appends one line for readings of one device, meter and moment,
// each of another quantity.
func (f form) appendLine(b []byte, readings []meter.Reading) []byte {
	first := &readings[0]
	b = append(b, measurement...)
	b = appendTag(b, tagDevice, first.DeviceID)
	b = appendTag(b, tagMeter, first.MeterID)
	b = append(b, ' ')
	for i := range readings {
		b = f.appendFields(b, &readings[i])
	}
	if t := first.ReceiveTime; f.received && t.After(earliest()) && t.Before(latest()) {
		b = appendInt(b, "", fieldReceived, t.UnixNano())
	}
	b[len(b)-1] = ' ' // the last comma
	b = strconv.AppendInt(b, first.EventTime.UnixNano(), 10)
	return append(b, '\n')
}

func appendTag(b []byte, key, value string) []byte {
	if value == "" {
		return b // the line protocol has no empty tag: absent is empty
	}
	b = append(b, ',')
	b = append(b, key...)
	b = append(b, '=')
	for _, c := range []byte(value) {
		if c == ',' || c == '=' || c == ' ' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return b
}

// appendFields appends the fields of one reading, each with a comma after it.
func (f form) appendFields(b []byte, r *meter.Reading) []byte {
	name := string(r.Quantity)
	finite := !math.IsNaN(r.Value) && !math.IsInf(r.Value, 0)
	quality := r.Quality
	if !finite {
		quality = meter.Bad // a good reading without a number is a contradiction
	}
	switch {
	case quality != meter.Bad:
		b = appendFloat(b, name, "", r.Value)
	case finite:
		b = appendFloat(b, name, suffixRejected, r.Value)
	}
	if r.Flags != 0 {
		b = appendInt(b, name, suffixFlags, int64(r.Flags))
	}
	if quality == meter.Good {
		return b
	}
	b = appendInt(b, name, suffixQuality, int64(quality))
	if !f.strings {
		return b
	}
	if len(r.Raw) > 0 {
		b = appendString(b, name, suffixRaw, hex.EncodeToString(r.Raw))
	}
	if r.Detail != "" {
		b = appendString(b, name, suffixDetail, clean(r.Detail))
	}
	return b
}

// hasField reports whether appendFields writes the named field for r.
func hasField(r *meter.Reading, field string) bool {
	name, suffix, ok := strings.Cut(field, ".")
	if string(r.Quantity) != name {
		return false
	}
	finite := !math.IsNaN(r.Value) && !math.IsInf(r.Value, 0)
	good, bad := r.Quality == meter.Good && finite, r.Quality == meter.Bad || !finite
	switch "." + suffix {
	case suffixFlags:
		return r.Flags != 0
	case suffixQuality:
		return !good
	case suffixRejected:
		return bad && finite
	case suffixRaw:
		return !good && len(r.Raw) > 0
	case suffixDetail:
		return !good && r.Detail != ""
	}
	return !ok && !bad
}

func appendFloat(b []byte, name, suffix string, v float64) []byte {
	b = append(append(append(b, name...), suffix...), '=')
	return append(strconv.AppendFloat(b, v, 'g', -1, 64), ',')
}

func appendInt(b []byte, name, suffix string, v int64) []byte {
	b = append(append(append(b, name...), suffix...), '=')
	return append(strconv.AppendInt(b, v, 10), 'i', ',')
}

func appendString(b []byte, name, suffix, v string) []byte {
	b = append(append(append(b, name...), suffix...), '=', '"')
	for _, c := range []byte(v) {
		if c == '"' || c == '\\' {
			b = append(b, '\\')
		}
		b = append(b, c)
	}
	return append(b, '"', ',')
}

// clean makes a detail fit to be stored: UTF-8, one line, bounded.
func clean(s string) string {
	if len(s) > maxDetail {
		s = s[:maxDetail]
	}
	return oneLine(s)
}

// oneLine leaves out what is no UTF-8, and control characters.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
}
