package host

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/internal/cluster"
	"github.com/gridwarden/gridwarden/internal/config"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/poll"
	"github.com/gridwarden/gridwarden/internal/stream"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// tenancy is this host's part of the devices in a cluster. A host that has the
// lease of a partition claims it in the stream, polls its devices and builds
// the curves of its meters; what it publishes and commits carries the claim.
type tenancy struct {
	h       *Host
	member  *cluster.Member
	dropped prometheus.Counter

	mu      sync.Mutex
	placed  map[string]int // partition of each device that is configured
	tenures map[int]*tenure
	wanted  uint64 // counts changes of what is to be polled

	applying sync.Mutex // of what follows
	applied  uint64     // the change that the poller knows
}

// tenure is a partition while this host has it.
type tenure struct {
	partition int
	token     uint64
	polled    bool // its devices are to be polled
	lost      bool // its claim is another's
	end       context.CancelFunc
	ended     chan struct{} // closed when its curves have been committed
}

// clustered reports whether this process shares its work with other hosts. A
// console or casework of its own takes nothing from them.
func (h *Host) clustered() bool {
	return h.cfg.Cluster.Host != "" && (h.does(Polling) || h.does(Storing) || h.does(Detecting))
}

// sharePolling has polling begin with nothing and read what this host has
// leases of.
func (h *Host) sharePolling(cfg *poll.Config) error {
	if parts := []Role{Polling, Storing, Detecting}; !h.does(parts[0]) || !h.does(parts[1]) || !h.does(parts[2]) {
		return fmt.Errorf("cluster.host: hosts of a cluster share polling, curves and detection; give all of --roles %s, or none of them", rolesText(parts))
	}
	t := &tenancy{h: h, tenures: make(map[int]*tenure)}
	if err := t.place(cfg.Devices); err != nil {
		return err
	}
	h.tenancy = t
	h.opts.Drivers.Gate(t.gate)
	cfg.Slot = poll.SlotOf(cfg.Devices)
	cfg.Devices, cfg.Sink, cfg.Gate = nil, t.publish, t.gate
	return nil
}

// openCluster joins the cluster that the configuration names.
func (h *Host) openCluster(ctx context.Context) error {
	t := h.tenancy
	if t == nil {
		return nil
	}
	replicas := 1
	if h.cfg.Stream.Guarantee == config.SurvivesHost {
		replicas = 3
	}
	t.dropped = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "gridwarden_cluster_readings_dropped_total", Help: "Readings that were not acknowledged since their partition had become another host's.",
	})
	if err := h.metrics.Register(t.dropped); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	member, err := cluster.Join(ctx, cluster.Config{
		JetStream: h.stream.JetStream(), Host: h.cfg.Cluster.Host, Partitions: h.cfg.Cluster.Partitions, Lease: h.cfg.Cluster.Lease,
		Replicas: replicas, Address: h.cfg.Console.Listen, Version: h.opts.Version, Digest: cluster.Digest(t.placed),
		Acquire: t.acquire, Release: t.release, Logger: h.log, Metrics: h.metrics, Now: h.opts.Now,
	})
	t.member = member
	return err
}

// place deals the configured devices out in partitions.
func (t *tenancy) place(devices []drivers.Device) error {
	list := make([]cluster.Device, len(devices))
	var problems []error
	for i := range devices {
		d := &devices[i]
		endpoint, shared := endpointOf(d.URL)
		if !shared {
			problems = append(problems, fmt.Errorf("device %s: a serial line belongs to one machine; reach it through a serial server (modbus+rtu+tcp://host:port/unit), or poll it with a host that has no cluster.host", d.ID))
		}
		list[i] = cluster.Device{ID: d.ID, Endpoint: endpoint, MeterID: d.Meter()}
	}
	if err := errors.Join(problems...); err != nil {
		return err
	}
	placed := cluster.Partition(list, t.h.cfg.Cluster.Partitions)
	t.mu.Lock()
	t.placed = placed
	t.mu.Unlock()
	return nil
}

// endpointOf names what a device is reached through, in one way however it is
// written; shared is false where that is a line of this machine.
func endpointOf(u *url.URL) (endpoint string, shared bool) {
	if u.Host == "" {
		return u.Path, false
	}
	port := u.Port()
	if port == "" {
		switch u.Scheme {
		case "opc.tcp":
			port = "4840"
		case "modbus+tls":
			port = "802"
		default:
			port = "502"
		}
	}
	return net.JoinHostPort(strings.ToLower(u.Hostname()), port), true
}

// gate is what polling asks before every turn and request.
func (t *tenancy) gate() bool { return t.member != nil && t.member.Valid() }

// run polls what this host has leases of until ctx ends; then it gives all of
// it up in order.
func (t *tenancy) run(ctx context.Context) error {
	polling, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- t.h.poll(polling) }()
	select {
	case <-t.h.poller.Began():
	case err := <-ended:
		return err
	}
	err := t.member.Run(ctx)
	stop()
	return errors.Join(err, <-ended)
}

// acquire takes a partition on, whose lease this host has.
func (t *tenancy) acquire(ctx context.Context, partition int) (uint64, error) {
	token, err := t.claim(ctx, partition)
	if err != nil {
		return 0, err
	}
	lasting, end := context.WithCancel(context.WithoutCancel(ctx))
	n := &tenure{partition: partition, token: token, polled: true, end: end, ended: make(chan struct{})}
	t.mu.Lock()
	t.tenures[partition] = n
	t.wanted++
	t.mu.Unlock()
	go func() {
		defer close(n.ended)
		t.curves(lasting, n)
	}()
	_, err = t.apply()
	return token, err
}

// Bounds of the attempts to claim a partition: the stream of readings may be
// without a leader for some seconds.
const (
	claimTime = 15 * time.Second
	claimRest = 200 * time.Millisecond
)

// claim claims a partition in the stream, for as long as the lease holds.
func (t *tenancy) claim(ctx context.Context, partition int) (uint64, error) {
	limited, cancel := context.WithTimeout(ctx, claimTime)
	defer cancel()
	for {
		once, done := context.WithTimeout(limited, claimTime/5)
		token, err := t.h.stream.Claim(once, partition)
		done()
		if err == nil || limited.Err() != nil {
			return token, err
		}
		select {
		case <-time.After(claimRest):
		case <-limited.Done():
			return 0, err
		}
	}
}

// curveRest is the wait before curves of a partition are taken up again that
// could not be: the stream keeps the readings.
const curveRest = 5 * time.Second

// curves builds the curves of a partition until its tenure ends. A database
// that is away does not keep it from being polled.
func (t *tenancy) curves(ctx context.Context, n *tenure) {
	for {
		err := t.h.buildCurves(ctx, n.partition, n.token)
		switch {
		case errors.Is(err, curve.ErrFenced):
			if ctx.Err() == nil {
				t.lose(ctx, n, err)
			}
			return
		case ctx.Err() != nil:
			if err != nil {
				t.h.log.Warn("curves were not committed at the end; the next host reads on from the last commit", "partition", n.partition, "error", err)
			}
			return
		case err != nil:
			t.h.log.Error("curves are not built; trying again", "partition", n.partition, "error", err)
		}
		select {
		case <-time.After(curveRest):
		case <-ctx.Done():
			return
		}
	}
}

// lose drops a partition of which another host has the claim.
func (t *tenancy) lose(ctx context.Context, n *tenure, because error) {
	t.mu.Lock()
	first := !n.lost
	n.lost = true
	t.mu.Unlock()
	if first {
		t.member.Drop(ctx, n.partition, because)
	}
}

// flushTime bounds the wait for readings of a partition that is given up.
const flushTime = 9 * time.Second

// release gives a partition up: its devices are let go, what was read of them
// is published, and its curves are committed. Where it is lost only the first
// is waited for: the rest is refused anyway.
func (t *tenancy) release(ctx context.Context, partition int, lost bool) error {
	t.mu.Lock()
	n := t.tenures[partition]
	if n != nil {
		n.polled = false
		n.lost = n.lost || lost
		t.wanted++
	}
	t.mu.Unlock()
	if n == nil {
		return nil // it was not claimed
	}
	_, err := t.apply()
	problems := []error{err}
	if !lost {
		flush, cancel := context.WithTimeout(ctx, flushTime)
		problems = append(problems, t.h.poller.Flush(flush))
		cancel()
	}
	n.end()
	select {
	case <-n.ended:
	case <-ctx.Done():
		problems = append(problems, fmt.Errorf("curves of partition %d were not committed in time", partition))
	}
	t.mu.Lock()
	delete(t.tenures, partition)
	t.mu.Unlock()
	t.h.stream.Unclaim(partition, n.token)
	return errors.Join(problems...)
}

// apply has the poller read the devices of this host's partitions. Calls that
// come together are one change; the others' is zero.
func (t *tenancy) apply() (poll.Change, error) {
	t.mu.Lock()
	mine := t.wanted
	t.mu.Unlock()
	t.applying.Lock()
	defer t.applying.Unlock()
	if t.applied >= mine {
		return poll.Change{}, nil
	}
	t.mu.Lock()
	version := t.wanted
	devices := t.own(t.h.fleet.Load().devices)
	t.mu.Unlock()
	change, err := t.h.poller.Apply(devices)
	if err == nil {
		t.applied = version
	}
	return change, err
}

// own are the devices that this host polls; t.mu is held.
func (t *tenancy) own(all []drivers.Device) []drivers.Device {
	var out []drivers.Device
	for i := range all {
		p, known := t.placed[all[i].ID]
		if n := t.tenures[p]; known && n != nil && n.polled {
			out = append(out, all[i])
		}
	}
	return out
}

// publishers bounds how many partitions publish at once.
const publishers = 8

// publish is the poller's sink: readings go to the stream under the claim of
// their partition. Those of a partition that is another host's by now are
// dropped: nobody was told that they were kept.
func (t *tenancy) publish(ctx context.Context, readings []meter.Reading) error {
	byTenure := make(map[*tenure][]meter.Reading)
	t.mu.Lock()
	for i := range readings {
		p, known := t.placed[readings[i].DeviceID]
		n := t.tenures[p]
		if !known || n == nil || n.lost {
			t.dropped.Inc()
			continue
		}
		byTenure[n] = append(byTenure[n], readings[i])
	}
	t.mu.Unlock()
	var g errgroup.Group
	g.SetLimit(publishers)
	for n, list := range byTenure {
		g.Go(func() error {
			err := t.h.stream.PublishClaimed(ctx, n.partition, n.token, list)
			if errors.Is(err, stream.ErrClaimLost) {
				t.dropped.Add(float64(len(list)))
				t.h.log.Warn("the stream refused readings: the partition is another host's", "partition", n.partition, "token", n.token, "readings", len(list))
				t.lose(ctx, n, err)
				return nil
			}
			return err
		})
	}
	return g.Wait() //nolint:wrapcheck // wrapped above
}

// replace takes other devices from now on, or keeps those before where the
// error is not nil.
func (t *tenancy) replace(devices []drivers.Device) (poll.Change, error) {
	t.mu.Lock()
	placed, fleet := t.placed, t.h.fleet.Load()
	t.mu.Unlock()
	if err := t.place(devices); err != nil {
		return poll.Change{}, err
	}
	t.h.setFleet(devices)
	t.mu.Lock()
	t.wanted++
	digest := cluster.Digest(t.placed)
	t.mu.Unlock()
	change, err := t.apply()
	if err != nil {
		t.h.fleet.Store(fleet)
		t.mu.Lock()
		t.placed = placed
		t.mu.Unlock()
		return poll.Change{}, err
	}
	t.member.Announce(digest)
	return change, nil
}

// applyDevices has other devices polled while everything else goes on.
func (h *Host) applyDevices(devices []drivers.Device) (poll.Change, error) {
	if h.tenancy != nil {
		return h.tenancy.replace(devices)
	}
	h.setFleet(devices)
	return h.poller.Apply(devices)
}
