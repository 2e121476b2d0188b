package host

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/modbus"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/control"
	"github.com/gridwarden/gridwarden/internal/poll"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// counters is a Modbus/TCP server whose units answer each read of two
// registers with how often they were read: what was lost or came twice shows.
type counters struct {
	listener net.Listener
	work     sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	reads map[byte]uint32
}

func serveCounters(t *testing.T) *counters {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &counters{listener: l, reads: make(map[byte]uint32)}
	s.work.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns = append(s.conns, conn)
			s.mu.Unlock()
			s.work.Go(func() { s.answer(conn) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		s.mu.Lock()
		for _, c := range s.conns {
			_ = c.Close()
		}
		s.mu.Unlock()
		s.work.Wait()
	})
	return s
}

func (s *counters) answer(conn net.Conn) {
	request := make([]byte, 12)
	for {
		if _, err := io.ReadFull(conn, request); err != nil {
			return
		}
		s.mu.Lock()
		s.reads[request[6]]++
		n := s.reads[request[6]]
		s.mu.Unlock()
		out := append(slices.Clone(request[:4]), 0, 7, request[6], request[7], 4)
		if _, err := conn.Write(binary.BigEndian.AppendUint32(out, n)); err != nil {
			return
		}
	}
}

func (s *counters) url(unit int) string {
	return fmt.Sprintf("modbus://%s/%d", s.listener.Addr(), unit)
}

const countersProfile = `name: %s
manufacturer: none
model: %s
source: "this test"
status: simulated
protocol: modbus
modbus:
  points:
    - {quantity: active_energy_import, table: holding, address: 0, encoding: uint32}
`

// site is a configuration in files, and the program that runs with it.
type site struct {
	t      *testing.T
	dir    string
	host   *Host
	client *control.Client
	hangup chan os.Signal

	mu   sync.Mutex
	seen map[string][]meter.Reading
}

func (s *site) write(name, text string) {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// device is a line of the configuration's list.
func device(id, url, profile string, more ...string) string {
	return fmt.Sprintf("  - {id: %s, url: '%s', profile: %s, interval: 200ms, timeout: 2s%s}\n", id, url, profile, strings.Join(more, ""))
}

const siteConfig = "data_dir: data\nprofiles: profiles\nconsole: {listen: '127.0.0.1:0'}\ndevice_files: [more.csv]\ndevices:\n"

// start runs the program and collects every reading that it publishes.
func (s *site) start() {
	s.t.Helper()
	file := filepath.Join(s.dir, "g.yaml")
	cfg, err := config.Load(file)
	if err != nil {
		s.t.Fatal(err)
	}
	o := options(s.t)
	o.Drivers = drivers.NewRegistry(modbus.New(modbus.Options{}))
	s.hangup = make(chan os.Signal, 1)
	o.ConfigFile, o.Hangups = file, s.hangup
	if s.host, err = New(s.t.Context(), cfg, o); err != nil {
		s.t.Fatal(err)
	}
	s.client, s.seen = control.NewClient(cfg.DataDir), make(map[string][]meter.Reading)
	ctx, stop := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- s.host.Start(ctx, func(ctx context.Context) error {
			return s.host.stream.ConsumeReadings(ctx, "test", func(_ context.Context, list []meter.Reading) error {
				s.mu.Lock()
				defer s.mu.Unlock()
				for _, r := range list {
					r.Raw = nil
					s.seen[r.DeviceID] = append(s.seen[r.DeviceID], r)
				}
				return nil
			})
		})
	}()
	s.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			s.t.Error(err)
		}
		if err := s.host.Close(); err != nil {
			s.t.Error(err)
		}
	})
}

// reads waits until every device was read n more times.
func (s *site) reads(n int, ids ...string) {
	s.t.Helper()
	s.mu.Lock()
	before := make(map[string]int)
	for _, id := range ids {
		before[id] = len(s.seen[id])
	}
	s.mu.Unlock()
	deadline := time.Now().Add(2 * time.Minute)
	for {
		s.mu.Lock()
		late := slices.IndexFunc(ids, func(id string) bool { return len(s.seen[id]) < before[id]+n })
		s.mu.Unlock()
		if late < 0 {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s was read fewer than %d times", ids[late], n)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// whole wants every read that a device's server counted to have arrived, once,
// in good quality and in order.
func (s *site) whole(ids ...string) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range ids {
		list := s.seen[id]
		for i := range list {
			if list[i].Quality != meter.Good || i > 0 && list[i].Value != list[i-1].Value+1 {
				s.t.Errorf("%s: reading %d of %d is %v (%v %s) after %v", id, i, len(list), list[i].Value, list[i].Quality, list[i].Detail, list[max(0, i-1)].Value)
				break
			}
		}
	}
}

// reload asks through the socket, as the command does.
func (s *site) reload() *control.Reload {
	s.t.Helper()
	r, err := s.client.Reload(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *site) expect(what string, want poll.Change) {
	s.t.Helper()
	r := s.reload()
	if got := (poll.Change{Added: r.Added, Removed: r.Removed, Changed: r.Changed, Kept: r.Kept}); got != want || r.Refused {
		s.t.Fatalf("%s: %+v, want %+v", what, r, want)
	}
}

// TestReload edits everything that a reload reads, right and wrong, while
// devices that are not concerned are read on without a gap or a double.
func TestReload(t *testing.T) {
	gateway, alone := serveCounters(t), serveCounters(t)
	s := &site{t: t, dir: t.TempDir()}
	good := siteConfig + device("A", gateway.url(1), "first") + device("B", gateway.url(2), "second") + device("C", alone.url(1), "first")
	more := "id,url,profile,interval,timeout\nD," + gateway.url(3) + ",second,200ms,2s\nE," + gateway.url(4) + ",first,200ms,2s\n"
	s.write("g.yaml", good)
	s.write("more.csv", more)
	s.write("profiles/first.yaml", fmt.Sprintf(countersProfile, "first", "of one kind"))
	s.write("profiles/second.yaml", fmt.Sprintf(countersProfile, "second", "of another"))
	s.start()
	all := []string{"A", "B", "C", "D", "E"}
	s.reads(2, all...)

	s.expect("nothing edited", poll.Change{Kept: 5})
	s.write("g.yaml", strings.Replace(good, "profile: second, interval: 200ms", "profile: second, interval: 400ms", 1))
	s.expect("an interval edited", poll.Change{Changed: 1, Kept: 4})
	s.reads(2, all...)
	s.write("profiles/second.yaml", fmt.Sprintf(countersProfile, "second", "of another, edited"))
	s.expect("a profile edited", poll.Change{Changed: 2, Kept: 3})
	s.reads(2, all...)
	s.write("more.csv", strings.Replace(more, "E,", "F,", 1))
	s.expect("a device exchanged", poll.Change{Added: 1, Removed: 1, Kept: 4})
	s.reads(2, "A", "B", "C", "D", "F")
	if r := s.reload(); len(r.Restart) > 0 {
		t.Errorf("%v are said to need a restart", r.Restart)
	}
	s.write("g.yaml", good+"site: {name: Elsewhere}\ncases: {threshold: 0.7}\n")
	if r := s.reload(); r.Refused || !slices.Equal(r.Restart, []string{"site", "cases"}) || r.Changed != 1 {
		t.Errorf("%+v; want B changed, and a restart for site and cases", r)
	}

	now := []string{"A", "B", "C", "D", "F"}
	for name, c := range map[string]struct {
		spoil func()
		want  []string
	}{
		"bad YAML":          {func() { s.write("g.yaml", good+"  - {id: A\n") }, []string{"g.yaml:"}},
		"unknown key":       {func() { s.write("g.yaml", good+"consle: {}\n") }, []string{`g.yaml:9:1: unknown key "consle"; did you mean console?`}},
		"unknown profile":   {func() { s.write("g.yaml", good+device("G", alone.url(9), "third")) }, []string{`g.yaml:9:6: device G: no profile "third"`}},
		"no such unit":      {func() { s.write("g.yaml", good+device("G", alone.url(900), "first")) }, []string{"g.yaml:9:6: device G"}},
		"unknown scheme":    {func() { s.write("g.yaml", good+device("G", "gopher://h/1", "first")) }, []string{"g.yaml:9:6: device G: no driver for gopher://"}},
		"unknown group":     {func() { s.write("g.yaml", good+device("G", alone.url(9), "first", ", groups: {slow: 1m}")) }, []string{`g.yaml:9:6: device G: profile first has no group "slow"`}},
		"one device twice":  {func() { s.write("more.csv", more+"A,"+alone.url(9)+",first,1s,2s\n") }, []string{"more.csv:4: device A stands at", "g.yaml:6:6 already"}},
		"units that differ": {func() { s.write("g.yaml", good+device("G", gateway.url(9), "first", ", options: {connections: '3'}")) }, []string{"g.yaml:", "on all of them"}},
		"bad CSV":           {func() { s.write("more.csv", more+"G,nowhere,first,1s,2s\n") }, []string{`more.csv:4: url: "nowhere" is not a device address`}},
		"bad profile":       {func() { s.write("profiles/first.yaml", "name: first\nprotocol: pigeon\n") }, []string{"profiles/first.yaml:"}},
		"two files wrong": {func() {
			s.write("more.csv", "id\n")
			s.write("g.yaml", good+device("G", alone.url(9), "third"))
		}, []string{`more.csv:1: column "url" is missing`, `g.yaml:9:6: device G: no profile "third"`}},
		"no configuration": {func() { s.remove("g.yaml") }, []string{"g.yaml: no such file"}},
		"no device file":   {func() { s.remove("more.csv") }, []string{"more.csv: no such file"}},
		"no profiles":      {func() { s.remove("profiles") }, []string{"profiles is not a folder"}},
	} {
		t.Run(name, func(t *testing.T) {
			c.spoil()
			r := s.reload()
			text := strings.Join(r.Problems, "\n")
			for _, want := range c.want {
				if !r.Refused || !strings.Contains(text, want) {
					t.Errorf("%+v\nwant refused with %q", r, want)
				}
			}
			if last := s.host.reloads.last.Load(); !last.Refused() || last.At.IsZero() {
				t.Errorf("the console is not told: %+v", last)
			}
		})
		s.write("g.yaml", good)
		s.write("more.csv", strings.Replace(more, "E,", "F,", 1))
		s.write("profiles/first.yaml", fmt.Sprintf(countersProfile, "first", "of one kind"))
		s.write("profiles/second.yaml", fmt.Sprintf(countersProfile, "second", "of another, edited"))
	}
	s.reads(2, now...)
	s.expect("as before the mistakes", poll.Change{Kept: 5})

	s.write("g.yaml", good+device("G", alone.url(9), "first"))
	s.hangup <- syscall.SIGHUP
	s.reads(2, "G")
	if last := s.host.reloads.last.Load(); last.By != "SIGHUP" || last.Added != 1 {
		t.Errorf("%+v", last)
	}
	s.reads(2, now...)
	s.whole("A", "B", "C", "D", "E", "F", "G")
}

func (s *site) remove(name string) {
	s.t.Helper()
	if err := os.RemoveAll(filepath.Join(s.dir, name)); err != nil {
		s.t.Fatal(err)
	}
}

// TestReloadUnderLoad reloads again and again, several at once, while a
// hundred and sixty units behind four gateways are read five times a second.
func TestReloadUnderLoad(t *testing.T) {
	s := &site{t: t, dir: t.TempDir()}
	var untouched []string
	var more strings.Builder
	more.WriteString("id,url,profile,interval,timeout\n")
	for g := range 4 {
		gateway := serveCounters(t)
		for unit := range 40 {
			id := fmt.Sprintf("G%d-%02d", g, unit)
			untouched = append(untouched, id)
			fmt.Fprintf(&more, "%s,%s,first,200ms,10s\n", id, gateway.url(1+unit))
		}
	}
	edited := serveCounters(t)
	config := func(n int) string {
		text := siteConfig
		for unit := range 20 {
			if (unit+n)%5 > 0 {
				text += device(fmt.Sprintf("E-%02d", unit), edited.url(1+unit), "second", fmt.Sprintf(", options: {connections: '%d'}", 1+n%2))
			}
		}
		return text
	}
	s.write("g.yaml", config(0))
	s.write("more.csv", more.String())
	s.write("profiles/first.yaml", fmt.Sprintf(countersProfile, "first", "of one kind"))
	s.write("profiles/second.yaml", fmt.Sprintf(countersProfile, "second", "of another"))
	s.start()
	s.reads(2, untouched...)
	for n := range 8 {
		s.write("g.yaml", config(n))
		s.write("profiles/second.yaml", fmt.Sprintf(countersProfile, "second", fmt.Sprintf("of another, edition %d", n/2)))
		var both sync.WaitGroup
		for range 2 {
			both.Go(func() {
				r, err := s.client.Reload(t.Context())
				if err != nil || r.Refused || r.Added+r.Changed+r.Kept != 176 || r.Kept < 160 {
					t.Errorf("reload %d: %+v, %v", n, r, err)
				}
			})
		}
		both.Wait()
	}
	s.reads(3, untouched...)
	s.whole(untouched...)
	list, err := s.client.Devices(t.Context())
	if err != nil || len(list) != 176 {
		t.Fatalf("%d devices, %v", len(list), err)
	}
	d, err := s.client.Device(t.Context(), "G2-17")
	if err != nil || d.State != "ok" || len(d.Values) != 1 || d.Values[0].Value == nil || d.Values[0].Raw == "" || len(d.Groups) != 1 || d.Groups[0].Blocks[0].Count != 2 {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestReloadWithoutAFile(t *testing.T) {
	h := open(t, testConfig(t))
	if _, err := h.Reload(t.Context(), "test"); !errors.Is(err, ErrNoConfigFile) {
		t.Errorf("got %v", err)
	}
}

// TestTwoProgramsDoNotShareAFolder names the one that has it.
func TestTwoProgramsDoNotShareAFolder(t *testing.T) {
	cfg := testConfig(t)
	open(t, cfg)
	_, err := New(t.Context(), cfg, options(t))
	var running *control.RunningError
	if !errors.As(err, &running) || running.PID != fmt.Sprint(os.Getpid()) {
		t.Errorf("got %v", err)
	}
}
