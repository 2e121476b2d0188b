package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/gridwarden/gridwarden/internal/poll/bench/fleet"
)

// collectorEnv makes the test binary a small collector of the devices in the
// file that it names.
const collectorEnv = "GRIDWARDEN_TEST_COLLECTOR"

func TestMain(m *testing.M) {
	if os.Getenv(collectorEnv) != "" {
		if err := collect(os.Args[1]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("os/signal.loop"))
}

// collect polls devices one by one, and prints one line for each poll. Device
// 3 is confused with device 4, device 5 is reported as not good, of device 6
// a field is missing.
func collect(file string) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var list []Device
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, "E! an error of the time before the window")
	var mu sync.Mutex
	var workers sync.WaitGroup
	for i := range list {
		workers.Go(func() {
			tick := time.NewTicker(time.Duration(list[i].IntervalMS) * time.Millisecond)
			defer tick.Stop()
			var nc net.Conn
			for {
				select {
				case <-ctx.Done():
					return
				case <-tick.C:
				}
				from := list[i]
				if i == 3 {
					from = list[4]
				}
				line, err := pollOnce(&nc, from, list[i].Name, i)
				if err != nil {
					fmt.Fprintln(os.Stderr, "time=now level=WARN", err)
					continue
				}
				mu.Lock()
				fmt.Println(line)
				mu.Unlock()
			}
		})
	}
	workers.Wait()
	return nil
}

func pollOnce(nc *net.Conn, d Device, name string, i int) (string, error) {
	if *nc == nil {
		c, err := net.Dial("tcp", net.JoinHostPort(d.Host, fmt.Sprint(d.Port)))
		if err != nil {
			return "", err
		}
		*nc = c
	}
	_ = (*nc).SetDeadline(time.Now().Add(300 * time.Millisecond))
	if _, err := (*nc).Write([]byte{0, 1, 0, 0, 0, 6, byte(d.Unit), 3, 0, 0, 0, 37}); err != nil {
		return "", err
	}
	answer := make([]byte, 9+74)
	if _, err := io.ReadFull(*nc, answer); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "meter,device=%s ", name)
	for k, f := range d.Fields {
		at := answer[9+2*f.Addr:]
		v := float64(binary.BigEndian.Uint16(at))
		if f.Type == "FLOAT32" {
			v = float64(math.Float32frombits(binary.BigEndian.Uint32(at)))
		}
		if i == 6 && k == 9 {
			continue
		}
		if k > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%s=%v", f.Name, v)
	}
	if i == 5 {
		b.WriteString(",u4.quality=1i")
	}
	fmt.Fprintf(&b, " %d", time.Now().UnixNano())
	return b.String(), nil
}

// buildSimulator builds the simulator for a test.
func buildSimulator(t *testing.T) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "sim")
	if out, err := exec.Command("go", "build", "-o", binary, "../sim").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return binary
}

// portsInRow finds n free ports in a row, below those that the system gives
// out by itself.
func portsInRow(t *testing.T, n int) int {
	t.Helper()
	for range 100 {
		base := 12_000 + rand.IntN(18_000)
		free := 0
		for free < n {
			l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", base+free))
			if err != nil {
				break
			}
			_ = l.Close()
			free++
		}
		if free == n {
			return base
		}
	}
	t.Fatal("no free ports in a row")
	return 0
}

func TestMeasure(t *testing.T) {
	sim := buildSimulator(t)
	t.Run("a small collector", func(t *testing.T) { smallCollector(t, sim) })
	t.Run("a collector that ends", func(t *testing.T) { collectorThatEnds(t, sim) })
}

// smallCollector measures a collector whose faults are known.
func smallCollector(t *testing.T, sim string) {
	t.Setenv(collectorEnv, "1")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	const n = 40
	r := &runner{
		collector: self + " {cfg}", gen: genJSON, out: outStdout, sim: sim, dir: t.TempDir(),
		warm: 700 * time.Millisecond, window: 2 * time.Second, drain: 200 * time.Millisecond,
		ports: ports{base: portsInRow(t, n)}, log: slog.New(slog.DiscardHandler),
	}
	c := onPorts("small", n).every(200 * time.Millisecond)
	c.Faults.Stall = 0.02 // device 0 is the only one of the forty
	dead := 0
	for i := range n {
		if c.Faults.Of(i) == fleet.Silent {
			dead++
		}
	}
	if dead != 1 {
		t.Fatalf("%d dead devices", dead)
	}
	var out bytes.Buffer
	results := filepath.Join(t.TempDir(), "sub", "results.jsonl")
	if err := r.all(t.Context(), &out, plan{cases: []Case{c}}, results); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(results)
	if err != nil {
		t.Fatal(err)
	}
	var res Result
	if err := json.Unmarshal(text, &res); err != nil {
		t.Fatal(err)
	}
	near := func(name string, got, want, tolerance float64) {
		if math.Abs(got-want) > tolerance {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	const polls = 10. // of a device in the window; all are polled together, so that all may miss one at an edge
	near("delivered_pct", res.DeliveredPct, 100*36./40, 11)
	near("live_delivered_pct", res.LivePct, 100*36./39, 11)
	near("wrong_polls", float64(res.WrongPolls), polls, 1)
	near("wrong_values", float64(res.WrongValues), 10*polls, 11)
	near("bad_polls", float64(res.BadPolls), 2*polls, 3)
	near("bad_polls_live", float64(res.BadPollsLive), 2*polls, 3)
	near("lines", float64(res.Lines), 39*polls, 40)
	near("sim.requests", res.Sim["requests"], 40*polls, 45)
	near("sim.mean_gap_ms", res.Sim["mean_gap_ms"], 200, 30)
	near("live_max_gap_ms", res.LiveMaxGapMS, 2000, 1) // of those of which all is wrong
	if res.Label != "small" || res.WindowS != 2 || res.ExpectedPerS != 200 || res.RSS <= 0 || res.PSS <= 0 || res.FirstMS <= 0 || res.Errors != 0 || res.Warnings == 0 {
		t.Errorf("%+v", res)
	}
	if wrong, err := os.ReadFile(filepath.Join(r.dir, "small", "wrong.txt")); err != nil || !strings.Contains(string(wrong), "is what device 4 held") {
		t.Errorf("%s, %v", wrong, err)
	}
	if !strings.HasPrefix(out.String(), string(text)) || !strings.Contains(out.String(), "| small | 40 |") {
		t.Errorf("printed\n%s", &out)
	}
	http.DefaultClient.CloseIdleConnections()
}

// collectorThatEnds is told of at once, with its last words.
func collectorThatEnds(t *testing.T, sim string) {
	r := &runner{
		collector: "sh -c exit {cfg}", gen: genJSON, out: outInflux, sink: "127.0.0.1:0", sim: sim, dir: t.TempDir(),
		warm: time.Minute, window: time.Minute, ports: ports{base: portsInRow(t, 1)}, log: slog.New(slog.DiscardHandler),
	}
	c := onPorts("ends", 1)
	if _, err := r.measure(t.Context(), &c); err == nil || !strings.Contains(err.Error(), "sh ended by itself") {
		t.Errorf("error %v", err)
	}
	http.DefaultClient.CloseIdleConnections()
}

// TestSink takes lines as InfluxDB does, plain and compressed.
func TestSink(t *testing.T) {
	s := newScript(Case{})
	k, err := openSink(t.Context(), "127.0.0.1:0", s.tally)
	if err != nil {
		t.Fatal(err)
	}
	defer k.close()
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, s.line(1, 0.5, 0.01, every()...)+s.line(2, 0.5, 0.01, every()...))
	_ = z.Close()
	post := func(path, encoding string, body io.Reader) int {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+k.address+path, body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Encoding", encoding)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		return response.StatusCode
	}
	if code := post("/api/v2/write?org=o&bucket=b", "", strings.NewReader(s.line(0, 0.5, 0.01, every()...)+strings.Repeat("x", readBuffer+1)+"\n")); code != http.StatusNoContent {
		t.Errorf("answered %d", code)
	}
	if code := post("/api/v2/write", "gzip", &zipped); code != http.StatusNoContent {
		t.Errorf("compressed: answered %d", code)
	}
	if code := post("/api/v2/write", "gzip", strings.NewReader("plain")); code != http.StatusBadRequest {
		t.Errorf("not compressed: answered %d", code)
	}
	if code := post("/ping", "", nil); code != http.StatusNoContent {
		t.Errorf("ping: answered %d", code)
	}
	http.DefaultClient.CloseIdleConnections()
	if n := s.end(); n.delivered != 3 || n.other != 2 {
		t.Errorf("%+v", n)
	}
}
