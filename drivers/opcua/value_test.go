package opcua

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func TestJudgeStatus(t *testing.T) {
	const data = infoDataValue
	for _, c := range []struct {
		status  ua.StatusCode
		quality meter.Quality
		flags   meter.Flags
		detail  string
	}{
		{ua.StatusOK, meter.Good, 0, ""},
		{ua.StatusGoodOverload, meter.Good, 0, ""},
		{ua.StatusGoodClamped, meter.Uncertain, meter.OutOfRange, "Clamped"},
		{ua.StatusGoodLocalOverride, meter.Uncertain, meter.Substituted, "LocalOverride"},
		{ua.StatusGoodEdited, meter.Uncertain, meter.Edited, "Edited"},
		{ua.StatusUncertain, meter.Uncertain, 0, "Uncertain"},
		{ua.StatusUncertainLastUsableValue, meter.Uncertain, meter.Stale, "LastUsable"},
		{ua.StatusUncertainNoCommunicationLastUsableValue, meter.Uncertain, meter.Stale | meter.CommFailure, "LastUsable"},
		{ua.StatusUncertainSubstituteValue, meter.Uncertain, meter.Substituted, ""},
		{ua.StatusUncertainInitialValue, meter.Uncertain, meter.Substituted, ""},
		{ua.StatusUncertainTransducerInManual, meter.Uncertain, meter.Substituted, ""},
		{ua.StatusUncertainSensorNotAccurate, meter.Uncertain, meter.OutOfRange, ""},
		{ua.StatusUncertainEngineeringUnitsExceeded, meter.Uncertain, meter.OutOfRange, ""},
		{ua.StatusUncertainSubNormal, meter.Uncertain, meter.Estimated, ""},
		{ua.StatusUncertainSimulatedValue, meter.Uncertain, meter.Test, ""},
		{ua.StatusUncertainSensorCalibration, meter.Uncertain, 0, ""},
		{ua.StatusBad, meter.Bad, meter.Missing, ""},
		{ua.StatusBadNoCommunication, meter.Bad, meter.CommFailure, ""},
		{ua.StatusBadDeviceFailure, meter.Bad, meter.CommFailure, ""},
		{ua.StatusBadOutOfRange, meter.Bad, meter.OutOfRange, ""},
		{ua.StatusBadWaitingForInitialData, meter.Bad, meter.Missing, "WaitingForInitialData"},
		{ua.StatusBadSensorFailure | 0x480, meter.Bad, meter.Missing, "SensorFailure"},
		{0xC0000000, meter.Bad, meter.Missing, ""}, // reserved: no promise
		{data | limitLow, meter.Uncertain, meter.OutOfRange, "lower limit"},
		{data | limitHigh, meter.Uncertain, meter.OutOfRange, "upper limit"},
		{data | limitConstant, meter.Uncertain, meter.Frozen, "cannot change"},
		{limitHigh, meter.Good, 0, ""}, // without the info type, the bits say nothing
		{data | overflow, meter.Uncertain, meter.Missing, "full queue"},
		{data | historianInter, meter.Uncertain, meter.Estimated, "interpolated"},
		{data | 1, meter.Uncertain, meter.Estimated, "calculated"},
		{data | historianPartial, meter.Uncertain, meter.Estimated, "part of an interval"},
		{semanticsChanged, meter.Uncertain, 0, "meaning of the value has changed"},
		{structureChanged, meter.Uncertain, 0, "structure of the value has changed"},
		{ua.StatusUncertainLastUsableValue | data | overflow, meter.Uncertain, meter.Stale | meter.Missing, "LastUsable"},
	} {
		v := judgeStatus(c.status)
		if v.quality != c.quality || v.flags != c.flags || !strings.Contains(v.detail, c.detail) {
			t.Errorf("%#x: %+v, want %v %v %q", uint32(c.status), v, c.quality, c.flags, c.detail)
		}
	}
}

// TestClock: a server's clock that is off makes its readings uncertain; an
// old source time of a value that does not change does not.
func TestClock(t *testing.T) {
	s := open(t, driver(t, Options{}), testDevice(t, "c", "127.0.0.1:4840", testProfile(t, `
    - {quantity: active_power, node: "i=1"}
    - {quantity: clock_offset, node: "i=2258"}`), map[string]string{optSecurity: "none", optMaxClockOffset: "10s"}))
	now := time.Now().UTC().Truncate(time.Millisecond)
	got := receipt{at: now, took: 200 * time.Millisecond}
	value := func(v any, source time.Time) *ua.DataValue {
		return &ua.DataValue{Value: ua.MustVariant(v), SourceTimestamp: source, ServerTimestamp: now}
	}
	old := now.Add(-72 * time.Hour)
	if r := s.reading(0, value(7.5, old), got); r.Quality != meter.Good || !r.EventTime.Equal(old) || !r.ReceiveTime.Equal(now) {
		t.Errorf("an unchanged value is punished: %+v", r)
	}
	for _, c := range []struct {
		offset time.Duration
		trip   time.Duration
		detail string
	}{
		{9 * time.Second, 0, ""}, {-9 * time.Second, 0, ""},
		{25 * time.Second, 0, "25s ahead"}, {-25 * time.Second, 0, "25s behind"},
		{12 * time.Second, 6 * time.Second, ""}, // within half the round trip of the tolerance
	} {
		s.endpoint.clock.measured(now.Add(c.trip/2+c.offset), now, now.Add(c.trip))
		r := s.reading(0, value(7.5, now.Add(c.offset)), got)
		if want := map[bool]meter.Quality{true: meter.Good, false: meter.Uncertain}[c.detail == ""]; r.Quality != want || !strings.Contains(r.Detail, c.detail) || r.Value != 7.5 {
			t.Errorf("%v: %+v", c.offset, r)
		}
		if o, known := s.ClockOffset(); !known || o != c.offset {
			t.Errorf("%v: %v %v", c.offset, o, known)
		}
	}
	// The offset as a quantity allows for half the round trip.
	r := s.reading(1, value(now.Add(3*time.Second), now), got)
	if r.Quality != meter.Good || math.Abs(r.Value-3.1) > 1e-6 {
		t.Errorf("%+v", r)
	}
}

func TestNumbers(t *testing.T) {
	for _, c := range []struct {
		v    any
		want float64
		ok   bool
	}{
		{1.5, 1.5, true}, {float32(0.5), 0.5, true}, {int8(-3), -3, true}, {uint8(3), 3, true}, {int16(-3), -3, true}, {uint16(3), 3, true}, {int32(-3), -3, true},
		{uint32(3), 3, true}, {int64(-3), -3, true}, {uint64(3), 3, true}, {true, 1, true}, {false, 0, true}, {"3", 0, false}, {[]float64{1}, 0, false}, {time.Now(), 0, false},
	} {
		got, err := number(ua.MustVariant(c.v))
		if (err == nil) != c.ok || c.ok && got != c.want {
			t.Errorf("%v: %v, %v", c.v, got, err)
		}
	}
	if n, err := number(nil); err != nil || !math.IsNaN(n) {
		t.Errorf("%v, %v", n, err)
	}
}

// FuzzReading gives any variant and status to what makes readings.
func FuzzReading(f *testing.F) {
	f.Add([]byte{0x0b, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, uint32(0), int64(0))
	f.Add([]byte{0x0d, 1, 2, 3, 4, 5, 6, 7, 8}, uint32(0x40900000), int64(1e18))
	f.Add([]byte{0x8b, 0, 0, 0, 0}, uint32(0x480), int64(-1))
	s := newSession(New(Options{}), newEndpoint(settings{}, &dialer{opts: Options{}}, nil), testDevice(f, "f", "127.0.0.1:4840", testProfile(f, `
    - {quantity: active_power, node: "i=1", range: [-1000, 1000]}
    - {quantity: clock_offset, node: "i=2"}`), nil), dataOptions{maxClockOffset: time.Second})
	f.Cleanup(s.endpoint.close)
	f.Fuzz(func(t *testing.T, b []byte, status uint32, source int64) {
		// Only scalars without structure: what the rest can do is tried where it
		// is decoded, in the client's own targets.
		if len(b) == 0 || b[0]&0xc0 != 0 || b[0] >= byte(ua.TypeIDExtensionObject) {
			return
		}
		v := new(ua.Variant)
		if _, err := v.Decode(b); err != nil {
			return
		}
		dv := &ua.DataValue{Value: v, Status: ua.StatusCode(status), SourceTimestamp: time.Unix(0, source)}
		at := time.Unix(1700000000, 0).UTC()
		for i := range s.nodes {
			r := s.reading(i, dv, receipt{at: at})
			if r.Quality != meter.Bad && (math.IsNaN(r.Value) || math.IsInf(r.Value, 0)) {
				t.Fatalf("%v has quality %v", r.Value, r.Quality)
			}
			if status>>30 > 1 && r.Quality != meter.Bad {
				t.Fatalf("status %#x became %v", status, r.Quality)
			}
			if len(r.Raw) > maxRaw || r.EventTime.Sub(at) > toleratedFuture {
				t.Fatalf("%+v", r)
			}
		}
	})
}

// FuzzNode gives any text and namespaces to the reader of node ids.
func FuzzNode(f *testing.F) {
	f.Add("nsu=urn:gridwarden:peer;s=T1.ActivePower", "urn:gridwarden:peer")
	f.Add("ns=1;i=17", "")
	f.Add("ns=65536;g=x", "a")
	f.Add("i=4294967296", "")
	f.Add("b=????", "")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, text, uri string) {
		n, err := parseNode(text, []string{"http://opcfoundation.org/UA/", uri})
		if err != nil {
			return
		}
		if _, err := ua.Encode(n); err != nil {
			t.Fatalf("%q cannot be sent: %v", text, err)
		}
	})
}
