package client

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"math"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"
	"go.uber.org/goleak"
	"pgregory.net/rapid"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func header() *ua.ResponseHeader {
	return &ua.ResponseHeader{
		Timestamp: time.Unix(1700000000, 0).UTC(), RequestHandle: 7, ServiceDiagnostics: &ua.DiagnosticInfo{},
		AdditionalHeader: ua.NewExtensionObject(nil),
	}
}

func variant(t testing.TB, v any) *ua.Variant {
	t.Helper()
	out, err := ua.NewVariant(v)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func dataValue(t testing.TB, v any) *ua.DataValue {
	dv := &ua.DataValue{
		Value: variant(t, v), Status: ua.StatusUncertainLastUsableValue,
		SourceTimestamp: time.Unix(1700000000, 100).UTC(), ServerTimestamp: time.Unix(1700000001, 0).UTC(),
	}
	dv.UpdateMask()
	return dv
}

// responses are answers of every kind that the driver takes.
func responses(t testing.TB) []any {
	var values []*ua.DataValue
	for _, v := range []any{
		1.5, float32(2.5), int8(-1), uint8(2), int16(-3), uint16(4), int32(-5), uint32(6), int64(-7), uint64(8), true, "text", time.Unix(1600000000, 0).UTC(),
		[]string{"a", "", "b"}, []float64{1, 2}, []byte{1, 2}, ua.StatusBadTimeout, ua.NewStringNodeID(3, "x"), ua.NewLocalizedText("kW"),
		&ua.QualifiedName{NamespaceIndex: 1, Name: "n"},
		ua.NewExtensionObject(&ua.EUInformation{NamespaceURI: "u", UnitID: 4937544, DisplayName: ua.NewLocalizedText("kW"), Description: ua.NewLocalizedText("")}),
		ua.NewExtensionObject(&ua.Range{Low: -1, High: 1}),
	} {
		values = append(values, dataValue(t, v))
	}
	return []any{
		&ua.ReadResponse{ResponseHeader: header(), Results: values},
		&ua.PublishResponse{ResponseHeader: header(), SubscriptionID: 1, AvailableSequenceNumbers: []uint32{1, 2}, NotificationMessage: &ua.NotificationMessage{
			SequenceNumber: 3, NotificationData: []*ua.ExtensionObject{ua.NewExtensionObject(&ua.DataChangeNotification{
				MonitoredItems: []*ua.MonitoredItemNotification{{ClientHandle: 5, Value: dataValue(t, 7.25)}},
			})},
		}},
		&ua.HistoryReadResponse{ResponseHeader: header(), Results: []*ua.HistoryReadResult{{
			ContinuationPoint: []byte{1}, HistoryData: &ua.ExtensionObject{
				TypeID: ua.NewFourByteExpandedNodeID(0, id.HistoryData_Encoding_DefaultBinary), EncodingMask: ua.ExtensionObjectBinary, Value: &ua.HistoryData{DataValues: values},
			},
		}}},
		&ua.BrowseResponse{ResponseHeader: header(), Results: []*ua.BrowseResult{{References: []*ua.ReferenceDescription{{
			ReferenceTypeID: ua.NewNumericNodeID(0, 47), IsForward: true, NodeID: ua.NewStringExpandedNodeID(2, "T1"),
			BrowseName: &ua.QualifiedName{Name: "P"}, DisplayName: ua.NewLocalizedText("P"), NodeClass: ua.NodeClassVariable, TypeDefinition: ua.NewNumericExpandedNodeID(0, 63),
		}}}}},
		&ua.CreateMonitoredItemsResponse{ResponseHeader: header(), Results: []*ua.MonitoredItemCreateResult{{MonitoredItemID: 3, RevisedSamplingInterval: 250, RevisedQueueSize: 1, FilterResult: ua.NewExtensionObject(nil)}}},
		&ua.CreateSessionResponse{
			ResponseHeader: header(), SessionID: ua.NewNumericNodeID(0, 1), AuthenticationToken: ua.NewByteStringNodeID(0, []byte{9}), ServerSignature: &ua.SignatureData{},
			ServerEndpoints: []*ua.EndpointDescription{{
				EndpointURL: "opc.tcp://x", Server: &ua.ApplicationDescription{ApplicationName: ua.NewLocalizedText("x")}, UserIdentityTokens: []*ua.UserTokenPolicy{{PolicyID: "anonymous"}},
			}},
		},
		&ua.ServiceFault{ResponseHeader: header()},
	}
}

// TestDecodeAgrees compares with gopcua's own codec on what is well formed.
func TestDecodeAgrees(t *testing.T) {
	for _, want := range responses(t) {
		b, err := ua.Encode(want)
		if err != nil {
			t.Fatalf("%T: %v", want, err)
		}
		theirs, ours := reflect.New(reflect.TypeOf(want).Elem()).Interface(), reflect.New(reflect.TypeOf(want).Elem()).Interface()
		if _, err := ua.Decode(b, theirs); err != nil {
			t.Fatalf("%T: %v", want, err)
		}
		if err := Decode(b, ours); err != nil {
			t.Fatalf("%T: %v", want, err)
		}
		a, errA := ua.Encode(theirs)
		z, errZ := ua.Encode(ours)
		if errA != nil || errZ != nil || !bytes.Equal(a, z) {
			t.Errorf("%T:\ntheirs %x (%v)\n  ours %x (%v)", want, a, errA, z, errZ)
		}
	}
}

// TestDecodeNumbers carries any number through unchanged, with its status and times.
func TestDecodeNumbers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.OneOf(
			rapid.Map(rapid.Float64(), func(f float64) any { return f }), rapid.Map(rapid.Float32(), func(f float32) any { return f }),
			rapid.Map(rapid.Int64(), func(n int64) any { return n }), rapid.Map(rapid.Uint64(), func(n uint64) any { return n }),
			rapid.Map(rapid.Int16(), func(n int16) any { return n }), rapid.Map(rapid.Uint32(), func(n uint32) any { return n }),
		).Draw(t, "value")
		in := &ua.DataValue{
			Status: ua.StatusCode(rapid.Uint32().Draw(t, "status")), SourceTimestamp: time.Unix(rapid.Int64Range(-9e9, 9e9).Draw(t, "time"), 0).UTC(),
		}
		in.Value, _ = ua.NewVariant(v)
		in.UpdateMask()
		b, err := in.Encode()
		if err != nil {
			t.Fatal(err)
		}
		d, out := decoder{b: b}, new(ua.DataValue)
		d.dataValue(out, 0)
		if d.err != nil || len(d.b) != 0 || out.Status != in.Status || !out.SourceTimestamp.Equal(in.SourceTimestamp) || out.Value.Value() != v {
			t.Fatalf("%v became %v (%v, %d bytes left)", in, out, d.err, len(d.b))
		}
	})
}

// hostileVariants are values that end gopcua's own client, or fill its memory.
func hostileVariants() map[string][]byte {
	return map[string][]byte{
		"negative length":      {0x8b, 0xfe, 0xff, 0xff, 0xff},
		"huge length":          {0x8b, 0xff, 0xff, 0xff, 0x7f},
		"huge text":            {0x0c, 0xff, 0xff, 0xff, 0x7f},
		"huge dimensions":      {0xcb, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f},
		"overflowing product":  {0xcb, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0x40, 4, 0, 0, 0},
		"variants in variants": bytes.Repeat([]byte{0x18}, 1<<20),
		"diagnostics nested":   append([]byte{0x19}, bytes.Repeat([]byte{0x40}, 1<<20)...),
		"values in values":     bytes.Repeat([]byte{0x17, 0x01}, 1<<19),
		"type that is none":    {0x3f},
		"empty":                {},
	}
}

func TestDecodeHostile(t *testing.T) {
	for name, b := range hostileVariants() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d := decoder{b: bytes.Clone(b)}
		d.variant(new(ua.Variant), 0)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
			t.Errorf("%s: %d bytes of memory", name, used)
		}
		if d.err == nil && name != "overflowing product" { // its dimensions are read past
			t.Errorf("%s was taken", name)
		}
	}
}

// TestLongArray lets a value that nothing is made of pass without harm to its neighbours.
func TestLongArray(t *testing.T) {
	long := append([]byte{0x8b, 0, 0, 2, 0}, make([]byte, 8*0x20000)...)
	d := decoder{b: append(long, 0x0b, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f)}
	var first, second ua.Variant
	d.variant(&first, 0)
	d.variant(&second, 0)
	if d.err != nil || second.Value() != 1.5 {
		t.Errorf("%v, %v", second.Value(), d.err)
	}
}

// FuzzDecode gives any bytes to the decoder of every answer, without its last
// defence: nothing may panic, and nothing may be much larger than its bytes.
func FuzzDecode(f *testing.F) {
	kinds := responses(f)
	for i, r := range kinds {
		b, err := ua.Encode(r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), b)
	}
	for _, b := range hostileVariants() {
		f.Add(uint8(0), b[:min(len(b), 256)])
	}
	f.Fuzz(func(t *testing.T, kind uint8, b []byte) {
		v := reflect.New(reflect.TypeOf(kinds[int(kind)%len(kinds)]).Elem())
		d := decoder{b: bytes.Clone(b)}
		d.value(v.Elem(), 0)
		if d.err != nil && !errors.Is(d.err, errMalformed) {
			t.Fatal(d.err)
		}
	})
}

// FuzzFrame gives any bytes to the reader of chunks and the joiner of messages.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("ACKF\x1c\x00\x00\x00\x00\x00\x00\x00\xff\xff\x00\x00\xff\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("MSGC\x20\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00abcdefgh"))
	f.Add([]byte("ERRF\x10\x00\x00\x00\x00\x00\x05\x80\xff\xff\xff\xff"))
	f.Add([]byte("MSGF\x08\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReader(bytes.NewReader(b))
		var a assembly
		for {
			frame, err := readFrame(r)
			if err != nil {
				break
			}
			_, _, _ = a.add(uint32(len(frame.data)%3), frame.mark, frame.data[headerSize:])
			if a.bytes < 0 || a.bytes > messageSize+chunkSize {
				t.Fatalf("%d bytes are held", a.bytes)
			}
		}
		_, _ = acknowledge(bufio.NewReader(bytes.NewReader(b)))
	})
}

// FuzzUnprotect gives any chunk to decryption and verification.
func FuzzUnprotect(f *testing.F) {
	nonce := make([]byte, 32)
	algo, err := uapolicy.Symmetric(ua.SecurityPolicyURIBasic256Sha256, nonce, nonce)
	if err != nil {
		f.Fatal(err)
	}
	chunk := append([]byte("MSGF\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00"), "sequence and message"...)
	whole, err := protect(algo, bytes.Clone(chunk), 16, true)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole, true)
	signed, err := protect(algo, bytes.Clone(chunk), 16, false)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed, false)
	f.Add([]byte("short"), true)
	f.Fuzz(func(t *testing.T, b []byte, encrypted bool) {
		body, err := unprotect(algo, bytes.Clone(b), 16, encrypted, 0)
		if err == nil && !bytes.Equal(b, whole) && !bytes.Equal(b, signed) && !strings.HasPrefix(string(body), "sequence") {
			// Nobody without the keys makes a chunk that holds.
			t.Fatalf("%x holds", b)
		}
	})
}

func TestProtect(t *testing.T) {
	nonce := make([]byte, 32)
	algo, err := uapolicy.Symmetric(ua.SecurityPolicyURIAes256Sha256RsaPss, nonce, nonce)
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		encrypt := rapid.Bool().Draw(t, "encrypt")
		body := rapid.SliceOfN(rapid.Byte(), 8, 300).Draw(t, "body")
		chunk := append([]byte("MSGF\x00\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00"), body...)
		b, err := protect(algo, chunk, 16, encrypt)
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
		got, err := unprotect(algo, bytes.Clone(b), 16, encrypt, 0)
		if err != nil || !bytes.Equal(got, body) {
			t.Fatalf("%x became %x (%v)", body, got, err)
		}
		b[at] ^= 1
		if _, err := unprotect(algo, b, 16, encrypt, 0); err == nil {
			t.Fatalf("byte %d was changed and nobody noticed", at)
		}
	})
}

// TestOnlyReading: what writes or calls is not even encoded.
func TestOnlyReading(t *testing.T) {
	for _, req := range []ua.Request{
		&ua.WriteRequest{}, &ua.CallRequest{}, &ua.HistoryUpdateRequest{}, &ua.AddNodesRequest{}, &ua.DeleteNodesRequest{}, &ua.AddReferencesRequest{},
		&ua.DeleteReferencesRequest{}, &ua.RegisterServerRequest{}, &ua.CancelRequest{}, &ua.TransferSubscriptionsRequest{}, &ua.SetPublishingModeRequest{},
	} {
		if b, err := encode(req, nil, 1, 0); err == nil || b != nil {
			t.Errorf("a %T was encoded", req)
		}
	}
	if _, err := encode(&ua.ReadRequest{}, nil, 1, 0); err != nil {
		t.Error(err)
	}
}

// TestEncodeRead compares the hand-written encoder with gopcua's.
func TestEncodeRead(t *testing.T) {
	r := &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnBoth, MaxAge: 1.5, NodesToRead: []*ua.ReadValueID{
		Value(ua.NewStringNodeID(3, "T1.ActivePower")), Value(ua.NewNumericNodeID(0, 2258)), Value(ua.NewGUIDNodeID(1, "1111AAAA-22BB-33CC-44DD-55EE77FF9900")),
		{NodeID: ua.NewByteStringNodeID(2, []byte{1, 2}), AttributeID: ua.AttributeIDDataType, IndexRange: "1:2", DataEncoding: &ua.QualifiedName{NamespaceIndex: 4, Name: "x"}},
	}}
	ours, err := encode(r, ua.NewTwoByteNodeID(1), 9, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := ua.Encode(r)
	if err != nil || !bytes.HasSuffix(ours, theirs) || len(ours) != len(theirs)+4 {
		t.Errorf("%x\n%x (%v)", ours, theirs, err)
	}
}

func TestTimes(t *testing.T) {
	for ticks, want := range map[uint64]time.Time{
		0: {}, unixEpoch: time.Unix(0, 0).UTC(), unixEpoch + 15: time.Unix(0, 1500).UTC(), math.MaxUint64: {}, math.MaxInt64: {}, 1: {},
	} {
		d := decoder{b: fmt.Appendf(nil, "%s", le(ticks))}
		if got := d.time(); !got.Equal(want) {
			t.Errorf("%d ticks are %v, not %v", ticks, got, want)
		}
	}
}

func le(n uint64) []byte {
	b := make([]byte, 8)
	for i := range b {
		b[i] = byte(n >> (8 * i))
	}
	return b
}
