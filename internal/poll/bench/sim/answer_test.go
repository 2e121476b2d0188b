package main

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/poll/bench/fleet"
)

// ask is a request for registers of a unit.
func ask(transaction, unit byte, function byte, first, count int) []byte {
	return []byte{0, transaction, 0, 0, 0, 6, unit, function, byte(first >> 8), byte(first), byte(count >> 8), byte(count)}
}

// TestAnswers is the table of what a request earns.
func TestAnswers(t *testing.T) {
	now := time.Unix(1_790_000_000, 700_000_000)
	port := &site{first: 500}
	gateway := &site{first: 200, gateway: true, units: 10}
	bus := &site{first: 200, gateway: true, units: 10, line: new(line)}
	o := &options{registers: 40, latency: 5 * time.Millisecond, slaveTimeout: 300 * time.Millisecond}
	silent, excepting := *o, *o
	silent.faults, excepting.faults = fleet.Faults{Stall: 1}, fleet.Faults{Exceptions: 1}
	values := func(device, first, count int) string {
		return hex.EncodeToString(fleet.AppendRegisters(nil, device, first, count, now.Unix()))
	}
	for _, c := range []struct {
		name    string
		o       *options
		site    *site
		request []byte
		want    string // hex after the transaction; "" for silence
		wait    time.Duration
		device  int
	}{
		{"a port, whatever the unit", o, port, ask(7, 99, 3, 0, 2), "0000" + "0007" + "63" + "0304" + values(500, 0, 2), 5 * time.Millisecond, 500},
		{"input registers", o, port, ask(7, 1, 4, 36, 4), "0000" + "000b" + "01" + "0408" + values(500, 36, 4), 5 * time.Millisecond, 500},
		{"a unit of a gateway", o, gateway, ask(7, 3, 3, 5, 1), "0000" + "0005" + "03" + "0302" + values(203, 5, 1), 5 * time.Millisecond, 203},
		{"no such unit", o, gateway, ask(7, 11, 3, 0, 1), "0000" + "0003" + "0b" + "830b", 0, -1},
		{"unit 0", o, gateway, ask(7, 0, 3, 0, 1), "0000" + "0003" + "00" + "830b", 0, -1},
		{"a function that writes", o, port, ask(7, 1, 6, 0, 1), "0000" + "0003" + "01" + "8601", 5 * time.Millisecond, 500},
		{"too many", o, port, ask(7, 1, 3, 0, 126), "0000" + "0003" + "01" + "8303", 5 * time.Millisecond, 500},
		{"none", o, port, ask(7, 1, 3, 0, 0), "0000" + "0003" + "01" + "8303", 5 * time.Millisecond, 500},
		{"past the end", o, port, ask(7, 1, 3, 39, 2), "0000" + "0003" + "01" + "8302", 5 * time.Millisecond, 500},
		{"cut short", o, port, []byte{0, 7, 0, 0, 0, 3, 1, 3, 0}, "0000" + "0003" + "01" + "8303", 5 * time.Millisecond, 500},
		{"a silent device", &silent, port, ask(7, 1, 3, 0, 1), "", 0, -1},
		{"a silent unit", &silent, gateway, ask(7, 1, 3, 0, 1), "", 0, -1},
		{"a silent unit on a line", &silent, bus, ask(7, 1, 3, 0, 1), "0000" + "0003" + "01" + "830b", 300 * time.Millisecond, -1},
		{"a device that only excepts", &excepting, port, ask(7, 1, 3, 0, 1), "0000" + "0003" + "01" + "8304", 5 * time.Millisecond, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := c.o.answer([]byte("before"), c.site, c.request, now)
			want := ""
			if c.want != "" {
				want = hex.EncodeToString([]byte("before")) + "0007" + c.want
			}
			if got := hex.EncodeToString(r.bytes); got != want || r.wait != c.wait || r.device != c.device {
				t.Errorf("%s after %v of device %d,\nwant %s after %v of device %d", got, r.wait, r.device, want, c.wait, c.device)
			}
			if r.exception != (len(c.want) > 10 && c.want[10] == '8') || r.silent != strings.Contains(c.name, "silent") {
				t.Errorf("exception %v, silent %v", r.exception, r.silent)
			}
		})
	}
}

func TestFrames(t *testing.T) {
	whole := ask(1, 1, 3, 0, 1)
	for n := range whole {
		if request, size := frame(whole[:n]); size != 0 || request != nil {
			t.Errorf("%d bytes are a request of %d", n, size)
		}
	}
	if request, n := frame(append(bytes.Clone(whole), 9, 9)); n != len(whole) || !bytes.Equal(request, whole) {
		t.Errorf("%x of %d bytes", request, n)
	}
	for _, length := range []byte{0, 1, 255} {
		if _, n := frame([]byte{0, 1, 0, 0, 0, length, 1}); n >= 0 {
			t.Errorf("length %d passes as %d", length, n)
		}
	}
}

// TestGaps: gaps are between requests to an answering device, and do not
// reach back into a time in which it was dead.
func TestGaps(t *testing.T) {
	c := &counters{devices: make([]visits, 3), first: 10}
	at := func(s float64) time.Time { return time.Unix(1_790_000_000, int64(s*1e9)) }
	for _, s := range []float64{0, 1, 2, 4} {
		c.add(reply{device: 11, registers: 2}, at(s))
	}
	c.add(reply{device: 12, since: at(-30)}, at(1))
	c.add(reply{device: -1, silent: true}, at(30))
	c.add(reply{device: 12, since: at(60)}, at(60.5))
	c.opened()
	s := sum([]*counters{c, {devices: make([]visits, 3), first: 10}})
	want := Stats{
		Requests: 7, Registers: 8, Stalled: 1, Connections: 1, Open: 1, MaxOpen: 1,
		DevicesSeen: 2, MinRequests: 2, MaxRequests: 4, MeanGapMS: 4500. / 4, MaxGapMS: 2000, Late: 1,
	}
	if s != want {
		t.Errorf("%+v\nwant %+v", s, want)
	}
	c.reset()
	if s := sum([]*counters{c}); s != (Stats{Open: 1, MaxOpen: 1}) {
		t.Errorf("after a reset: %+v", s)
	}
}
