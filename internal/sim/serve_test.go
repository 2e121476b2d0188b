package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// fixedClock is a clock that tests turn by hand.
type fixedClock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *fixedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *fixedClock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// servedLog collects what went out.
type servedLog struct {
	mu  sync.Mutex
	all []Served
}

func (l *servedLog) add(s Served) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, s)
}

func (l *servedLog) last(t *testing.T) Served {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.all) == 0 {
		t.Fatal("nothing was reported as served")
	}
	return l.all[len(l.all)-1]
}

// rawClient speaks Modbus TCP by hand, independently of the drivers.
type rawClient struct {
	t    *testing.T
	c    net.Conn
	next uint16
}

func dialRaw(t *testing.T, dev Device) (*rawClient, byte) {
	t.Helper()
	u, err := url.Parse(dev.URL)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimPrefix(u.Path, "/"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return &rawClient{t: t, c: c}, byte(n)
}

// exchange sends a PDU and returns the response's transaction, unit and PDU.
func (r *rawClient) exchange(unit byte, pdu ...byte) (sent, got uint16, unitGot byte, answer []byte, err error) {
	r.next++
	frame := append([]byte{byte(r.next >> 8), byte(r.next), 0, 0, 0, byte(len(pdu) + 1), unit}, pdu...)
	if _, err := r.c.Write(frame); err != nil {
		return r.next, 0, 0, nil, err
	}
	_ = r.c.SetReadDeadline(time.Now().Add(400 * time.Millisecond))
	head := make([]byte, 7)
	if _, err := io.ReadFull(r.c, head); err != nil {
		return r.next, 0, 0, nil, err
	}
	answer = make([]byte, binary.BigEndian.Uint16(head[4:])-1)
	_, err = io.ReadFull(r.c, answer)
	return r.next, binary.BigEndian.Uint16(head), head[6], answer, err
}

// registers reads count registers and fails the test on anything but an answer.
func (r *rawClient) registers(unit, function byte, address, count uint16) []byte {
	r.t.Helper()
	sent, got, u, a, err := r.exchange(unit, function, byte(address>>8), byte(address), byte(count>>8), byte(count))
	if err != nil || sent != got || u != unit || len(a) != 2+2*int(count) || a[0] != function || int(a[1]) != 2*int(count) {
		r.t.Fatalf("read %d of %d: transaction %d/%d, unit %d, % x, %v", count, address, sent, got, u, a, err)
	}
	return a[2:]
}

func serveOne(t *testing.T, opt ServeOptions) (*District, *Server, *servedLog, *fixedClock) {
	t.Helper()
	d := district(t, 1, "2026-03-10", 20)
	clock := &fixedClock{t: time.Date(2026, 3, 11, 13, 7, 8, 900e6, time.UTC)}
	log := &servedLog{}
	opt.Now, opt.OnServe = clock.now, log.add
	if opt.Transformers == nil {
		opt.Transformers = []string{d.areas[3].id}
	}
	s, err := d.Serve(context.Background(), opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, s, log, clock
}

// deviceWith returns the first device with a profile.
func deviceWith(t *testing.T, s *Server, profile string) Device {
	t.Helper()
	for _, dev := range s.Devices() {
		if dev.Profile == profile {
			return dev
		}
	}
	t.Fatalf("no device has profile %s", profile)
	return Device{}
}

func f32(b []byte) float64 { return float64(math.Float32frombits(binary.BigEndian.Uint32(b))) }

// low32 reads two registers with the low word first.
func low32(b []byte) uint32 {
	return uint32(binary.BigEndian.Uint16(b[2:]))<<16 | uint32(binary.BigEndian.Uint16(b))
}

func TestFloatRegistersByHand(t *testing.T) {
	_, s, log, _ := serveOne(t, ServeOptions{WithoutOPCUA: true})
	dev := deviceWith(t, s, profile1PFloat)
	c, unit := dialRaw(t, dev)
	b := c.registers(unit, fcReadInput, 0, 18)
	got := log.last(t)
	if got.DeviceID != dev.ID || got.MeterID != dev.MeterID || !got.At.Equal(time.Date(2026, 3, 11, 13, 7, 8, 0, time.UTC)) {
		t.Errorf("served says %+v", got)
	}
	for q, want := range map[meter.Quantity]float64{
		meter.VoltageA: f32(b[0:]), meter.CurrentA: f32(b[4:]), meter.ActivePower: f32(b[8:]) / 1000,
		meter.PowerFactor: f32(b[20:]), meter.Frequency: f32(b[24:]), meter.ActiveEnergyImport: f32(b[28:]),
	} {
		if got.Values[q] != want {
			t.Errorf("%s: served says %v, the registers %v", q, got.Values[q], want)
		}
	}
	if v := f32(b[0:]); v < 200 || v > 250 {
		t.Errorf("voltage %v V", v)
	}
	if s := f32(b[0:]) * f32(b[4:]); math.Abs(s-f32(b[16:])) > 1+.02*s {
		t.Errorf("U·I is %v VA, apparent power %v", s, f32(b[16:]))
	}
	if kwh := f32(b[28:]); kwh < 500 {
		t.Errorf("register %v kWh", kwh)
	}
}

func TestIntegerRegistersByHand(t *testing.T) {
	d, s, log, _ := serveOne(t, ServeOptions{WithoutOPCUA: true})
	c, unit := dialRaw(t, deviceWith(t, s, profile1PInt))
	b := c.registers(unit, fcReadHolding, 0x0100, 13)
	got := log.last(t)
	want := map[meter.Quantity]float64{
		meter.VoltageA:           float64(binary.BigEndian.Uint16(b)) / 10,
		meter.CurrentA:           float64(low32(b[2:])) / 1000,
		meter.ActivePower:        float64(int32(low32(b[6:]))) / 1000,
		meter.ActiveEnergyImport: float64(low32(b[18:])) / 100,
	}
	for q, v := range want {
		if got.Values[q] != v {
			t.Errorf("%s: served says %v, the registers %v", q, got.Values[q], v)
		}
	}

	tr := deviceWith(t, s, profileTransformer)
	if !strings.HasSuffix(tr.URL, "/247") {
		t.Errorf("the transformer's meter is at %s", tr.URL)
	}
	c, unit = dialRaw(t, tr)
	b = c.registers(unit, fcReadHolding, 0, 33)
	kw := float64(int32(binary.BigEndian.Uint32(b[34:]))) / 1000
	kwh := float64(binary.BigEndian.Uint64(b[50:])) / 1000
	got = log.last(t)
	if got.Values[meter.ActivePower] != kw || got.Values[meter.ActiveEnergyImport] != kwh {
		t.Errorf("served says %v, the registers %v kW %v kWh", got.Values, kw, kwh)
	}
	if kw <= 0 || kw > d.areas[3].kva {
		t.Errorf("transformer carries %v kW", kw)
	}
}

func TestExceptions(t *testing.T) {
	_, s, _, _ := serveOne(t, ServeOptions{WithoutOPCUA: true})
	dev := deviceWith(t, s, profile1PFloat)
	c, unit := dialRaw(t, dev)
	for _, tc := range []struct {
		name string
		unit byte
		pdu  []byte
		want []byte
	}{
		{"write of a register", unit, []byte{6, 0, 0, 0, 1}, []byte{0x86, 1}},
		{"write of many", unit, []byte{16, 0, 0, 0, 1, 2, 0, 1}, []byte{0x90, 1}},
		{"coils", unit, []byte{1, 0, 0, 0, 8}, []byte{0x81, 1}},
		{"nothing there", unit, []byte{4, 0x40, 0, 0, 2}, []byte{0x84, 2}},
		{"other table", unit, []byte{3, 0, 0, 0, 2}, []byte{0x83, 2}},
		{"past the end", unit, []byte{4, 0xff, 0xff, 0, 2}, []byte{0x84, 2}},
		{"no registers", unit, []byte{4, 0, 0, 0, 0}, []byte{0x84, 3}},
		{"too many", unit, []byte{4, 0, 0, 0, 126}, []byte{0x84, 3}},
		{"short", unit, []byte{4, 0, 0}, []byte{0x84, 3}},
		{"no such unit", 200, []byte{4, 0, 0, 0, 2}, []byte{0x84, 11}},
	} {
		_, _, _, a, err := c.exchange(tc.unit, tc.pdu...)
		if err != nil || string(a) != string(tc.want) {
			t.Errorf("%s: % x, %v; want % x", tc.name, a, err, tc.want)
		}
	}
}

func TestFaults(t *testing.T) {
	_, s, log, _ := serveOne(t, ServeOptions{WithoutOPCUA: true})
	dev := deviceWith(t, s, profile1PFloat)
	read := func() (sent, got uint16, answer []byte, err error) {
		c, unit := dialRaw(t, dev)
		sent, got, _, answer, err = c.exchange(unit, 4, 0, 0, 0, 4)
		_ = c.c.Close()
		return sent, got, answer, err
	}
	s.SetFault(dev.ID, Fault{Silent: true})
	if _, _, _, err := read(); !timeout(err) {
		t.Errorf("silent unit: %v", err)
	}
	s.SetFault(dev.ID, Fault{Delay: time.Minute})
	if _, _, _, err := read(); !timeout(err) {
		t.Errorf("slow unit: %v", err)
	}
	s.SetFault(dev.ID, Fault{Exception: 6})
	if _, _, a, err := read(); err != nil || string(a) != "\x84\x06" {
		t.Errorf("busy unit: % x %v", a, err)
	}
	s.SetFault(dev.ID, Fault{WrongTransaction: true})
	if sent, got, _, err := read(); err != nil || sent == got {
		t.Errorf("wrong transaction: %d %d %v", sent, got, err)
	}
	s.SetFault(dev.ID, Fault{Truncated: true})
	if _, _, _, err := read(); !timeout(err) {
		t.Errorf("truncated frame: %v", err)
	}
	if len(log.all) != 0 {
		t.Errorf("faulty answers are reported as served: %v", log.all)
	}
	s.SetFault(dev.ID, Fault{})
	if sent, got, _, err := read(); err != nil || sent != got {
		t.Errorf("healed unit: %v", err)
	}
}

func timeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// TestGatewayDropsWhatIsNotModbus: a stream that cannot be trusted is closed.
func TestGatewayDropsWhatIsNotModbus(t *testing.T) {
	_, s, _, _ := serveOne(t, ServeOptions{WithoutOPCUA: true})
	c, _ := dialRaw(t, s.Devices()[0])
	if _, err := c.c.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	_ = c.c.SetReadDeadline(time.Now().Add(2 * time.Second))
	if _, err := c.c.Read(make([]byte, 1)); err == nil || timeout(err) {
		t.Errorf("connection stays open: %v", err)
	}
}

func TestOPCUA(t *testing.T) {
	d, s, log, _ := serveOne(t, ServeOptions{})
	mon := deviceWith(t, s, profileMonitor)
	if mon.Options["node"] != d.areas[3].id || mon.Mode != "subscribe" || mon.Driver != "opcua" {
		t.Errorf("monitor is %+v", mon)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := opcua.NewClient(mon.URL, opcua.SecurityMode(ua.MessageSecurityModeNone))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	read := func(node string) *ua.DataValue {
		t.Helper()
		n, err := ua.ParseNodeID(node)
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Read(ctx, &ua.ReadRequest{NodesToRead: []*ua.ReadValueID{{NodeID: n, AttributeID: ua.AttributeIDValue}}})
		if err != nil {
			t.Fatal(err)
		}
		return r.Results[0]
	}
	at := time.Date(2026, 3, 11, 13, 7, 8, 0, time.UTC)
	v := read("ns=1;s=" + mon.Options["node"] + ".TopOilTemperature")
	if v.Status != ua.StatusOK || !v.SourceTimestamp.Equal(at) || v.Value.Float() != log.last(t).Values[meter.TopOilTemperature] {
		t.Errorf("top oil %v, served %v", v, log.last(t))
	}
	if oil := v.Value.Float(); oil < 0 || oil > 90 {
		t.Errorf("top oil %v °C", oil)
	}
	v = read("ns=1;s=" + substationID + ".ActivePower")
	if kw := log.last(t).Values[meter.ActivePower]; v.Value.Float() != kw*1000 || kw < 300 || kw > 4000 {
		t.Errorf("substation %v W, served %v kW", v.Value.Float(), kw)
	}
	if v := read("ns=1;s=nobody.ActivePower"); v.Status != ua.StatusBadNodeIDUnknown {
		t.Errorf("unknown node: %v", v.Status)
	}
	n, _ := ua.ParseNodeID("ns=1;s=" + substationID + ".ActivePower")
	w, err := c.Write(ctx, &ua.WriteRequest{NodesToWrite: []*ua.WriteValue{{
		NodeID: n, AttributeID: ua.AttributeIDValue,
		Value: &ua.DataValue{EncodingMask: ua.DataValueValue, Value: ua.MustVariant(1.0)},
	}}})
	if err != nil || w.Results[0] != ua.StatusBadNotWritable {
		t.Errorf("write: %v %v", w, err)
	}
}

func TestOPCUASubscription(t *testing.T) {
	_, s, _, clock := serveOne(t, ServeOptions{})
	mon := deviceWith(t, s, profileMonitor)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c, err := opcua.NewClient(mon.URL, opcua.SecurityMode(ua.MessageSecurityModeNone))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(ctx); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	ch := make(chan *opcua.PublishNotificationData, 16)
	sub, err := c.Subscribe(ctx, &opcua.SubscriptionParameters{Interval: 100 * time.Millisecond}, ch)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sub.Cancel(ctx) }()
	n, _ := ua.ParseNodeID("ns=1;s=" + mon.Options["node"] + ".ActivePower")
	if _, err := sub.Monitor(ctx, ua.TimestampsToReturnBoth, opcua.NewMonitoredItemCreateRequestWithDefaults(n, ua.AttributeIDValue, 42)); err != nil {
		t.Fatal(err)
	}
	seen := make(map[time.Time]bool)
	for len(seen) < 3 {
		select {
		case d := <-ch:
			if d.Error != nil {
				t.Fatal(d.Error)
			}
			if x, ok := d.Value.(*ua.DataChangeNotification); ok {
				for _, item := range x.MonitoredItems {
					seen[item.Value.SourceTimestamp] = true
				}
				clock.add(time.Second)
			}
		case <-ctx.Done():
			t.Fatalf("only %d seconds' values came", len(seen))
		}
	}
}
