package modbus

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// everyTable has points in all four tables and in a second group.
const everyTable = `
    - {quantity: voltage_a, table: holding, address: 10, encoding: uint32}
    - {quantity: voltage_b, table: holding, address: 300, encoding: uint32, group: rare}
    - {quantity: current_a, table: input, address: 10, encoding: uint32}
    - {quantity: alarm, table: coil, address: 5}
    - {quantity: trip, table: discrete, address: 17, group: rare}
    - {quantity: fan_running, table: discrete, address: 40}`

// transports starts a villain, as yet friendly, behind each transport and
// returns a device there.
func transports(t *testing.T) map[string]struct {
	villain *villain
	dev     drivers.Device
} {
	out := make(map[string]struct {
		villain *villain
		dev     drivers.Device
	})
	add := func(scheme string, v *villain, url string, options map[string]string) {
		v.friendly.Store(true)
		dev := testDevice(t, "m", url, testProfile(t, everyTable))
		dev.Options = options
		out[scheme] = struct {
			villain *villain
			dev     drivers.Device
		}{v, dev}
	}
	tcp := func(f framing, wrap func(net.Listener) net.Listener) (*villain, string) {
		v, l := newVillain(f, 1), listen(t)
		v.listener(t, wrap(l))
		return v, l.Addr().String()
	}
	plain := func(l net.Listener) net.Listener { return l }
	v, addr := tcp(mbap, plain)
	add(schemeTCP, v, "modbus://"+addr+"/7", nil)
	v, addr = tcp(rtu, plain)
	add(schemeRTUOverTCP, v, "modbus+rtu+tcp://"+addr+"/7", nil)
	ca := newAuthority(t, "utility")
	v, addr = tcp(mbap, func(l net.Listener) net.Listener { return tls.NewListener(l, ca.server(t, nil)) })
	add(schemeTLS, v, "modbus+tls://"+addr+"/7", ca.client(t, nil))
	serial := newVillain(rtu, 1)
	port := newPTYFor(t, func(far ptyEnd) { serial.serve(far) })
	add(schemeRTU, serial, "modbus+rtu://"+port.name+"/7", map[string]string{optBaud: "115200"})
	return out
}

// TestNothingButReadsLeavesALink drives a session of every transport through
// everything that it can do, tries to make it do more, and scans every byte
// that arrives: nothing but requests of functions 1 to 4 may.
func TestNothingButReadsLeavesALink(t *testing.T) {
	for scheme, at := range transports(t) {
		t.Run(scheme, func(t *testing.T) {
			t.Parallel()
			d := New(Options{Timeout: 150 * time.Millisecond, MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond})
			s := session1(t, d, at.dev).(*session)
			read := func() {
				for group := range at.dev.Profile.Groups() {
					for range 5 {
						_, _ = s.Read(t.Context(), group)
						done := make(chan struct{})
						s.Start(group, func([]meter.Reading, error) { close(done) })
						<-done
						ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
						_, _ = s.Read(ctx, group)
						cancel()
						s.Condition()
					}
				}
			}
			for group := range at.dev.Profile.Groups() {
				if got, err := s.Read(t.Context(), group); err != nil {
					t.Fatalf("%+v, %v", got, err)
				}
			}
			read()
			at.villain.friendly.Store(false)
			for range 4 {
				read()
			}
			at.villain.friendly.Store(true)

			c := s.courier.client
			for name, write := range writes(c) {
				if err := write(); !errors.Is(err, errRefused) {
					t.Errorf("%s: %v", name, err)
				}
			}
			rapid.Check(t, func(t *rapid.T) {
				frame := anyFrame(t, s.at.framing())
				ended := make(chan error, 1)
				s.gateway.submit(&call{unit: 7, request: frame, timeout: 50 * time.Millisecond, finish: func(_ []byte, err error) { ended <- err }})
				if err := <-ended; !errors.Is(err, errRefused) && !permitted(frame, s.at.framing()) {
					t.Fatalf("% x went out (%v)", frame, err)
				}
			})
			read()
			if err := errors.Join(s.Close(), d.Close()); err != nil {
				t.Error(err)
			}
			v := at.villain
			for until := time.Now().Add(2 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
				v.mu.Lock()
				open := len(v.conns)
				v.mu.Unlock()
				if open == 0 {
					break
				}
			}
			v.mu.Lock()
			defer v.mu.Unlock()
			for _, b := range v.breaches {
				t.Errorf("on the wire: % x", b)
			}
			for function := byte(1); function <= 4; function++ {
				if v.functions[function] == 0 {
					t.Errorf("function %d was never used", function)
				}
			}
			if len(v.functions) != 4 {
				t.Errorf("functions %v", v.functions)
			}
		})
	}
}

// permitted tells whether a frame reads and does nothing else, in words apart
// from the driver's.
func permitted(frame []byte, f framing) bool {
	if f == rtu {
		return len(frame) == 8 && strings.IndexByte("\x01\x02\x03\x04", frame[1]) >= 0
	}
	return len(frame) == 12 && string(frame[2:6]) == "\x00\x00\x00\x06" && strings.IndexByte("\x01\x02\x03\x04", frame[7]) >= 0
}

// anyFrame draws what nobody should send: other functions, other lengths,
// frames within frames, noise; and now and then a good request.
func anyFrame(t *rapid.T, f framing) []byte {
	function := rapid.OneOf(rapid.Byte(), rapid.SampledFrom([]byte{1, 2, 3, 4, 5, 6, 15, 16, 22, 23, 24, 43, 0x83})).Draw(t, "function")
	pdu := append([]byte{function}, rapid.OneOf(
		rapid.SampledFrom([][]byte{{0, 10, 0, 2}}),
		rapid.SliceOfN(rapid.Byte(), 4, 4),
		rapid.SliceOfN(rapid.Byte(), 0, 12),
	).Draw(t, "rest")...)
	if len(pdu) == 5 {
		pdu[3], pdu[4] = 0, pdu[4]%100+1 // what the server would answer
	}
	unit := byte(7)
	if f == rtu {
		return withCRC(append([]byte{unit}, pdu...))
	}
	length := rapid.SampledFrom([]int{len(pdu) + 1, len(pdu) + 1, 6, 2, 0, 300}).Draw(t, "length")
	protocol := rapid.SampledFrom([]byte{0, 0, 0, 1}).Draw(t, "protocol")
	return append([]byte{0, 1, 0, protocol, byte(length >> 8), byte(length), unit}, pdu...)
}

// TestReadsBits reads coils and discrete inputs beside registers.
func TestReadsBits(t *testing.T) {
	for scheme, at := range transports(t) {
		d := New(Options{})
		from := time.Now()
		got := byQuantity(mustRead(t, d, at.dev))
		to := time.Now()
		for q, c := range map[meter.Quantity]struct {
			function byte
			address  int
		}{meter.Alarm: {1, 5}, meter.FanRunning: {2, 40}} {
			want := 0.0
			if truthBit(7, c.function, c.address) {
				want = 1
			}
			if r := got[q]; r.Value != want || r.Quality != meter.Good {
				t.Errorf("%s: %s is %+v, want %v", scheme, q, r, want)
			}
		}
		if r := got[meter.VoltageA]; !at.villain.genuine(r.Value, 7, 3, 10, from, to) {
			t.Errorf("%s: %+v", scheme, r)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}
