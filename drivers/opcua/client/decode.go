package client

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"reflect"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// Bounds on what a server may make us hold. They lie far above what a real
// answer needs and far below what would hurt.
const (
	maxDepth    = 20      // of values within values
	maxElements = 1 << 20 // of one array
)

// errMalformed is what bytes are that break the encoding.
var errMalformed = errors.New("the server sent bytes that break the encoding")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errMalformed, fmt.Sprintf(format, args...))
}

// Decode reads v, a pointer to a struct of gopcua's, from b. Whatever is in b,
// it returns: no panic, no more memory than a small multiple of b.
func Decode(b []byte, v any) (err error) {
	// The bounds below were fuzzed; the codecs that they call into are not ours.
	defer func() {
		if r := recover(); r != nil {
			err = malformed("%v", r)
		}
	}()
	d := decoder{b: b}
	d.value(reflect.ValueOf(v).Elem(), 0)
	return d.err
}

// decoder walks one message. After an error all reads are empty.
type decoder struct {
	b   []byte
	err error
}

func (d *decoder) fail(format string, args ...any) {
	if d.err == nil {
		d.err = malformed(format, args...)
	}
	d.b = nil
}

func (d *decoder) take(n int) []byte {
	if n < 0 || n > len(d.b) {
		d.fail("%d bytes are needed, %d are left", n, len(d.b))
		return nil
	}
	out := d.b[:n:n]
	d.b = d.b[n:]
	return out
}

func (d *decoder) byte() byte {
	if b := d.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (d *decoder) uint32() uint32 {
	if b := d.take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

func (d *decoder) uint64() uint64 {
	if b := d.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// bytes reads a length and as many bytes; nil for a null one.
func (d *decoder) bytes() []byte {
	n := int32(d.uint32())
	if n <= 0 {
		return nil
	}
	return d.take(int(n))
}

// unixEpoch is 1970 in the protocol's ticks of 100 ns since 1601.
const unixEpoch = 116444736000000000

// time reads a moment. Those that do not fit 64 bits of nanoseconds are none.
func (d *decoder) time() time.Time {
	ticks := int64(d.uint64())
	const most = (1<<63 - 1) / 100
	if ticks <= 0 || ticks-unixEpoch > most || ticks-unixEpoch < -most {
		return time.Time{}
	}
	return time.Unix(0, (ticks-unixEpoch)*100).UTC()
}

// count reads the length of an array whose elements take at least one byte.
func (d *decoder) count() int {
	n := int32(d.uint32())
	if n <= 0 {
		return 0
	}
	if int(n) > len(d.b) || n > maxElements {
		d.fail("an array of %d elements in %d bytes", n, len(d.b))
		return 0
	}
	return int(n)
}

// leaf is a type whose own codec neither recurses nor allocates more than it reads.
type leaf interface {
	Decode([]byte) (int, error)
}

func (d *decoder) leaf(v leaf) {
	if d.err != nil {
		return
	}
	n, err := v.Decode(d.b)
	if err != nil || n < 0 || n > len(d.b) {
		d.fail("%T: %v", v, err)
		return
	}
	d.b = d.b[n:]
}

// pointer reads what a pointer field points to, where the type has a form of
// its own on the wire.
func (d *decoder) pointer(v any, depth int) bool {
	switch x := v.(type) {
	case *ua.DataValue:
		d.dataValue(x, depth)
	case *ua.Variant:
		d.variant(x, depth)
	case *ua.ExtensionObject:
		d.extension(x, depth)
	case *ua.DiagnosticInfo:
		d.diagnostic(depth)
	case *ua.NodeID:
		d.leaf(x)
	case *ua.ExpandedNodeID:
		d.leaf(x)
	case *ua.LocalizedText:
		d.leaf(x)
	case *ua.GUID:
		d.leaf(x)
	case *ua.MonitoredItemNotification:
		x.ClientHandle = d.uint32()
		x.Value = new(ua.DataValue)
		d.dataValue(x.Value, depth+1)
	default:
		return false
	}
	return true
}

var timeType = reflect.TypeFor[time.Time]()

// value reads anything by its type.
func (d *decoder) value(v reflect.Value, depth int) {
	if d.err != nil {
		return
	}
	if depth > maxDepth {
		d.fail("values are nested more than %d deep", maxDepth)
		return
	}
	if v.Type() == timeType {
		v.Set(reflect.ValueOf(d.time()))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		if !d.pointer(v.Interface(), depth) {
			d.value(v.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			d.value(v.Field(i), depth+1)
		}
	case reflect.Slice:
		d.slice(v, depth)
	default:
		d.basic(v)
	}
}

func (d *decoder) slice(v reflect.Value, depth int) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		v.SetBytes(d.bytes())
		return
	}
	n := d.count()
	// Elements of one byte on the wire can be much larger in memory: the slice
	// grows with what was really there.
	list := reflect.MakeSlice(v.Type(), 0, min(n, 4096))
	zero := reflect.Zero(v.Type().Elem())
	for i := 0; i < n && d.err == nil; i++ {
		list = reflect.Append(list, zero)
		d.value(list.Index(i), depth+1)
	}
	if n > 0 {
		v.Set(list)
	}
}

func (d *decoder) basic(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(string(d.bytes()))
	case reflect.Bool:
		v.SetBool(d.byte() != 0)
	case reflect.Uint8:
		v.SetUint(uint64(d.byte()))
	case reflect.Uint16:
		if b := d.take(2); b != nil {
			v.SetUint(uint64(binary.LittleEndian.Uint16(b)))
		}
	case reflect.Uint32:
		v.SetUint(uint64(d.uint32()))
	case reflect.Int32:
		v.SetInt(int64(int32(d.uint32())))
	case reflect.Uint64:
		v.SetUint(d.uint64())
	case reflect.Int64:
		v.SetInt(int64(d.uint64()))
	case reflect.Float64:
		v.SetFloat(math.Float64frombits(d.uint64()))
	default:
		d.fail("a field of type %v", v.Type())
	}
}

// dataValue reads OPC 10000-6, 5.2.2.17.
func (d *decoder) dataValue(x *ua.DataValue, depth int) {
	x.EncodingMask = d.byte()
	x.Value = new(ua.Variant)
	if x.Has(ua.DataValueValue) {
		d.variant(x.Value, depth+1)
	}
	if x.Has(ua.DataValueStatusCode) {
		x.Status = ua.StatusCode(d.uint32())
	}
	if x.Has(ua.DataValueSourceTimestamp) {
		x.SourceTimestamp = d.time()
	}
	if x.Has(ua.DataValueSourcePicoseconds) {
		d.take(2)
	}
	if x.Has(ua.DataValueServerTimestamp) {
		x.ServerTimestamp = d.time()
	}
	if x.Has(ua.DataValueServerPicoseconds) {
		d.take(2)
	}
}

// variant reads OPC 10000-6, 5.2.2.16. Values that hold values again are read
// past and left out: no reading is made of them.
func (d *decoder) variant(x *ua.Variant, depth int) {
	if depth > maxDepth {
		d.fail("values are nested more than %d deep", maxDepth)
		return
	}
	if len(d.b) == 0 {
		d.fail("a value is missing")
		return
	}
	mask := d.b[0]
	array, dimensions, kind := mask&ua.VariantArrayValues != 0, mask&ua.VariantArrayDimensions != 0, ua.TypeID(mask&0x3f)
	if array {
		if len(d.b) < 5 {
			d.fail("the length of an array is missing")
			return
		}
		if n := int32(binary.LittleEndian.Uint32(d.b[1:])); n < -1 || int(n) > len(d.b) || n > maxElements {
			d.fail("an array of %d elements in %d bytes", n, len(d.b))
			return
		}
		// The codec below trusts dimensions; read without them, the array is flat.
		d.b[0] &^= ua.VariantArrayDimensions
	}
	long := array && int32(binary.LittleEndian.Uint32(d.b[1:])) > longest
	switch kind {
	case ua.TypeIDBoolean, ua.TypeIDSByte, ua.TypeIDByte, ua.TypeIDInt16, ua.TypeIDUint16, ua.TypeIDInt32, ua.TypeIDUint32,
		ua.TypeIDFloat, ua.TypeIDInt64, ua.TypeIDUint64, ua.TypeIDDouble, ua.TypeIDDateTime, ua.TypeIDStatusCode:
		if long { // nothing is made of it, but its neighbours are wanted
			d.byte()
			d.take(d.count() * width(kind))
			break
		}
		d.leaf(x)
	case ua.TypeIDExtensionObject, ua.TypeIDDataValue, ua.TypeIDVariant, ua.TypeIDDiagnosticInfo:
		d.nested(x, kind, array, depth)
	default:
		d.leaf(x)
	}
	if array && dimensions {
		for range d.count() {
			d.take(4)
		}
	}
}

// longest is the longest array that gopcua's codec takes.
const longest = 0xffff

// width returns how many bytes a value of a type of fixed size takes.
func width(kind ua.TypeID) int {
	switch kind {
	case ua.TypeIDBoolean, ua.TypeIDSByte, ua.TypeIDByte:
		return 1
	case ua.TypeIDInt16, ua.TypeIDUint16:
		return 2
	case ua.TypeIDInt32, ua.TypeIDUint32, ua.TypeIDFloat, ua.TypeIDStatusCode:
		return 4
	}
	return 8
}

// nested reads a variant whose values are structures.
func (d *decoder) nested(x *ua.Variant, kind ua.TypeID, array bool, depth int) {
	d.byte()
	n := 1
	if array {
		n = d.count()
	}
	var list []*ua.ExtensionObject
	for range n {
		if d.err != nil {
			return
		}
		switch kind {
		case ua.TypeIDExtensionObject:
			list = append(list, new(ua.ExtensionObject))
			d.extension(list[len(list)-1], depth+1)
		case ua.TypeIDDataValue:
			d.dataValue(new(ua.DataValue), depth+1)
		case ua.TypeIDVariant:
			d.variant(new(ua.Variant), depth+1)
		default:
			d.diagnostic(depth + 1)
		}
	}
	if d.err != nil || kind != ua.TypeIDExtensionObject || len(list) == 0 {
		return
	}
	var content any = list
	if !array {
		content = list[0]
	}
	if v, err := ua.NewVariant(content); err == nil {
		*x = *v
	}
}

// extension reads OPC 10000-6, 5.2.2.15. Only the types that readings are made
// of are opened.
func (d *decoder) extension(x *ua.ExtensionObject, depth int) {
	x.TypeID = new(ua.ExpandedNodeID)
	d.leaf(x.TypeID)
	x.EncodingMask = d.byte()
	if x.EncodingMask == ua.ExtensionObjectEmpty || d.err != nil {
		return
	}
	body := d.bytes()
	if x.EncodingMask != ua.ExtensionObjectBinary || len(body) == 0 || x.TypeID.NodeID.Namespace() != 0 {
		return
	}
	content := known(x.TypeID.NodeID.IntID())
	if content == nil {
		return
	}
	inner := decoder{b: body}
	inner.value(reflect.ValueOf(content).Elem(), depth+1)
	if inner.err != nil {
		d.fail("%T: %v", content, inner.err)
		return
	}
	x.Value = content
}

// known makes an empty value of a type by the id of its binary encoding.
func known(encoding uint32) any {
	switch encoding {
	case id.DataChangeNotification_Encoding_DefaultBinary:
		return new(ua.DataChangeNotification)
	case id.StatusChangeNotification_Encoding_DefaultBinary:
		return new(ua.StatusChangeNotification)
	case id.HistoryData_Encoding_DefaultBinary:
		return new(ua.HistoryData)
	case id.EUInformation_Encoding_DefaultBinary:
		return new(ua.EUInformation)
	case id.Range_Encoding_DefaultBinary:
		return new(ua.Range)
	}
	return nil
}

// diagnostic reads past OPC 10000-6, 5.2.2.12: diagnostics are never asked for.
func (d *decoder) diagnostic(depth int) {
	for ; d.err == nil; depth++ {
		if depth > maxDepth {
			d.fail("diagnostics are nested more than %d deep", maxDepth)
			return
		}
		mask := d.byte()
		for _, field := range []byte{ua.DiagnosticInfoSymbolicID, ua.DiagnosticInfoNamespaceURI, ua.DiagnosticInfoLocale, ua.DiagnosticInfoLocalizedText} {
			if mask&field != 0 {
				d.take(4)
			}
		}
		if mask&ua.DiagnosticInfoAdditionalInfo != 0 {
			d.bytes()
		}
		if mask&ua.DiagnosticInfoInnerStatusCode != 0 {
			d.take(4)
		}
		if mask&ua.DiagnosticInfoInnerDiagnosticInfo == 0 {
			return
		}
	}
}
