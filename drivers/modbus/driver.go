package modbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
)

// Schemes of device URLs.
const (
	schemeTCP        = "modbus"         // modbus://host:port/unit
	schemeRTUOverTCP = "modbus+rtu+tcp" // modbus+rtu+tcp://host:port/unit
)

// Device options.
const (
	optConnections = "connections"
	optPipeline    = "pipeline"
)

const (
	defaultPort    = "502"
	defaultTimeout = time.Second
	maxConnections = 16

	// defaultConnections is how many connections a gateway may be tried with
	// where no option says so. It begins with one.
	defaultConnections = 4
	maxPipeline        = 32
)

// Options are the driver's settings. The zero value is right in service.
type Options struct {
	Timeout    time.Duration // of one request, where the device sets none; 1 s where zero
	MinBackoff time.Duration // first wait after a second failure to connect; 250 ms where zero
	MaxBackoff time.Duration // longest wait between attempts, and between probes of a silent unit; 15 s where zero

	// Dial makes connections; net.Dialer's where nil.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Now is the clock of backoffs; time.Now where nil.
	Now func() time.Time
}

// Driver reads Modbus devices. Its sessions share connections by host and
// port, and serial lines by the path of the port.
type Driver struct {
	opts    Options
	buffers buffers
	gate    func() bool // nil: always open

	mu       sync.Mutex
	gateways map[string]*gateway // by scheme and address
	engine   *engine             // while there are gateways
	plans    map[*profile.Profile][]groupPlan
	adapted  map[adaptation]*profile.Profile
}

// adaptation is what makes a profile that of a device with another base or
// order.
type adaptation struct {
	profile     *profile.Profile
	base, order string
}

// New returns a driver. Close it after its sessions.
func New(opts Options) *Driver {
	if opts.Timeout == 0 {
		opts.Timeout = defaultTimeout
	}
	if opts.MinBackoff == 0 {
		opts.MinBackoff = 250 * time.Millisecond
	}
	if opts.MaxBackoff == 0 {
		opts.MaxBackoff = 15 * time.Second
	}
	if opts.Dial == nil {
		opts.Dial = new(net.Dialer).DialContext
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &Driver{opts: opts, gateways: make(map[string]*gateway), plans: make(map[*profile.Profile][]groupPlan), adapted: make(map[adaptation]*profile.Profile)}
}

// Gate implements drivers.Gated.
func (d *Driver) Gate(open func() bool) { d.gate = open }

// Name implements drivers.Driver.
func (d *Driver) Name() string { return "modbus" }

// Schemes implements drivers.Driver.
func (d *Driver) Schemes() []string {
	return []string{schemeTCP, schemeTLS, schemeRTUOverTCP, schemeRTU}
}

// Check implements drivers.Driver.
func (d *Driver) Check(dev drivers.Device) error {
	_, targetErr := target(dev)
	_, optsErr := d.gatewayOptions(dev)
	err := dev.Check(profile.ProtocolModbus, optionsOf(dev)...)
	if dev.Mode == drivers.Subscribe {
		err = errors.Join(err, fmt.Errorf("device %s: Modbus has no subscriptions; remove mode or set it to poll", dev.ID))
	}
	var adaptErr error
	if err == nil {
		if _, adaptErr = dev.Profile.Adapted(dev.Options); adaptErr != nil {
			adaptErr = fmt.Errorf("device %s: %w", dev.ID, adaptErr)
		}
	}
	return errors.Join(err, targetErr, optsErr, adaptErr)
}

// Share implements drivers.Sharer: units behind one gateway share it.
func (d *Driver) Share(dev drivers.Device) drivers.Sharing {
	t, err := target(dev)
	if err != nil {
		return drivers.Sharing{Connection: dev.ID, Parallel: 1}
	}
	parallel := 1
	if o, err := d.gatewayOptions(dev); err == nil {
		parallel = o.connections * o.pipeline
		if t.framing() == mbap {
			parallel += mostLate // those of which no answer comes do not count
		}
	}
	return drivers.Sharing{Connection: t.key(), Parallel: parallel}
}

// Session implements drivers.Driver.
func (d *Driver) Session(dev drivers.Device) (drivers.Session, error) {
	if err := d.Check(dev); err != nil {
		return nil, err
	}
	t, err := target(dev)
	if err != nil {
		return nil, err
	}
	opts, err := d.gatewayOptions(dev)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.gateways[t.key()]
	if g == nil {
		g = d.open(t, opts)
	}
	if g.opts != opts {
		return nil, opts.differ(dev, t, g.opts)
	}
	if dev.Profile, err = d.adapt(dev); err != nil {
		return nil, err
	}
	s, err := newSession(d, g, dev, t)
	if err != nil {
		return nil, err
	}
	g.join(t.unit)
	return s, nil
}

// adapt returns the profile as the device's options change it, the same one
// for devices of the same options; d.mu is held.
func (d *Driver) adapt(dev drivers.Device) (*profile.Profile, error) {
	key := adaptation{dev.Profile, dev.Options[profile.OptionBase], dev.Options[profile.OptionOrder]}
	p := d.adapted[key]
	if p == nil {
		var err error
		if p, err = dev.Profile.Adapted(dev.Options); err != nil {
			return nil, fmt.Errorf("device %s: %w", dev.ID, err)
		}
		if p != dev.Profile {
			d.adapted[key] = p
		}
	}
	return p, nil
}

// plan returns the read plans of a profile; d.mu is held.
func (d *Driver) plan(p *profile.Profile) []groupPlan {
	plans, known := d.plans[p]
	if !known {
		plans = plansOf(p)
		d.plans[p] = plans
	}
	return plans
}

// open adds a gateway; d.mu is held.
func (d *Driver) open(t address, opts gatewayOptions) *gateway {
	g := newGateway(t.addr, opts)
	g.now, g.gate = d.opts.Now, d.gate
	dial := func(ctx context.Context) (net.Conn, error) { return d.opts.Dial(ctx, "tcp", t.addr) }
	switch t.scheme {
	case schemeRTU:
		g.line = serialLine(t.addr, opts.serial)
	case schemeRTUOverTCP:
		debts := newLedger(true)
		g.line = func(ctx context.Context) (link, error) {
			nc, err := dial(ctx)
			if err != nil {
				return nil, err
			}
			return newRTUConn(nc, debts), nil
		}
	case schemeTLS:
		g.dial = func(ctx context.Context) (net.Conn, error) { return dialTLS(ctx, d.opts.Dial, t.addr, t.tls) }
	default:
		g.dial = dial
	}
	if line := g.line; line != nil {
		g.line = func(ctx context.Context) (link, error) {
			l, err := line(ctx)
			if rtu, ok := l.(*rtuLink); ok {
				rtu.gate = d.gate
			}
			return l, err
		}
	}
	d.gateways[t.key()] = g
	if d.engine == nil {
		d.engine = newEngine()
	}
	g.engine = d.engine
	d.engine.sweeper.add(g)
	return g
}

// release drops one session's share in its gateway.
func (d *Driver) release(key string, g *gateway, unit byte) {
	d.mu.Lock()
	if g.leave(unit) > 0 || d.gateways[key] != g {
		d.mu.Unlock()
		return
	}
	delete(d.gateways, key)
	d.engine.sweeper.remove(g)
	if len(d.gateways) == 0 {
		clear(d.plans)
		clear(d.adapted)
	}
	var idle *engine
	if len(d.gateways) == 0 {
		idle, d.engine = d.engine, nil
	}
	d.mu.Unlock()
	g.close()
	if idle != nil {
		idle.close()
	}
}

// Close implements drivers.Driver.
func (d *Driver) Close() error {
	d.mu.Lock()
	open, e := d.gateways, d.engine
	d.gateways, d.engine = make(map[string]*gateway), nil
	d.mu.Unlock()
	for _, g := range open {
		g.close()
	}
	if e != nil {
		e.close()
	}
	return nil
}
