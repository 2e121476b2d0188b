package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/poll/bench/fleet"
)

// serving runs a loop with one listener and returns its address.
func serving(t *testing.T, o *options, at *site) (*loop, string) {
	t.Helper()
	l, err := newLoop(o, 300)
	if err != nil {
		t.Fatal(err)
	}
	port, err := l.listen([4]byte{127, 0, 0, 1}, 0, at)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.run() }()
	t.Cleanup(func() {
		l.stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l, net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	return c
}

// answered reads the answer to a request and holds it to the values of the
// seconds in which it may have been made.
func answered(t *testing.T, c net.Conn, transaction, unit byte, device, first, count int, since time.Time) {
	t.Helper()
	got := make([]byte, headerBytes+2+2*count)
	if _, err := io.ReadFull(c, got); err != nil {
		t.Fatal(err)
	}
	for second := since.Unix(); second <= time.Now().Unix(); second++ {
		want := append([]byte{0, transaction, 0, 0, 0, byte(3 + 2*count), unit, 3, byte(2 * count)},
			fleet.AppendRegisters(nil, device, first, count, second)...)
		if bytes.Equal(got, want) {
			return
		}
	}
	t.Fatalf("transaction %d, unit %d: %x", transaction, unit, got)
}

// TestPiecesAndHeaps sends a request byte by byte, and many in one write.
func TestPiecesAndHeaps(t *testing.T) {
	_, address := serving(t, &options{registers: 40}, &site{first: 100, gateway: true, units: 100})
	c := dial(t, address)
	began := time.Now()
	for _, b := range ask(9, 5, 3, 0, 37) {
		if _, err := c.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
	}
	answered(t, c, 9, 5, 105, 0, 37, began)
	var heap []byte
	for unit := byte(1); unit <= 100; unit++ {
		heap = append(heap, ask(unit, unit, 3, 8, 3)...)
	}
	if _, err := c.Write(append(heap, 0, 101)); err != nil {
		t.Fatal(err)
	}
	for unit := byte(1); unit <= 100; unit++ {
		answered(t, c, unit, unit, 100+int(unit), 8, 3, began)
	}
	if _, err := c.Write(ask(101, 1, 3, 0, 1)[2:]); err != nil {
		t.Fatal(err)
	}
	answered(t, c, 101, 1, 101, 0, 1, began)
}

// TestNoModbus: what cannot be a request ends the connection.
func TestNoModbus(t *testing.T) {
	l, address := serving(t, &options{registers: 40}, &site{})
	c := dial(t, address)
	if _, err := c.Write([]byte("GET / HTTP/1.1\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	if n, err := c.Read(make([]byte, 1)); err == nil {
		t.Errorf("%d bytes came back", n)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counters.open != 0 || l.counters.connections != 1 {
		t.Errorf("%d open of %d", l.counters.open, l.counters.connections)
	}
}

// TestLatency: every request of a connection takes its time after the one
// before; connections do not wait for each other.
func TestLatency(t *testing.T) {
	const latency = 20 * time.Millisecond
	_, address := serving(t, &options{registers: 40, latency: latency}, &site{first: 100, gateway: true, units: 100})
	began := time.Now()
	conns := []net.Conn{dial(t, address), dial(t, address)}
	for _, c := range conns {
		if _, err := c.Write(append(append(ask(1, 1, 3, 0, 1), ask(2, 2, 3, 0, 1)...), ask(3, 3, 3, 0, 1)...)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range conns {
		for unit := byte(1); unit <= 3; unit++ {
			answered(t, c, unit, unit, 100+int(unit), 0, 1, began)
		}
	}
	if took := time.Since(began); took < 3*latency || took > 5*latency {
		t.Errorf("two connections with three requests each took %v", took)
	}
}

// TestBus: on a line all connections wait for each other, and a dead unit
// holds it for the whole of its timeout.
func TestBus(t *testing.T) {
	const latency, timeout = 10 * time.Millisecond, 100 * time.Millisecond
	o := &options{registers: 40, latency: latency, slaveTimeout: timeout, faults: fleet.Faults{Stall: 0.002}}
	dead := 0
	for device := 101; device <= 200; device++ {
		if o.faults.Of(device) == fleet.Silent {
			dead = device
		}
	}
	if dead == 0 { // 0.2 % of a thousand are two, wherever they are
		o.faults.Stall = 0.02
		for device := 101; device <= 200; device++ {
			if o.faults.Of(device) == fleet.Silent {
				dead = device
			}
		}
	}
	_, address := serving(t, o, &site{first: 100, gateway: true, units: 100, line: new(line)})
	began := time.Now()
	var conns []net.Conn
	unit := byte(1)
	for range 4 {
		c := dial(t, address)
		conns = append(conns, c)
		for o.faults.Of(100+int(unit)) == fleet.Silent {
			unit++
		}
		if _, err := c.Write(ask(1, unit, 3, 0, 1)); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range conns {
		answered(t, c, 1, unit, 100+int(unit), 0, 1, began)
	}
	if took := time.Since(began); took < 4*latency || took > 8*latency {
		t.Errorf("four requests took %v", took)
	}
	began = time.Now()
	if _, err := conns[0].Write(ask(2, byte(dead-100), 3, 0, 1)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(timeout / 10)
	if _, err := conns[1].Write(ask(2, unit, 3, 0, 1)); err != nil {
		t.Fatal(err)
	}
	answered(t, conns[1], 2, unit, 100+int(unit), 0, 1, began)
	if took := time.Since(began); took < timeout+latency || took > timeout+5*latency {
		t.Errorf("a request behind a dead unit took %v", took)
	}
	exception := make([]byte, 9)
	if _, err := io.ReadFull(conns[0], exception); err != nil || exception[8] != targetSilent {
		t.Errorf("%x, %v", exception, err)
	}
}

// TestProgram runs the whole with two loops and asks for the counters.
func TestProgram(t *testing.T) {
	o := &options{
		host: "127.0.0.1", gateway: freePort(t), gateways: 1, units: 5, registers: 40, loops: 2, stats: "127.0.0.1:0",
	}
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan string, 1), make(chan error, 1)
	go func() { ended <- run(ctx, o, func(stats string) { ready <- stats }) }()
	stats := "http://" + <-ready + "/"
	began := time.Now()
	c := dial(t, net.JoinHostPort("127.0.0.1", strconv.Itoa(o.gateway)))
	if _, err := c.Write(ask(1, 2, 3, 0, 37)); err != nil {
		t.Fatal(err)
	}
	answered(t, c, 1, 2, 2, 0, 37, began)
	get := func(path string, into any) {
		response, err := http.Get(stats + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		if into != nil {
			if err := json.NewDecoder(response.Body).Decode(into); err != nil {
				t.Fatal(err)
			}
		}
	}
	var s Stats
	if get("", &s); s.Requests != 1 || s.Registers != 37 || s.Open != 1 || s.DevicesSeen != 1 {
		t.Errorf("%+v", s)
	}
	get("reset", nil)
	var zeroed Stats
	if get("", &zeroed); zeroed != (Stats{Open: 1, MaxOpen: 1}) {
		t.Errorf("%+v", zeroed)
	}
	http.DefaultClient.CloseIdleConnections()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestBadOptions(t *testing.T) {
	good := options{host: "127.0.0.1", ports: 1, gateways: 1, units: 1, loops: 1}
	for name, change := range map[string]func(*options){
		"no devices":   func(o *options) { o.ports = 0 },
		"too many":     func(o *options) { o.units = 256 },
		"fractions":    func(o *options) { o.faults = fleet.Faults{Stall: 0.6, Flap: 0.6} },
		"no loop":      func(o *options) { o.loops = 0 },
		"no address":   func(o *options) { o.host = "localhost" },
		"foreign host": func(o *options) { o.host = "192.0.2.1" },
	} {
		o := good
		change(&o)
		if err := run(t.Context(), &o, func(string) {}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
