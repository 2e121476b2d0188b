package modbus

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// Five units wait behind one connection, each for two requests, when the gate
// closes while the first is being answered: nothing more goes out, and every
// read ends saying why.
func TestTheGateHoldsWhatWaitsForItsTurn(t *testing.T) {
	for _, scheme := range []string{"modbus", "modbus+rtu+tcp"} {
		t.Run(scheme, func(t *testing.T) {
			var open atomic.Bool
			open.Store(true)
			var mu sync.Mutex
			requests := 0
			answer := make(chan struct{})
			g := newFakeGateway(t)
			g.setAnswer(func(c *fakeConn, request []byte) {
				mu.Lock()
				requests++
				mu.Unlock()
				<-answer
				honest(c, request)
			})
			addr := g.addr
			if scheme != "modbus" {
				addr = rtuLine(t, func(c net.Conn, _, truth []byte) {
					mu.Lock()
					requests++
					mu.Unlock()
					<-answer
					_, _ = c.Write(truth)
				})
			}
			d := New(Options{Timeout: 5 * time.Second})
			t.Cleanup(func() { _ = d.Close() })
			drivers.NewRegistry(d).Gate(open.Load)
			p := testProfile(t, `
    - {quantity: voltage_a, table: input, address: 100, encoding: uint16}
    - {quantity: voltage_b, table: holding, address: 4000, encoding: uint16}`)
			errs := make(chan error, 5)
			for unit := range 5 {
				dev := testDevice(t, fmt.Sprint("u", unit), fmt.Sprintf("%s://%s/%d", scheme, addr, unit+1), p)
				dev.Options = map[string]string{optConnections: "1"}
				if scheme != "modbus" {
					dev.Options = nil
				}
				session1(t, d, dev).(drivers.Starter).Start(0, func(_ []meter.Reading, err error) { errs <- err })
			}
			for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
				mu.Lock()
				n := requests
				mu.Unlock()
				if n > 0 {
					break
				}
				if time.Now().After(end) {
					t.Fatal("no request came within 5 s")
				}
			}
			open.Store(false)
			mu.Lock()
			before := requests
			mu.Unlock()
			close(answer)
			for range 5 {
				if err := <-errs; !errors.Is(err, drivers.ErrHeld) {
					t.Errorf("a read ended with %v", err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			if requests != before {
				t.Errorf("%d requests went out after the gate was closed", requests-before)
			}
		})
	}
}
