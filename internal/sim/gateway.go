package sim

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/drivers/profile"
)

// station is one device behind a gateway.
type station struct {
	device  *Device
	profile *profile.Modbus
	values  func(time.Time) values
}

// gateway is a Modbus TCP server with many units behind it.
type gateway struct {
	server   *Server
	listener net.Listener
	units    map[byte]*station
	wg       sync.WaitGroup

	mu    sync.Mutex
	conns map[net.Conn]struct{}
	shut  bool
}

func (g *gateway) serve(ctx context.Context) {
	defer g.wg.Done()
	for {
		c, err := g.listener.Accept()
		if err != nil {
			return // closed
		}
		g.mu.Lock()
		if g.shut {
			g.mu.Unlock()
			_ = c.Close()
			return
		}
		g.conns[c] = struct{}{}
		g.wg.Add(1)
		g.mu.Unlock()
		go g.talk(ctx, c)
	}
}

// talk answers one client's requests in their order, as a gateway to a serial
// bus does.
func (g *gateway) talk(ctx context.Context, c net.Conn) {
	defer g.wg.Done()
	defer func() {
		_ = c.Close()
		g.mu.Lock()
		delete(g.conns, c)
		g.mu.Unlock()
	}()
	r := bufio.NewReaderSize(c, 512)
	for {
		q, err := readRequest(r)
		if err != nil {
			return
		}
		frame := g.answer(ctx, q)
		if frame == nil {
			continue
		}
		if _, err := c.Write(frame); err != nil {
			return
		}
	}
}

// answer makes the response to a request, nil for silence.
func (g *gateway) answer(ctx context.Context, q request) []byte {
	function, address, count, exception := readRange(q.pdu)
	u := g.units[q.unit]
	if u == nil {
		return response(q.transaction, q.unit, exceptionPDU(function, exTargetSilent))
	}
	f := g.server.fault(u.device.ID)
	if f.Delay > 0 && !sleep(ctx, f.Delay) || f.Silent {
		return nil
	}
	if f.Exception != 0 {
		exception = f.Exception
	}
	if exception != 0 {
		return response(q.transaction, q.unit, exceptionPDU(function, exception))
	}
	now := g.server.second()
	v := u.values(now)
	data, sent, exception := readRegisters(u.profile, &v, function, address, count)
	if exception != 0 {
		return response(q.transaction, q.unit, exceptionPDU(function, exception))
	}
	frame := response(q.transaction, q.unit, append([]byte{function, byte(len(data))}, data...))
	switch {
	case f.WrongTransaction:
		frame[0] ^= 0x55
		return frame
	case f.Truncated:
		return frame[:len(frame)-len(data)/2-1]
	}
	g.server.served(Served{DeviceID: u.device.ID, MeterID: u.device.MeterID, At: now, Values: sent})
	return frame
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// close ends every connection and waits for their goroutines.
func (g *gateway) close() error {
	g.mu.Lock()
	g.shut = true
	err := g.listener.Close()
	for c := range g.conns {
		_ = c.Close()
	}
	g.mu.Unlock()
	g.wg.Wait()
	if err != nil {
		return fmt.Errorf("sim: gateway %s: %w", g.listener.Addr(), err)
	}
	return nil
}
