package cluster

import (
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Host is one member as another sees it.
type Host struct {
	Name    string
	Started time.Time // by its own clock
	Address string    // of its console
	Version string
	Digest  string
	Live    bool // its heartbeat is younger than a lease
	Unfit   bool // it could not do what it was given, and is given nothing for a while
	Leaving bool
	Silent  time.Duration // since its heartbeat last changed
}

// Holding is one partition as a member sees it.
type Holding struct {
	Partition int
	Host      string // who holds it; "" nobody
	Token     uint64 // of its claim in the stream; 0 where there is none yet
	Since     time.Time
	Live      bool // the holder is
}

// State is the cluster as one member sees it.
type State struct {
	Host       string
	Valid      bool   // this host's lease holds
	Leader     string // "" where there is none
	Hosts      []Host // by name
	Partitions []Holding
	Owned      []int // by this host
}

// State returns the cluster as this host saw it last.
func (m *Member) State() State {
	s := *m.shown.Load()
	s.Host, s.Valid = m.cfg.Host, m.Valid()
	return s
}

// Members returns the hosts, those that are gone too for as long as their keys remain.
func (m *Member) Members() []Host { return m.shown.Load().Hosts }

// Owned returns the partitions that this host has acquired, in order. Whether
// that still holds Valid says.
func (m *Member) Owned() []int { return slices.Clone(m.shown.Load().Owned) }

// Leader reports whether this host leads: at most one does.
func (m *Member) Leader() bool { return m.Valid() && m.shown.Load().leads() && m.Valid() }

func (s *State) leads() bool { return s.Leader != "" && s.Leader == s.Host }

// tell shows what the loop knows.
func (m *Member) tell() {
	fell := m.fell
	m.fell = m.mind.fallen
	mind, now := m.mind, m.clock()
	s := &State{Host: m.cfg.Host, Partitions: make([]Holding, 0, m.cfg.Partitions)}
	for name, p := range mind.view.hosts {
		if p.deleted {
			continue
		}
		s.Hosts = append(s.Hosts, Host{
			Name: name, Started: p.Started, Address: p.Address, Version: p.Version, Digest: p.Digest,
			Live: !mind.view.gone(p.identity, now, mind.lease), Unfit: p.Unfit, Leaving: p.Leaving, Silent: now - p.seen,
		})
	}
	slices.SortFunc(s.Hosts, func(a, b Host) int { return strings.Compare(a.Name, b.Name) })
	for i := range mind.slots {
		h := &mind.view.holds[i]
		owned := mind.slots[i].state == slotHeld && !mind.slots[i].lost && !mind.slots[i].quit
		if i == m.cfg.Partitions {
			if h.Host != m.cfg.Host || owned && mind.mine(i) {
				s.Leader = h.Host
			}
			break
		}
		if owned {
			s.Owned = append(s.Owned, i)
		}
		s.Partitions = append(s.Partitions, Holding{
			Partition: i, Host: h.Host, Token: h.Token, Since: h.Since,
			Live: h.Host != "" && !mind.view.gone(h.identity, now, mind.lease),
		})
	}
	m.shown.Store(s)
	switch {
	case !fell && mind.fallen:
		m.count.lapses.Add(1)
		m.log.Warn("the lease ran out: nothing is polled until it is renewed and what was held is proven to be ours",
			"lease", m.cfg.Lease, "since", now-mind.until)
	case fell && !mind.fallen:
		m.log.Info("the lease holds", "partitions", len(s.Owned))
	}
}

// counts are this member's metrics.
type counts struct {
	acquired, released, lost, lapses atomic.Uint64
	list                             []prometheus.Collector
}

func (c *counts) register(m *Member, reg prometheus.Registerer) error {
	if reg == nil {
		return nil
	}
	gauge := func(name, help string, value func() float64) {
		c.list = append(c.list, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value))
	}
	truth := func(b bool) float64 {
		if b {
			return 1
		}
		return 0
	}
	gauge("gridwarden_cluster_lease_valid", "1 while this host's lease holds.", func() float64 { return truth(m.Valid()) })
	gauge("gridwarden_cluster_leader", "1 at the host that leads.", func() float64 { return truth(m.Leader()) })
	gauge("gridwarden_cluster_partitions", "Partitions that this host holds.", func() float64 { return float64(len(m.shown.Load().Owned)) })
	gauge("gridwarden_cluster_hosts", "Hosts whose heartbeat this one sees.", func() float64 {
		n := 0
		for _, h := range m.Members() {
			if h.Live {
				n++
			}
		}
		return float64(n)
	})
	for what, n := range map[string]*atomic.Uint64{"acquired": &c.acquired, "released": &c.released, "lost": &c.lost} {
		c.list = append(c.list, prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "gridwarden_cluster_moves_total", Help: "Partitions that this host acquired, released in order, or lost.",
			ConstLabels: prometheus.Labels{"move": what},
		}, func() float64 { return float64(n.Load()) }))
	}
	c.list = append(c.list, prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "gridwarden_cluster_lapses_total", Help: "How often this host's lease ran out.",
	}, func() float64 { return float64(c.lapses.Load()) }))
	var errs []error
	for _, l := range c.list {
		errs = append(errs, reg.Register(l))
	}
	return errors.Join(errs...)
}

func (c *counts) unregister(reg prometheus.Registerer) {
	for _, l := range c.list {
		reg.Unregister(l)
	}
}
