//go:build demo

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/internal/cluster/natstest"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/sim"
	"github.com/gridwarden/gridwarden/internal/sqlstore"
	"github.com/gridwarden/gridwarden/internal/sqlstore/pgtest"
	"github.com/gridwarden/gridwarden/internal/stream"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// takeover is how soon the devices of a killed host are read again.
const takeover = 10 * time.Second

// Three hosts share 300 devices behind 60 gateways, over three NATS servers and
// PostgreSQL. Hosts and a server are killed, one host is stopped and goes on.
// What that means is told by the devices, which count what they are asked, and
// by the stream.
func TestKillHostsOfACluster(t *testing.T) {
	pg := must(pgtest.Start(t.Context()))(t)
	t.Cleanup(func() { _ = pg.Close() })
	database := must(pg.Database(t.Context()))(t)
	nats := must(natstest.Start(t.Context(), t.TempDir(), 3))(t)
	t.Cleanup(func() { _ = nats.Close() })
	devices := serveMeters(t, 60, 5)
	exported := exportDistrict(t)
	c := newCast(t, 3, fmt.Sprintf("registry: %s\nstream: {url: %q, guarantee: host}\ndatabase: {url: %q}\ndevices:\n%s",
		filepath.Join(exported, "registry"), nats.URL(), database, devices.devices()))
	devices.explain = c.explain
	l := &ledger{t: t, cast: c, devices: devices}

	began := time.Now()
	step := func(what string) { t.Logf("%5.1f s: %s", time.Since(began).Seconds(), what) }
	for _, m := range c.hosts {
		m.start(devices)
		m.answers(40 * time.Second)
	}
	s := c.balanced(40*time.Second, "host-0", "host-1", "host-2")
	first := devices.allSince(time.Now(), 15*time.Second, "")
	t.Logf("three hosts share 24 partitions %v after their start; leader %s; every device asked again within %v", time.Since(began).Round(time.Millisecond), s.Leader, first.Round(time.Millisecond))
	time.Sleep(3 * time.Second)

	step("kill")
	// The host that leads is killed.
	dead := c.named(s.Leader)
	at := dead.kill()
	l.gap(dead.name, at, at.Add(takeover))
	worst := devices.allSince(at, takeover+5*time.Second, dead.name)
	t.Logf("killed %s: every device is asked again within %v", dead.name, worst.Round(time.Millisecond))
	if worst > takeover {
		t.Errorf("the last device was asked %v after the kill of its host; %v is allowed", worst, takeover)
	}
	dead.start(devices)
	s = c.balanced(40*time.Second, "host-0", "host-1", "host-2")

	step("stop")
	// Another is stopped for longer than its lease, and goes on.
	paused := c.hosts[0]
	if paused == dead {
		paused = c.hosts[1]
	}
	at = paused.signal(syscall.SIGSTOP)
	worst = devices.allSince(at, takeover+5*time.Second, paused.name)
	t.Logf("stopped %s: every device is asked again within %v", paused.name, worst.Round(time.Millisecond))
	if worst > takeover {
		t.Errorf("the last device was asked %v after its host was stopped; %v is allowed", worst, takeover)
	}
	c.look()
	time.Sleep(time.Second)
	resumed := paused.signal(syscall.SIGCONT)
	l.gap(paused.name, at, resumed.Add(time.Second))
	time.Sleep(time.Second)
	late := 0
	for id, asks := range devices.history() {
		n := 0
		for _, a := range asks {
			if a.host == paused.name && a.at.After(resumed) && a.at.Before(resumed.Add(time.Second)) {
				n++
			}
		}
		if n > 1 {
			t.Errorf("%s was asked %d times by the host that had been stopped", id, n)
		}
		late += n
	}
	t.Logf("resumed %s: %d requests to 300 devices before it noticed", paused.name, late)
	s = c.balanced(40*time.Second, "host-0", "host-1", "host-2")

	// A NATS server is killed, the one that leads the readings.
	leads := must(nats.Leader(t.Context(), string(stream.Readings)))(t)
	step("NATS server")
	at = time.Now()
	if err := nats.Kill(leads); err != nil {
		t.Fatal(err)
	}
	time.Sleep(12 * time.Second)
	devices.allSince(time.Now(), 20*time.Second, "")
	t.Logf("killed NATS server %d, which led the readings: no device was left alone for longer than %v", leads, devices.longest(at).Round(time.Millisecond))
	c.balanced(40*time.Second, "host-0", "host-1", "host-2")
	if err := nats.Run(t.Context(), leads); err != nil {
		t.Fatal(err)
	}
	time.Sleep(2 * time.Second)

	step("detection")
	// The cluster judges as one host does.
	l.detection(exported, database)

	out, err := exec.Command(program(t), "cluster", "status", "-c", c.hosts[1].file).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "host-2") {
		t.Errorf("cluster status: %v\n%s", err, out)
	}
	for _, m := range c.hosts {
		m.stop()
	}
	step("ledger")
	l.settle(nats.URL(), refusals(paused))
}

// refusals are how often a host was told by the stream that it is not the owner.
func refusals(m *member) int { return strings.Count(m.log.String(), "the stream refused readings") }

// exportDistrict writes the records and exports of a small district.
func exportDistrict(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	d := must(sim.New(sim.Config{Seed: 3, Until: curve.DateOf(time.Now().UTC()) - 1, Days: 10}))(t)
	if err := d.Export(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	return dir
}

// ledger holds what was asked against what is in the stream.
type ledger struct {
	t       *testing.T
	cast    *cast
	devices *meters
	gaps    []gapOf
}

// gapOf is a time in which what a host was answered need not have arrived.
type gapOf struct {
	host     string
	from, to time.Time
}

// inHand is how long a reading is in memory at most before it is acknowledged:
// it is gathered for 200 ms, and published.
const inHand = 1500 * time.Millisecond

func (l *ledger) gap(host string, from, to time.Time) {
	l.gaps = append(l.gaps, gapOf{host, from.Add(-inHand), to})
}

// stored is a reading in the stream.
type stored struct {
	message uint64 // its sequence
	claim   uint64 // the last claim of its partition before it
}

// settle reads the stream and compares.
func (l *ledger) settle(url string, refused int) {
	l.t.Helper()
	held := l.read(url)
	missing, excused, late, total, wrong, known := 0, 0, 0, 0, 0, 0
	doubled, lapses := 0, l.lapses()
	for id, asks := range l.devices.history() {
		doubled += interleaved(asks)
		for i := range asks {
			a := &asks[i]
			if a.seq == 0 {
				continue
			}
			total++
			in, ok := held.good[id][a.seq]
			switch {
			case ok:
				if owner := l.cast.tokens[in.claim]; owner != "" && a.host != "?" {
					known++
					if owner != a.host {
						wrong++
					}
				}
			case l.excused(a):
				excused++
			case held.tooLate(id, a):
				late++
			default:
				if missing++; missing <= 5 {
					l.t.Errorf("%s: answer %d to %s at %v is not in the stream", id, a.seq, a.host, a.at)
				}
			}
		}
	}
	l.t.Logf("%d answers: %d lost; %d were in memory when their host was killed or stopped or its lease ran out, %d came too late for who had asked; %d are in the stream twice; the owner of the claim is known of %d; leases ran out %d times",
		total, missing, excused, late, held.twice, known, lapses)
	if held.twice > 0 {
		l.t.Errorf("%d readings are in the stream twice", held.twice)
	}
	if wrong > 0 {
		l.t.Errorf("%d readings are in the stream under the claim of a host that had not read them", wrong)
	}
	if known < total/2 {
		l.t.Errorf("the claim is known of %d readings of %d", known, total)
	}
	l.t.Logf("the stream refused %d messages that the stopped host had in hand", refused)
	l.stale(url)
	if doubled > 0 {
		l.t.Errorf("devices were asked by two hosts in turns %d times", doubled)
	}
}

// stale claims a partition twice and publishes under the first token, as a
// host does that was stopped with readings in hand.
func (l *ledger) stale(url string) {
	l.t.Helper()
	const partition = 24 // nobody's
	open := func() *stream.Stream {
		return must(stream.Open(l.t.Context(), stream.Config{URL: url, AsIs: true, Logger: slog.New(slog.DiscardHandler)}))(l.t)
	}
	before, after := open(), open()
	defer before.Close()
	defer after.Close()
	old := must(before.Claim(l.t.Context(), partition))(l.t)
	reading := []meter.Reading{{DeviceID: "d", MeterID: "m", Quantity: meter.VoltageA, Value: 230, EventTime: time.Now().UTC(), ReceiveTime: time.Now().UTC(), Quality: meter.Good}}
	if err := before.PublishClaimed(l.t.Context(), partition, old, reading); err != nil {
		l.t.Errorf("the owner may not publish: %v", err)
	}
	must(after.Claim(l.t.Context(), partition))(l.t)
	reading[0].Value = 231
	if err := before.PublishClaimed(l.t.Context(), partition, old, reading); !errors.Is(err, stream.ErrClaimLost) {
		l.t.Errorf("published under a stale token: %v", err)
	}
}

// interleaved counts how often a device was asked in turns by two hosts: a
// move from one to the other and back takes longer.
func interleaved(asks []ask) (n int) {
	type run struct {
		host        string
		first, last time.Time
	}
	var runs []run
	for i := range asks {
		a := &asks[i]
		switch {
		case a.host == "?":
		case len(runs) > 0 && runs[len(runs)-1].host == a.host:
			runs[len(runs)-1].last = a.at
		default:
			runs = append(runs, run{a.host, a.at, a.at})
		}
	}
	for i := 0; i+3 < len(runs); i++ {
		if runs[i].host == runs[i+2].host && runs[i+1].host == runs[i+3].host && runs[i+3].first.Sub(runs[i].last) < 3*time.Second {
			n++
		}
	}
	return n
}

// lapses excuses what a host was answered when its lease ran out, as its log
// says: a read that is not finished then is dropped.
func (l *ledger) lapses() (n int) {
	l.t.Helper()
	for _, m := range l.cast.hosts {
		var from time.Time
		for line := range strings.Lines(m.log.String()) {
			stamp, _, _ := strings.Cut(strings.TrimPrefix(line, "time="), " ")
			at, err := time.Parse(time.RFC3339Nano, stamp)
			switch {
			case err != nil:
			case strings.Contains(line, "the lease ran out"):
				n++
				from = at.Add(-5 * time.Second)
			case strings.Contains(line, "the lease holds") && !from.IsZero():
				l.gap(m.name, from, at.Add(time.Second))
				from = time.Time{}
			}
		}
		if !from.IsZero() {
			l.gap(m.name, from, time.Now())
		}
	}
	return n
}

func (l *ledger) excused(a *ask) bool {
	for _, g := range l.gaps {
		if a.host == g.host && a.at.After(g.from) && a.at.Before(g.to) {
			return true
		}
	}
	return a.at.After(time.Now().Add(-inHand))
}

// read returns the readings in the stream.
func (l *ledger) read(url string) *arrivals {
	l.t.Helper()
	s := must(stream.Open(l.t.Context(), stream.Config{
		URL: url, AsIs: true, FetchBytes: 1, MessageBytes: 1, FetchWait: 10 * time.Millisecond, Logger: slog.New(slog.DiscardHandler),
	}))(l.t)
	defer s.Close()
	c := &arrivals{good: make(map[string]map[uint32]stored), bad: make(map[string][]time.Time)}
	var g errgroup.Group
	for p := range 24 {
		g.Go(func() error { return c.readPartition(l.t.Context(), s, p) })
	}
	if err := g.Wait(); err != nil {
		l.t.Fatal(err)
	}
	return c
}

// arrivals is what the stream holds of the devices.
type arrivals struct {
	mu    sync.Mutex
	good  map[string]map[uint32]stored // by device and number
	bad   map[string][]time.Time       // when a device was told to have failed
	twice int
}

// readPartition reads message by message until no more come.
func (c *arrivals) readPartition(ctx context.Context, s *stream.Stream, partition int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	idle := time.AfterFunc(3*time.Second, cancel)
	defer idle.Stop()
	claim := uint64(0)
	return s.ReadReadings(ctx, stream.Reader{Name: "test", Partition: partition}, func(_ context.Context, readings []meter.Reading, last uint64) error {
		idle.Reset(3 * time.Second)
		if len(readings) == 0 {
			claim = last
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		for i := range readings {
			r := &readings[i]
			if r.Quantity != meter.ActiveEnergyImport {
				continue
			}
			if r.Quality == meter.Bad {
				c.bad[r.DeviceID] = append(c.bad[r.DeviceID], r.ReceiveTime)
				continue
			}
			if c.good[r.DeviceID] == nil {
				c.good[r.DeviceID] = make(map[uint32]stored)
			}
			seq := seqOf(r.Value)
			if _, there := c.good[r.DeviceID][seq]; there {
				c.twice++
			}
			c.good[r.DeviceID][seq] = stored{last, claim}
		}
		return nil
	})
}

// tooLate reports whether an answer came too late for the host that had asked,
// which said so.
func (c *arrivals) tooLate(device string, a *ask) bool {
	for _, at := range c.bad[device] {
		if after := at.Sub(a.at); after > -3*time.Second && after < 4*time.Second {
			return true
		}
	}
	return false
}

// detection imports a district into the cluster and into a host of its own and
// compares what they find.
func (l *ledger) detection(exported, database string) {
	l.t.Helper()
	files := must(filepath.Glob(filepath.Join(exported, "readings", "*")))(l.t)
	l.imports(l.cast.hosts[0].file, files)
	dir := l.t.TempDir()
	alone := filepath.Join(dir, "alone.yaml")
	secret(l.t, filepath.Join(dir, "data"))
	writeTo(l.t, alone, fmt.Sprintf("data_dir: %s\nconsole: {listen: 127.0.0.1:0}\nregistry: %s\nreadings: [%s]\n", filepath.Join(dir, "data"), filepath.Join(exported, "registry"), strings.Join(files, ", ")))
	m := &member{t: l.t, name: "alone", file: alone}
	m.start(l.devices)
	want := l.result(filepath.Join(dir, "data", "gridwarden.db"), m)
	m.stop()
	got := l.result(database, l.cast.hosts...)
	if want.FirstDay != got.FirstDay || want.LastDay != got.LastDay || len(want.UsagePoints) == 0 {
		l.t.Fatalf("judged %v to %v, and alone %v to %v with %d usage points", got.FirstDay, got.LastDay, want.FirstDay, want.LastDay, len(want.UsagePoints))
	}
	if a, b := text(l.t, want.UsagePoints), text(l.t, got.UsagePoints); a != b {
		l.t.Errorf("the cluster judges usage points otherwise than one host: %s", firstDifference(a, b))
	}
	if a, b := text(l.t, want.Transformers), text(l.t, got.Transformers); a != b {
		l.t.Errorf("the cluster judges transformers otherwise than one host: %s", firstDifference(a, b))
	}
	parts := ""
	for _, h := range l.cast.hosts {
		for line := range strings.Lines(h.log.String()) {
			if strings.Contains(line, "parts of a detection run") {
				parts = h.name + ": " + strings.TrimSpace(line)
			}
		}
	}
	l.t.Logf("%d usage points judged alike by the cluster and by one host; %s", len(want.UsagePoints), parts)
	if parts == "" {
		l.t.Error("no run was dealt out in parts")
	}
}

func (l *ledger) imports(file string, files []string) {
	l.t.Helper()
	cmd := exec.Command(program(l.t), append([]string{"import", "readings", "-c", file}, files...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		l.t.Fatalf("import readings: %v\n%s", err, out)
	}
}

// result waits for a result of a detection run in a database.
func (l *ledger) result(where string, hosts ...*member) *detect.Result {
	l.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		db, err := sqlstore.Open(l.t.Context(), where)
		if err != nil {
			continue
		}
		result, err := db.Results().LatestResult(l.t.Context())
		_ = db.Close()
		if err == nil && result != nil && len(result.UsagePoints) > 0 {
			return result
		}
	}
	for _, h := range hosts {
		l.t.Logf("%s:\n%s", h.name, tail(h.log.String(), 30))
	}
	l.t.Fatal("no result of a detection run within 60 s")
	return nil
}

func text(t *testing.T, v any) string {
	t.Helper()
	data, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func firstDifference(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("line %d: %q alone, %q in the cluster", i, x[i], y[i])
		}
	}
	return fmt.Sprintf("%d lines alone, %d in the cluster", len(x), len(y))
}
