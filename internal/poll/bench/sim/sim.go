package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/internal/poll/bench/fleet"
)

// options are the flags.
type options struct {
	host            string
	ports, base     int
	gateway         int // first port of the gateways; 0: none
	gateways, units int
	firstDevice     int
	registers       int
	latency         time.Duration
	faults          fleet.Faults
	bus             bool
	slaveTimeout    time.Duration
	stats           string
	loops           int
}

func (o *options) gatewayCount() int {
	if o.gateway == 0 {
		return 0
	}
	return o.gateways
}

func (o *options) check() error {
	var list []error
	bad := func(format string, args ...any) { list = append(list, fmt.Errorf(format, args...)) }
	f := o.faults
	if f.Stall < 0 || f.Exceptions < 0 || f.Flap < 0 || f.Stall+f.Exceptions+f.Flap > 1 {
		bad("-stall, -exc and -flap are fractions from 0 to 1, together at most 1")
	}
	if o.units < 1 || o.units > 255 {
		bad("-units %d; give 1 to 255", o.units)
	}
	if o.loops < 1 || o.loops > 64 {
		bad("-loops %d; give 1 to 64", o.loops)
	}
	if o.ports < 0 || o.gateways < 1 || o.firstDevice < 0 || o.ports == 0 && o.gateway == 0 {
		bad("no devices: give -ports N or -gateway PORT")
	}
	return errors.Join(list...)
}

// run serves until ctx ends. ready is called once everything listens.
func run(ctx context.Context, o *options, ready func(statsAddress string)) error {
	loops, err := open(o)
	if err != nil {
		for _, l := range loops {
			l.stop()
			err = errors.Join(err, l.release())
		}
		return err
	}
	var (
		served  sync.WaitGroup
		mu      sync.Mutex
		failure error
	)
	for _, l := range loops {
		served.Go(func() {
			if err := l.run(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				failure = errors.Join(failure, err)
			}
		})
	}
	err = serveStats(ctx, o.stats, loops, ready)
	for _, l := range loops {
		l.stop()
	}
	served.Wait()
	return errors.Join(err, failure)
}

// open makes the loops and their listeners; after an error those made so far
// are to be released. Listeners go round the loops; a gateway's connections
// are all in one.
func open(o *options) ([]*loop, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	host, err := netip.ParseAddr(o.host)
	if err != nil || !host.Is4() {
		return nil, fmt.Errorf("-host %q; give an IPv4 address such as 127.0.0.1", o.host)
	}
	var loops []*loop
	for range o.loops {
		l, err := newLoop(o, max(o.ports, o.gatewayCount()*o.units+1))
		if err != nil {
			return loops, err
		}
		loops = append(loops, l)
	}
	for i := range o.ports {
		if _, err := loops[i%o.loops].listen(host.As4(), o.base+i, &site{first: o.firstDevice + i}); err != nil {
			return loops, err
		}
	}
	for i := range o.gatewayCount() {
		s := &site{first: o.firstDevice + i*o.units, gateway: true, units: o.units}
		if o.bus {
			s.line = new(line)
		}
		if _, err := loops[i%o.loops].listen(host.As4(), o.gateway+i, s); err != nil {
			return loops, err
		}
	}
	return loops, nil
}

// serveStats serves the counters until ctx ends.
func serveStats(ctx context.Context, address string, loops []*loop, ready func(string)) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(statsOf(loops)) // the asker has gone
	})
	mux.HandleFunc("GET /reset", func(w http.ResponseWriter, _ *http.Request) {
		for _, l := range loops {
			l.mu.Lock()
			l.counters.reset()
			l.mu.Unlock()
		}
		fmt.Fprintln(w, "ok")
	})
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("counters: %w; choose another address with -stats", err)
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	closeAtEnd := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer closeAtEnd()
	ready(listener.Addr().String())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("counters: %w", err)
	}
	return nil
}

func statsOf(loops []*loop) Stats {
	list := make([]*counters, 0, len(loops))
	for _, l := range loops {
		l.mu.Lock()
		defer l.mu.Unlock()
		list = append(list, &l.counters)
	}
	return sum(list)
}
