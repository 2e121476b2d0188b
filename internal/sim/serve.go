package sim

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// TransformerUnit is the unit id of the transformer's own meter on its gateway.
const TransformerUnit = 247

// ServeOptions says how the district is served. The zero value serves all of
// it on free ports of the loopback interface.
type ServeOptions struct {
	Host         string           // 127.0.0.1 where empty
	BasePort     int              // first of consecutive ports: gateways, then OPC UA; 0: any free ones
	Transformers []string         // only these gateways and monitors; all where empty
	WithoutOPCUA bool             //
	Faults       map[string]Fault // by device id
	Now          func() time.Time // time.Now where nil
	// OnServe is told of each answer after it was made, from the goroutine
	// that made it. It must be quick and safe for concurrent use.
	OnServe func(Served)
}

// Fault is how a device misbehaves. The zero value is a healthy one.
type Fault struct {
	Silent           bool          // never answers
	Exception        byte          // answers with this Modbus exception
	Delay            time.Duration // answers late; the gateway waits for it
	WrongTransaction bool          // answers with another transaction id
	Truncated        bool          // sends half a frame
}

// Served is one answer that went out.
type Served struct {
	DeviceID, MeterID string
	At                time.Time // whole second for which the values hold
	// Values are decoded from the very registers or variants that were sent.
	Values map[meter.Quantity]float64
}

// Device is a device that can be polled.
type Device struct {
	ID      string
	URL     string // modbus://host:port/unit, opc.tcp://host:port
	Profile string // name of one of Profiles
	MeterID string
	Driver  string // modbus, opcua
	Mode    string // poll, subscribe
	Options map[string]string
}

// Server serves the district live.
type Server struct {
	opt      ServeOptions
	live     *live
	devices  []Device
	gateways []*gateway
	ua       *uaServer
	cancel   context.CancelFunc
	wg       sync.WaitGroup
	once     sync.Once
	closeErr error

	mu     sync.RWMutex
	faults map[string]Fault
}

// Serve starts a Modbus TCP gateway for each transformer, its meters as units
// 1 … n and its own meter as unit 247, and an OPC UA server for the
// substation and the transformers' monitors. It returns once all of them
// listen; they stop with ctx or Close.
func (d *District) Serve(ctx context.Context, opt ServeOptions) (*Server, error) {
	if opt.Host == "" {
		opt.Host = "127.0.0.1"
	}
	if opt.Now == nil {
		opt.Now = time.Now
	}
	profiles, err := profile.LoadFS(Profiles())
	if err != nil {
		return nil, fmt.Errorf("sim: own profiles: %w", err)
	}
	l, err := newLive(ctx, d, opt.Now())
	if err != nil {
		return nil, fmt.Errorf("sim: registers up to now: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	s := &Server{opt: opt, live: l, cancel: cancel, faults: make(map[string]Fault)}
	for id, f := range opt.Faults {
		s.faults[id] = f
	}
	if err := s.start(ctx, profiles); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	context.AfterFunc(ctx, s.shutdown)
	return s, nil
}

func (s *Server) start(ctx context.Context, profiles map[string]*profile.Profile) error {
	port := s.opt.BasePort
	next := func() int {
		if port == 0 {
			return 0
		}
		port++
		return port - 1
	}
	var served []int
	for i, a := range s.live.d.areas {
		if !s.wants(a.id) {
			continue
		}
		served = append(served, i)
		if err := s.startGateway(ctx, i, next(), profiles); err != nil {
			return err
		}
	}
	if len(served) == 0 {
		return fmt.Errorf("sim: no transformer is named %v; they are called like %s", s.opt.Transformers, s.live.d.areas[0].id)
	}
	known := served
	if !s.opt.WithoutOPCUA { // the substation is the sum of all
		known = make([]int, len(s.live.areas))
		for i := range known {
			known[i] = i
		}
	}
	if err := s.live.warm(ctx, known, curve.DateOf(s.second())); err != nil {
		return fmt.Errorf("sim: %w", err)
	}
	s.wg.Add(1)
	go s.ahead(ctx, known)
	if s.opt.WithoutOPCUA {
		return nil
	}
	return s.startUA(ctx, served, next(), profiles)
}

// ahead computes tomorrow some minutes before it begins.
func (s *Server) ahead(ctx context.Context, areas []int) {
	defer s.wg.Done()
	for sleep(ctx, time.Minute) {
		if soon := curve.DateOf(s.second().Add(5 * time.Minute)); soon != curve.DateOf(s.second()) {
			_ = s.live.warm(ctx, areas, soon) // fails only when ctx ends
		}
	}
}

func (s *Server) wants(id string) bool {
	for _, t := range s.opt.Transformers {
		if t == id {
			return true
		}
	}
	return len(s.opt.Transformers) == 0
}

func (s *Server) startGateway(ctx context.Context, i, port int, profiles map[string]*profile.Profile) error {
	a := s.live.d.areas[i]
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", fmt.Sprintf("%s:%d", s.opt.Host, port))
	if err != nil {
		return fmt.Errorf("sim: gateway of %s: %w; choose another base port or 0", a.id, err)
	}
	g := &gateway{server: s, listener: listener, units: make(map[byte]*station), conns: make(map[net.Conn]struct{})}
	add := func(unit byte, meterID, name string, at func(time.Time) values) {
		dev := &Device{
			ID: meterID, MeterID: meterID, Profile: name, Driver: "modbus", Mode: "poll",
			URL: fmt.Sprintf("modbus://%s/%d", listener.Addr(), unit),
		}
		s.devices = append(s.devices, *dev)
		g.units[unit] = &station{device: dev, profile: profiles[name].Modbus, values: at}
	}
	for k, p := range a.points {
		add(byte(k+1), p.meterID, p.profileName(), func(t time.Time) values { return s.live.atPoint(i, k, t) })
	}
	add(TransformerUnit, a.meterID, profileTransformer, func(t time.Time) values { return s.live.atTransformer(i, t) })
	s.gateways = append(s.gateways, g)
	g.wg.Add(1)
	go g.serve(ctx)
	return nil
}

// profileName is the make of the point's meter: two makes for each number of
// phases.
func (p *point) profileName() string {
	old := unit(p.seed, streamRecords, 9) < .5
	switch {
	case p.phase != "ABC" && old:
		return profile1PInt
	case p.phase != "ABC":
		return profile1PFloat
	case old:
		return profile3PInt
	}
	return profile3PFloat
}

// Devices lists everything that can be polled.
func (s *Server) Devices() []Device { return append([]Device(nil), s.devices...) }

// SetFault makes a device misbehave from now on; the zero Fault heals it.
func (s *Server) SetFault(deviceID string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[deviceID] = f
}

func (s *Server) fault(deviceID string) Fault {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.faults[deviceID]
}

// second is the whole second of now.
func (s *Server) second() time.Time { return s.opt.Now().UTC().Truncate(time.Second) }

func (s *Server) served(v Served) {
	if s.opt.OnServe != nil && len(v.Values) > 0 {
		s.opt.OnServe(v)
	}
}

// Close stops all servers and waits for their goroutines.
func (s *Server) Close() error {
	s.cancel()
	s.shutdown()
	return s.closeErr
}

// shutdown ends everything once; a second caller waits for the first.
func (s *Server) shutdown() {
	s.once.Do(func() {
		var errs []error
		for _, g := range s.gateways {
			errs = append(errs, g.close())
		}
		if s.ua != nil {
			errs = append(errs, s.ua.close())
		}
		s.wg.Wait()
		s.closeErr = errors.Join(errs...)
	})
}
