package opcua

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// TestServerLimit reads 40 devices of five nodes at once from a server that
// takes seven nodes a read.
func TestServerLimit(t *testing.T) {
	t.Parallel()
	peer := nodeOPCUA(t, "0", "7")
	d := driver(t, Options{})
	p := testProfile(t, peerPoints)
	var all sync.WaitGroup
	for n := 1; n <= 40; n++ {
		dev := testDevice(t, fmt.Sprint("t", n), peer.hostPort(), p, map[string]string{optNode: fmt.Sprint("T", n), optSecurity: "none"})
		dev.Timeout = 20 * time.Second
		s := open(t, d, dev)
		all.Go(func() {
			for range 3 {
				readings, err := s.Read(t.Context(), 0)
				if err != nil || readings[0].Value != (1000*float64(n)+0.5)/1000 {
					t.Errorf("T%d: %v kW, %v", n, readings[0].Value, err)
					return
				}
			}
		})
	}
	all.Wait()
	for _, e := range d.endpoints {
		if e.through == nil || e.through.limits.read != 7 {
			t.Errorf("the server's limit was not learned: %+v", e.through)
		}
	}
}
