package main

import (
	"bytes"
	"errors"
	"strconv"
)

// line is one line of line protocol, taken apart as far as the runner needs
// it. Its slices belong to the text that was parsed.
type line struct {
	measurement []byte
	device      []byte // tag device or device_id
	time        int64  // ns of the epoch; 0 where the line has none
	values      []value
}

// value is one field.
type value struct {
	name []byte
	text []byte // of a number, without the suffix of integers; of a string with its quotes
}

var errLine = errors.New("not line protocol")

// parse takes a line apart. The text has no line end.
func (l *line) parse(text []byte) error {
	*l = line{values: l.values[:0]}
	head, rest, ok := cut(text, ' ')
	if !ok {
		return errLine
	}
	var tags []byte
	l.measurement, tags, _ = cut(head, ',')
	for len(tags) > 0 {
		var tag []byte
		tag, tags, _ = cut(tags, ',')
		key, val, ok := cut(tag, '=')
		if !ok {
			return errLine
		}
		if string(key) == "device" || string(key) == "device_id" {
			l.device = val
		}
	}
	for more := true; more; {
		var v value
		if v.name, rest, ok = cut(rest, '='); !ok || len(v.name) == 0 {
			return errLine
		}
		n := fieldEnd(rest)
		if n <= 0 {
			return errLine
		}
		v.text = rest[:n]
		if last := v.text[n-1]; last == 'i' || last == 'u' {
			v.text = v.text[:n-1]
		}
		l.values = append(l.values, v)
		more = n < len(rest) && rest[n] == ','
		rest = rest[min(n+1, len(rest)):]
	}
	if len(rest) == 0 {
		return nil
	}
	var err error
	if l.time, err = strconv.ParseInt(string(rest), 10, 64); err != nil {
		return errLine
	}
	return nil
}

// cut splits at the first separator that no backslash escapes.
func cut(text []byte, separator byte) (before, after []byte, found bool) {
	for from := 0; ; {
		i := bytes.IndexByte(text[from:], separator)
		if i < 0 {
			return text, nil, false
		}
		i += from
		escapes := 0
		for escapes < i && text[i-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return text[:i], text[i+1:], true
		}
		from = i + 1
	}
}

// fieldEnd returns where the value at the beginning of text ends: before a
// comma or a space that is not within quotes. It is negative where quotes do
// not close.
func fieldEnd(text []byte) int {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == ',' || c == ' '):
			return i
		}
	}
	if quoted {
		return -1
	}
	return len(text)
}

// number returns a numeric value.
func (v value) number() (float64, bool) {
	f, err := strconv.ParseFloat(string(v.text), 64)
	return f, err == nil
}
