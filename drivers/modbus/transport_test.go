package modbus

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/goburrow/modbus"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// TestOnlyReadsOnTheWire calls everything that goburrow's client can do and
// scans what reached the device.
func TestOnlyReadsOnTheWire(t *testing.T) {
	g := newFakeGateway(t)
	d := New(Options{Timeout: 100 * time.Millisecond})
	defer d.Close()
	s := session1(t, d, testDevice(t, "m", "modbus://"+g.addr+"/5", testProfile(t, twoPoints))).(*session)
	c := s.courier.client
	send := func(frame []byte) error {
		ended := make(chan error, 1)
		s.gateway.submit(&call{unit: 5, request: frame, timeout: time.Second, finish: func(_ []byte, err error) { ended <- err }})
		return <-ended
	}
	all := writes(c)
	all["frame past the packager"] = func() error { return send([]byte{0, 1, 0, 0, 0, 6, 5, 6, 0, 1, 0, 1}) }
	all["frame of another length"] = func() error { return send([]byte{0, 1, 0, 0, 0, 6, 5, 3, 0, 1}) }
	for name, write := range all {
		if err := write(); !errors.Is(err, errRefused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, read := range map[string]func() ([]byte, error){
		"coils":    func() ([]byte, error) { return c.ReadCoils(1, 8) },
		"discrete": func() ([]byte, error) { return c.ReadDiscreteInputs(1, 8) },
		"input":    func() ([]byte, error) { return c.ReadInputRegisters(1, 1) },
		"holding":  func() ([]byte, error) { return c.ReadHoldingRegisters(1, 1) },
	} {
		if _, err := read(); !errors.Is(err, errNoAnswer) {
			t.Fatalf("%s: %v", name, err)
		}
		if err := send(s.courier.request); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	wire, seen := g.wire.Bytes(), map[byte]bool{}
	for len(wire) > 0 {
		n := 6 + int(binary.BigEndian.Uint16(wire[4:]))
		if wire[7] < 1 || wire[7] > 4 || n != 12 {
			t.Errorf("on the wire: % x", wire[:n])
		}
		seen[wire[7]] = true
		wire = wire[n:]
	}
	if len(seen) != 4 {
		t.Errorf("function codes on the wire: %v, want 1 to 4", seen)
	}
}

// TestReadOnlyPackager holds for both framings and every function code.
func TestReadOnlyPackager(t *testing.T) {
	for name, p := range map[string]modbus.Packager{"tcp": tcpPackager(1), "rtu": rtuPackager(1)} {
		for code := range 256 {
			_, err := p.Encode(&modbus.ProtocolDataUnit{FunctionCode: byte(code), Data: []byte{0, 0, 0, 1}})
			if want := code >= 1 && code <= 4; (err == nil) != want {
				t.Errorf("%s: function code %d: %v", name, code, err)
			}
		}
	}
}

// TestLateAnswer delays an answer beyond its timeout and changes the value
// meanwhile: the late one must not be taken for the new.
func TestLateAnswer(t *testing.T) {
	g := newFakeGateway(t)
	var late atomic.Bool
	var sent sync.WaitGroup
	g.setAnswer(func(c *fakeConn, request []byte) {
		a := truth(request)
		if request[6] == 1 && late.Load() {
			a[10] = 0xEE
			sent.Go(func() { time.Sleep(220 * time.Millisecond); write(c, a) })
			return
		}
		write(c, a)
	})
	d := New(Options{Timeout: 100 * time.Millisecond, MaxBackoff: time.Millisecond})
	defer d.Close()
	p := testProfile(t, twoPoints)
	a := session1(t, d, testDevice(t, "a", "modbus://"+g.addr+"/1", p))
	b := session1(t, d, testDevice(t, "b", "modbus://"+g.addr+"/2", p))
	for range 3 {
		late.Store(true)
		if _, err := a.Read(t.Context(), 0); err == nil {
			t.Fatal("a late answer was taken")
		}
		late.Store(false)
		for range 20 {
			for unit, s := range map[float64]interface {
				Read(context.Context, int) ([]meter.Reading, error)
			}{1: a, 2: b} {
				readings, err := s.Read(t.Context(), 0)
				if err == nil && readings[0].Value != 1000*unit+10 {
					t.Fatalf("unit %v reads %v", unit, readings[0].Value)
				}
			}
			time.Sleep(3 * time.Millisecond)
		}
	}
	sent.Wait()
	if g.accepted > 2 {
		t.Errorf("%d connections: the late answers broke them", g.accepted)
	}
}

// TestPipelineOutOfOrder answers four requests at once in reverse.
func TestPipelineOutOfOrder(t *testing.T) {
	g := newFakeGateway(t)
	var mu sync.Mutex
	var held [][]byte
	g.setAnswer(func(c *fakeConn, request []byte) {
		mu.Lock()
		defer mu.Unlock()
		if held = append(held, truth(request)); len(held) == 4 {
			for i := range held {
				write(c, held[3-i])
			}
			held = nil
		}
	})
	d := New(Options{})
	defer d.Close()
	var all sync.WaitGroup
	for unit := range 4 {
		dev := testDevice(t, "m"+string(rune('0'+unit)), "modbus://"+g.addr+"/"+string(rune('1'+unit)), testProfile(t, twoPoints))
		dev.Options = map[string]string{optPipeline: "4"}
		s := session1(t, d, dev)
		all.Go(func() {
			for range 50 {
				readings, err := s.Read(t.Context(), 0)
				if want := float64(1000*(unit+1) + 10); err != nil || readings[0].Value != want {
					t.Errorf("%v, %v; want %v", readings[0].Value, err, want)
					return
				}
			}
		})
	}
	all.Wait()
	if g.accepted != 1 {
		t.Errorf("%d connections instead of one", g.accepted)
	}
}

// TestConnections spreads requests over the connections that are allowed.
func TestConnections(t *testing.T) {
	g := newFakeGateway(t)
	g.setAnswer(func(c *fakeConn, request []byte) { time.Sleep(20 * time.Millisecond); honest(c, request) })
	d := New(Options{})
	defer d.Close()
	var all sync.WaitGroup
	began := time.Now()
	for unit := range 6 {
		dev := testDevice(t, "m"+string(rune('0'+unit)), "modbus://"+g.addr+"/"+string(rune('1'+unit)), testProfile(t, twoPoints))
		dev.Options = map[string]string{optConnections: "3"}
		s := session1(t, d, dev)
		all.Go(func() {
			for range 4 {
				if _, err := s.Read(t.Context(), 0); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if g.accepted != 3 {
		t.Errorf("%d connections instead of 3", g.accepted)
	}
	if took := time.Since(began); took > 350*time.Millisecond {
		t.Errorf("24 requests of 20 ms over 3 connections took %v", took)
	}
}

// TestDeadUnitsStarveNobody reads ten units of which two are dead, as a
// worker would, and counts what the living ones lose.
func TestDeadUnitsStarveNobody(t *testing.T) {
	g := newFakeGateway(t)
	g.setAnswer(func(c *fakeConn, request []byte) {
		if request[6] <= 8 {
			honest(c, request)
		}
	})
	d := New(Options{Timeout: 100 * time.Millisecond})
	defer d.Close()
	p := testProfile(t, twoPoints)
	var sessions []*session
	for unit := range 10 {
		s := session1(t, d, testDevice(t, "m"+string(rune('0'+unit)), "modbus://"+g.addr+"/"+[]string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}[unit], p))
		sessions = append(sessions, s.(*session))
	}
	began := time.Now()
	for range 30 {
		for i, s := range sessions {
			if _, err := s.Read(t.Context(), 0); (err == nil) != (i < 8) {
				t.Fatalf("unit %d: %v", i+1, err)
			}
		}
	}
	// Two tries for each dead unit; its first probe is due two seconds later.
	// Waiting for the dead in each round would take six seconds.
	if took := time.Since(began); took > 1500*time.Millisecond {
		t.Errorf("30 rounds took %v", took)
	}
	_, err := sessions[9].Read(t.Context(), 0)
	if err == nil || !strings.Contains(err.Error(), "left alone") || !strings.Contains(err.Error(), "tried again in") {
		t.Errorf("the dead unit says: %v", err)
	}
	if g.accepted != 1 {
		t.Errorf("%d connections: dead units cost their neighbours the connection", g.accepted)
	}
}

// TestReconnectIsSpaced counts attempts to connect to a host that is not there.
func TestReconnectIsSpaced(t *testing.T) {
	var dials atomic.Int32
	d := New(Options{MinBackoff: 40 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
		Dial: func(context.Context, string, string) (net.Conn, error) {
			dials.Add(1)
			return nil, errors.New("no route to host")
		}})
	defer d.Close()
	s := session1(t, d, testDevice(t, "m", "modbus://192.0.2.1/1", testProfile(t, twoPoints)))
	for until := time.Now().Add(500 * time.Millisecond); time.Now().Before(until); time.Sleep(time.Millisecond) {
		if _, err := s.Read(t.Context(), 0); err == nil || !strings.Contains(err.Error(), "no route to host") {
			t.Fatal(err)
		}
	}
	// 0, 0, then waits of about 40, 80, 160 and 200 ms.
	if n := dials.Load(); n < 4 || n > 9 {
		t.Errorf("%d attempts in half a second", n)
	}
}

func TestBackoff(t *testing.T) {
	for n, want := range map[int]time.Duration{0: 0, 1: time.Second, 2: 2 * time.Second, 4: 8 * time.Second, 9: 30 * time.Second, 99: 30 * time.Second} {
		for range 100 {
			if got := backoff(n, time.Second, 30*time.Second); got < want*3/4 || got > want*5/4 {
				t.Fatalf("after %d failures %v, want about %v", n, got, want)
			}
		}
	}
}
