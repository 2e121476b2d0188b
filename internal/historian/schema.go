package historian

import (
	"strings"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Names of the schema; doc.go describes it.
const (
	measurement   = "meter"
	tagMeter      = "meter_id"
	tagDevice     = "device_id"
	fieldReceived = "received"

	suffixQuality  = ".quality"
	suffixFlags    = ".flags"
	suffixRejected = ".rejected"
	suffixRaw      = ".raw"
	suffixDetail   = ".detail"
)

// FieldType is the type of a field in the engine.
type FieldType string

// Field types in use.
const (
	Float   FieldType = "float"
	Integer FieldType = "integer"
	String  FieldType = "string"
)

// Field is one field of the schema.
type Field struct {
	Name string
	Type FieldType
	Unit meter.Unit // of values
}

// Schema lists every field that may be written for the known quantities: six
// of each quantity and the receive time. A device of a third party's driver
// may bring further quantities; their types follow the same rule.
func Schema() []Field {
	out := []Field{{Name: fieldReceived, Type: Integer}}
	for _, q := range meter.Quantities() {
		for _, suffix := range []string{"", suffixQuality, suffixFlags, suffixRejected, suffixRaw, suffixDetail} {
			f := Field{Name: string(q) + suffix, Type: TypeOf(string(q) + suffix)}
			if f.Type == Float {
				f.Unit = q.Unit()
			}
			out = append(out, f)
		}
	}
	return out
}

// TypeOf is the type of a field, which its name alone decides.
//
// Every value is a float, of counters and of states too. A quantity comes as
// a 16-bit register from one device and as a float from the next: only a type
// by quantity cannot conflict. A mean of integers is a float, and would
// conflict in the bucket of means; floats hold integers exactly up to 2^53,
// which no register in kWh reaches; and VictoriaMetrics has only floats.
// Integers are what nobody averages: classes, bits and the receive time.
func TypeOf(field string) FieldType {
	switch at := strings.LastIndexByte(field, '.'); {
	case field == fieldReceived:
		return Integer
	case at < 0:
		return Float
	default:
		switch field[at:] {
		case suffixQuality, suffixFlags:
			return Integer
		case suffixRaw, suffixDetail:
			return String
		}
		return Float
	}
}

// cumulative lists the quantities whose last value says more than their mean.
func cumulative() []string {
	var out []string
	for _, q := range meter.Quantities() {
		if q.Cumulative() {
			out = append(out, string(q))
		}
	}
	return out
}
