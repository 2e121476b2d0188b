package opcua

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
	"pgregory.net/rapid"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
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

// TestRefusedSizes reads from a server that takes fewer nodes than it says.
func TestRefusedSizes(t *testing.T) {
	t.Parallel()
	peer := dataServer(t, dataSettings{Items: 40, Limits: map[string]int{"maxNodesPerRead": 10, "maxMonitoredItemsPerCall": 3, "maxNodesPerBrowse": 4, "maxNodesPerHistoryReadData": 2}})
	d := driver(t, Options{})
	s := open(t, d, testDevice(t, "t", peer.hostPort(), testProfile(t, bulkPoints(0, 40)), none))
	if _, err := s.Read(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if got, want := s.endpoint.through.limits, (limits{read: 10, history: 2, monitor: 3, browse: 4}); got != want {
		t.Errorf("learned %+v, want %+v", got, want)
	}
	s.endpoint.through.limits.read = maxNodes // as if it had said nothing
	if _, err := s.Read(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if got := s.endpoint.through.limits.read; got != 10 {
		t.Errorf("40, 20, 10 were tried, and %d was learned", got)
	}
	b := follow(t, s)
	b.wait(t, "values of every node", 8*time.Second, func(list []meter.Reading) bool {
		seen := make(map[meter.Quantity]bool)
		for _, r := range list {
			seen[r.Quantity] = r.Quality == meter.Good
		}
		return len(seen) == 40
	})
	space, err := d.Browse(t.Context(), drivers.Device{ID: "b", URL: s.dev.URL, Options: none}, BrowseLimits{})
	if err != nil || space.Cut != "" || space.Visited < 70 {
		t.Errorf("%+v, %v", space, err)
	}
}

func TestBatches(t *testing.T) {
	tooMany := fmt.Errorf("read: %w", ua.StatusBadTooManyOperations)
	rapid.Check(t, func(t *rapid.T) {
		n, limit, truth := rapid.IntRange(0, 300).Draw(t, "n"), rapid.IntRange(1, 400).Draw(t, "limit"), rapid.IntRange(1, 400).Draw(t, "truth")
		next := 0
		err := batches(n, &limit, func(from, to int) error {
			if from != next || to <= from || to > n {
				t.Fatalf("from %d to %d after %d of %d", from, to, next, n)
			}
			if to-from > truth {
				return tooMany
			}
			next = to
			return nil
		})
		if err != nil || next != n || limit < 1 {
			t.Fatalf("%v, %d of %d, limit %d", err, next, n, limit)
		}
	})
	limit := 8
	if err := batches(5, &limit, func(int, int) error { return tooMany }); !errors.Is(err, ua.StatusBadTooManyOperations) || limit != 1 {
		t.Errorf("%v, limit %d", err, limit)
	}
	if err := batches(5, &limit, func(int, int) error { return ua.StatusBadTimeout }); !errors.Is(err, ua.StatusBadTimeout) {
		t.Error(err)
	}
}
