package cluster

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
)

// Defaults of Config.
const (
	DefaultBucket     = "GRIDWARDEN_CLUSTER"
	DefaultPartitions = 64
	DefaultLease      = 5 * time.Second
	ShortestLease     = time.Second
)

// Config is what a member of a cluster needs.
type Config struct {
	JetStream  jetstream.JetStream
	Host       string        // this host's name, unlike all others: letters, digits, - and _
	Partitions int           // the same at all hosts
	Lease      time.Duration // a host that is silent for so long has lost what it held
	Replicas   int           // of the bucket; 1 where zero
	Bucket     string        // DefaultBucket where empty

	Address string // of the console, shown to others
	Version string // of the program, shown to others
	Digest  string // of what must be the same at all hosts, such as the devices; others are warned where it differs

	// Acquire begins what a partition means, and returns the fencing token
	// under which it does. The lease is held already. Several may run at once.
	// An error gives the partition up, to be tried again later, here or
	// elsewhere. ctx ends when the lease does.
	Acquire func(ctx context.Context, partition int) (token uint64, err error)
	// Release ends it: when it returns, nothing is done any more. Where lost
	// is true the lease has run out or another host has the partition; then
	// what cannot be finished at once must be dropped. It is called once for
	// every Acquire, also for one that failed, and must return before ctx ends.
	Release func(ctx context.Context, partition int, lost bool) error

	Logger  *slog.Logger          // slog.Default() where nil
	Metrics prometheus.Registerer // none where nil
	Now     func() time.Time      // only for what is shown; time.Now where nil
}

var nameForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

func (c *Config) setDefaults() {
	if c.Partitions == 0 {
		c.Partitions = DefaultPartitions
	}
	if c.Lease == 0 {
		c.Lease = DefaultLease
	}
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Bucket == "" {
		c.Bucket = DefaultBucket
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
}

func (c *Config) check() error {
	switch {
	case c.JetStream == nil || c.Acquire == nil || c.Release == nil:
		return errors.New("cluster: JetStream, Acquire and Release must be set")
	case !nameForm.MatchString(c.Host):
		return fmt.Errorf("cluster: host %q; use 1 to 64 letters, digits, - and _", c.Host)
	case c.Partitions < 1:
		return fmt.Errorf("cluster: %d partitions; give at least 1", c.Partitions)
	case c.Lease < ShortestLease:
		return fmt.Errorf("cluster: a lease of %v; give at least %v", c.Lease, ShortestLease)
	}
	return nil
}

// timing is what follows from the length of the lease.
type timing struct {
	lease   time.Duration
	margin  time.Duration // a holder stops so much before others may begin
	every   time.Duration // between two heartbeats
	timeout time.Duration // of one write to the bucket
	settle  time.Duration // a host that came is given nothing before
	stale   time.Duration // the view is read anew where it has not shown our heartbeat for so long
	pause   time.Duration // a host that could not acquire is given nothing for so long
	moves   int           // acquired or released at once
}

func timingOf(lease time.Duration) timing {
	return timing{
		lease: lease, margin: lease / 5, every: lease / 8, timeout: lease / 4,
		settle: lease / 4, stale: lease / 2, pause: 6 * lease, moves: 16,
	}
}
