//go:build demo

package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// countingProfile is of a meter that takes two requests, and whose energy is
// the number of times that it was asked.
const countingProfile = `name: counting-meter
manufacturer: Test
model: C1
source: this test
status: simulated
protocol: modbus
modbus:
  points:
    - {quantity: active_energy_import, table: holding, address: 0, encoding: uint32, scale: 0.001}
    - {quantity: voltage_a, table: holding, address: 4000, encoding: uint16}
`

// ask is one request that a meter was sent.
type ask struct {
	at   time.Time
	who  *caller
	host string // of who, as history says
	seq  uint32 // that was answered; 0 for the second request of a read
}

// meters are simulated meters behind gateways. They count every request, with
// the host that sent it.
type meters struct {
	t       *testing.T
	units   int
	addrs   []string
	work    sync.WaitGroup
	listen  []net.Listener
	mu      sync.Mutex
	conns   map[net.Conn]bool
	asks    map[string][]ask // by device
	seqs    map[string]uint32
	pids    map[int]string // processes of the hosts
	explain func(device string) string
	unknown []*caller
}

// serveMeters starts gateways with units each.
func serveMeters(t *testing.T, gateways, units int) *meters {
	t.Helper()
	m := &meters{t: t, units: units, conns: make(map[net.Conn]bool), asks: make(map[string][]ask), seqs: make(map[string]uint32), pids: make(map[int]string)}
	for g := range gateways {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		m.listen = append(m.listen, l)
		m.addrs = append(m.addrs, l.Addr().String())
		m.work.Go(func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				m.mu.Lock()
				m.conns[c] = true
				m.mu.Unlock()
				m.work.Go(func() { m.serve(g, c) })
			}
		})
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	m.work.Go(func() { m.find(ctx) })
	t.Cleanup(func() {
		cancel()
		for _, l := range m.listen {
			_ = l.Close()
		}
		m.mu.Lock()
		for c := range m.conns {
			_ = c.Close()
		}
		m.mu.Unlock()
		m.work.Wait()
	})
	return m
}

func deviceOf(gateway int, unit byte) string { return fmt.Sprintf("d-%02d-%d", gateway, unit) }

// devices is the YAML of all devices.
func (m *meters) devices() string {
	var b strings.Builder
	for g, addr := range m.addrs {
		for u := range m.units {
			id := deviceOf(g, byte(u+1))
			fmt.Fprintf(&b, "  - {id: %s, url: \"modbus://%s/%d\", profile: counting-meter, meter_id: \"P-%s\", interval: 1s}\n", id, addr, u+1, id)
		}
	}
	return b.String()
}

func (m *meters) serve(gateway int, c net.Conn) {
	defer func() {
		_ = c.Close()
		m.mu.Lock()
		delete(m.conns, c)
		m.mu.Unlock()
	}()
	who := m.call(c)
	r := bufio.NewReader(c)
	q := make([]byte, 12)
	for {
		if _, err := io.ReadFull(r, q); err != nil {
			return
		}
		device := deviceOf(gateway, q[6])
		address, count := binary.BigEndian.Uint16(q[8:]), binary.BigEndian.Uint16(q[10:])
		answer := append([]byte{q[0], q[1], 0, 0, 0, byte(3 + 2*count), q[6], q[7]}, byte(2*count))
		answer = append(answer, make([]byte, 2*count)...)
		m.mu.Lock()
		a := ask{at: time.Now(), who: who}
		if address == 0 {
			m.seqs[device]++
			a.seq = m.seqs[device]
			binary.BigEndian.PutUint32(answer[9:], a.seq)
		} else {
			binary.BigEndian.PutUint16(answer[9:], 230)
		}
		m.asks[device] = append(m.asks[device], a)
		m.mu.Unlock()
		if _, err := c.Write(answer); err != nil {
			return
		}
	}
}

// caller is who is at the other end of a connection.
type caller struct {
	port int
	host string // "?" until it is found; guarded by meters.mu
}

// call notes a connection. Whose it is is found out beside, for that takes the
// kernel's tables, and an answer must not wait for it.
func (m *meters) call(c net.Conn) *caller {
	who := &caller{port: c.RemoteAddr().(*net.TCPAddr).Port, host: "?"}
	m.mu.Lock()
	m.unknown = append(m.unknown, who)
	m.mu.Unlock()
	return who
}

// find finds the callers that are not known yet, every now and then.
func (m *meters) find(ctx context.Context) {
	for ctx.Err() == nil {
		m.mu.Lock()
		pids, open := maps.Clone(m.pids), slices.Clone(m.unknown)
		m.mu.Unlock()
		if len(open) > 0 {
			found := callers(pids)
			m.mu.Lock()
			m.unknown = slices.DeleteFunc(m.unknown, func(who *caller) bool {
				host, ok := found[who.port]
				if ok {
					who.host = host
				}
				return ok
			})
			m.mu.Unlock()
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// callers are the hosts by the local ports of their connections.
func callers(pids map[int]string) map[int]string {
	ofInode := make(map[string]string)
	for pid, name := range pids {
		files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
		for _, file := range files {
			if to, err := os.Readlink(file); err == nil {
				ofInode[to] = name
			}
		}
	}
	out := make(map[int]string)
	table, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return out
	}
	for line := range strings.Lines(string(table)) {
		f := strings.Fields(line)
		if len(f) < 10 {
			continue
		}
		_, p, ok := strings.Cut(f[1], ":")
		raw, err := hex.DecodeString(p)
		name := ofInode["socket:["+f[9]+"]"]
		if ok && err == nil && len(raw) == 2 && name != "" {
			out[int(binary.BigEndian.Uint16(raw))] = name
		}
	}
	return out
}

func (m *meters) knows(pid int, host string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pids[pid] = host
}

// history is everything that was asked.
func (m *meters) history() map[string][]ask {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make(map[string][]ask, len(m.asks))
	for id, list := range m.asks {
		out[id] = slices.Clone(list)
		for i := range list {
			out[id][i].host = list[i].who.host
		}
	}
	return out
}

// allSince waits until every device was asked after a moment by a host that
// may, and returns how long after it the last one was.
func (m *meters) allSince(from time.Time, within time.Duration, not string) time.Duration {
	m.t.Helper()
	total := len(m.addrs) * m.units
	for deadline := time.Now().Add(within); ; time.Sleep(50 * time.Millisecond) {
		worst, missing, example := time.Duration(0), total, ""
		m.mu.Lock()
		for id, list := range m.asks {
			for i := range list {
				if list[i].at.After(from) && list[i].who.host != not {
					missing--
					worst = max(worst, list[i].at.Sub(from))
					break
				}
				if i == len(list)-1 {
					example = id
				}
			}
		}
		m.mu.Unlock()
		if missing == 0 {
			return worst
		}
		if time.Now().After(deadline) {
			m.t.Fatalf("%d of %d devices were not asked within %v, %s for one%s", missing, total, within, example, m.explain(example))
		}
	}
}

// longest is the longest time since a moment in which a device was not asked.
func (m *meters) longest(since time.Time) time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	worst := time.Duration(0)
	for _, list := range m.asks {
		for i := 1; i < len(list); i++ {
			if list[i].at.After(since) {
				worst = max(worst, list[i].at.Sub(list[i-1].at))
			}
		}
	}
	return worst
}

// seqOf is the number in a reading's value.
func seqOf(kwh float64) uint32 { return uint32(kwh*1000 + .5) }

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func itoa(n int) string { return strconv.Itoa(n) }
