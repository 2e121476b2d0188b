package opcua

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gopcua "github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// benchEnv makes the two measurements of this file run: it is how long the
// monitored items are watched, such as 5m. `make bench-opcua` sets it.
const benchEnv = "GRIDWARDEN_BENCH_OPCUA"

const (
	benchItems  = 10000
	benchPoints = 40 // a device
)

// printJSON prints one result as a line.
func printJSON(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		fmt.Println(string(b))
	}
}

// bulkPoints is a profile of as many points as one device may have: the
// quantities do not matter here.
func bulkPoints(from, n int) string {
	var b strings.Builder
	quantities := meter.Quantities()
	for i := range n {
		fmt.Fprintf(&b, "\n    - {quantity: %s, node: \"nsu=urn:gridwarden:data;s=I%d\"}", quantities[i], from+i)
	}
	return b.String()
}

// TestBenchMonitoredItems subscribes 10,000 nodes of node-opcua that are
// sampled once a second, each time with another value, and counts: every one
// must come, once, in order and in good quality.
func TestBenchMonitoredItems(t *testing.T) {
	text := os.Getenv(benchEnv)
	if text == "" {
		t.Logf("runs with %s=5m", benchEnv)
		return
	}
	duration, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("%s: %v", benchEnv, err)
	}
	peer := dataServer(t, dataSettings{Items: benchItems})
	d := driver(t, Options{})
	type track struct {
		first, last float64
		received    int
	}
	var mu sync.Mutex
	tracks := make(map[string]*track, benchItems)
	bad, disorder, why := 0, 0, ""
	take := func(list []meter.Reading) {
		mu.Lock()
		defer mu.Unlock()
		for _, r := range list {
			if r.Quality != meter.Good {
				bad++
				why = r.Detail
				continue
			}
			key := r.DeviceID + string(r.Quantity)
			x := tracks[key]
			if x == nil {
				tracks[key] = &track{first: r.Value, last: r.Value, received: 1}
				continue
			}
			if r.Value <= x.last {
				disorder++
			}
			x.last = r.Value
			x.received++
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for n := range benchItems / benchPoints {
		dev := testDevice(t, fmt.Sprintf("d%d-", n), peer.hostPort(), testProfile(t, bulkPoints(n*benchPoints, benchPoints)), map[string]string{optSecurity: "none"})
		dev.Interval = time.Second
		s := open(t, d, dev)
		all.Go(func() {
			if err := s.Subscribe(ctx, take); err != nil {
				t.Error(err)
			}
		})
	}
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		mu.Lock()
		n := len(tracks)
		mu.Unlock()
		if n == benchItems {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("only %d of %d items came", n, benchItems)
		}
	}
	time.Sleep(3 * time.Second)
	mu.Lock()
	clear(tracks)
	bad, disorder = 0, 0
	mu.Unlock()
	began := time.Now()
	time.Sleep(duration)
	mu.Lock()
	defer func() {
		mu.Unlock()
		cancel()
		all.Wait()
	}()
	expected, received := 0, 0
	for _, x := range tracks {
		// The server counts its looks at each node: what lies between the first
		// and the last number that came must have come too.
		expected += int(x.last-x.first) + 1
		received += x.received
	}
	result := struct {
		Case     string  `json:"case"`
		Items    int     `json:"items"`
		Expected int     `json:"expected"`
		Received int     `json:"received"`
		Lost     int     `json:"lost"`
		Bad      int     `json:"bad"`
		Disorder int     `json:"out_of_order"`
		Seconds  float64 `json:"duration_s"`
		Why      string  `json:"last_fault,omitempty"`
	}{"monitored-items", len(tracks), expected, received, expected - received, bad, disorder, time.Since(began).Seconds(), why}
	printJSON(result)
	if result.Lost != 0 || bad != 0 || disorder != 0 || len(tracks) != benchItems {
		t.Errorf("%+v", result)
	}
	if atLeast := int(duration.Seconds()*0.8) * benchItems; expected < atLeast {
		t.Errorf("the server took only %d samples; at least %d were due", expected, atLeast)
	}
}

// TestBenchReads reads the same 1,000 nodes of the same server by turns with
// gopcua's bare client and with the driver, and compares the medians.
func TestBenchReads(t *testing.T) {
	if os.Getenv(benchEnv) == "" {
		t.Logf("runs with %s=5m", benchEnv)
		return
	}
	const nodes, rounds = 1000, 250
	peer := dataServer(t, dataSettings{Items: nodes})
	bare, err := gopcua.NewClient("opc.tcp://"+peer.hostPort()+"/peer", gopcua.SecurityMode(ua.MessageSecurityModeNone), gopcua.AutoReconnect(false))
	if err != nil {
		t.Fatal(err)
	}
	if err := bare.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer bare.Close(context.Background())
	var ask []*ua.ReadValueID
	for i := range nodes {
		ask = append(ask, &ua.ReadValueID{NodeID: ua.NewStringNodeID(uint16(peer.Namespace), fmt.Sprint("I", i)), AttributeID: ua.AttributeIDValue})
	}
	d := driver(t, Options{Timeout: 10 * time.Second})
	var sessions []*session
	for n := range nodes / benchPoints {
		dev := testDevice(t, fmt.Sprint("r", n), peer.hostPort(), testProfile(t, bulkPoints(n*benchPoints, benchPoints)), none)
		sessions = append(sessions, open(t, d, dev))
	}
	viaBare := func() {
		res, err := bare.Read(t.Context(), &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnBoth, NodesToRead: ask})
		if err != nil || len(res.Results) != nodes {
			t.Fatal(err)
		}
	}
	// All devices fall due together, as they do on a schedule.
	viaDriver := func() {
		var all sync.WaitGroup
		for _, s := range sessions {
			all.Go(func() {
				if _, err := s.Read(t.Context(), 0); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
	took := func(read func()) float64 {
		began := time.Now()
		read()
		return time.Since(began).Seconds()
	}
	viaBare()
	viaDriver()
	var theirs, ours []float64
	for i := range rounds { // by turns, and each first as often
		if i%2 == 0 {
			theirs, ours = append(theirs, took(viaBare)), append(ours, took(viaDriver))
		} else {
			ours, theirs = append(ours, took(viaDriver)), append(theirs, took(viaBare))
		}
	}
	median := func(list []float64) float64 {
		slices.Sort(list)
		return list[len(list)/2]
	}
	result := struct {
		Case  string  `json:"case"`
		Nodes int     `json:"nodes"`
		Bare  float64 `json:"bare_reads_per_s"`
		Ours  float64 `json:"driver_reads_per_s"`
		Ratio float64 `json:"ratio"`
	}{"reads", nodes, 1 / median(theirs), 1 / median(ours), 0}
	result.Ratio = result.Ours / result.Bare
	printJSON(result)
	if result.Ratio < 0.9 {
		t.Errorf("%+v", result)
	}
}
