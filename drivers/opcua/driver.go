package opcua

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// parallel is how many devices of one endpoint may wait for their values at
// once. They wait for one request together, so the number costs nothing.
const parallel = 1024

// Driver reads OPC UA devices. Its sessions share a connection by endpoint.
type Driver struct {
	dialer *dialer
	gate   func() bool // nil: always open

	mu        sync.Mutex
	endpoints map[settings]*endpoint
}

// New returns a driver. Close it after its sessions.
func New(opts Options) *Driver {
	opts.setDefaults()
	return &Driver{dialer: &dialer{opts: opts}, endpoints: make(map[settings]*endpoint)}
}

// Name implements drivers.Driver.
func (d *Driver) Name() string { return "opcua" }

// Gate implements drivers.Gated: for reads. Subscriptions end with their device.
func (d *Driver) Gate(open func() bool) { d.gate = open }

// Schemes implements drivers.Driver.
func (d *Driver) Schemes() []string { return []string{scheme} }

// Check implements drivers.Driver.
func (d *Driver) Check(dev drivers.Device) error {
	err := dev.Check(profile.ProtocolOPCUA, append(dataOptionNames(), securityOptionNames()...)...)
	_, settingsErr := settingsOf(dev)
	_, dataErr := dataOptionsOf(dev)
	if dev.Profile != nil && dev.Profile.OPCUA != nil && dev.Options[optNode] == "" {
		for i := range dev.Profile.OPCUA.Points {
			if strings.Contains(dev.Profile.OPCUA.Points[i].Node, placeholder) {
				err = errors.Join(err, fmt.Errorf("device %s: profile %s needs the option %s; set it to what %s stands for in its node ids",
					dev.ID, dev.Profile.Name, optNode, placeholder))
				break
			}
		}
	}
	return errors.Join(err, settingsErr, dataErr)
}

// Share implements drivers.Sharer: devices of one endpoint are read together.
func (d *Driver) Share(dev drivers.Device) drivers.Sharing {
	s, err := settingsOf(dev)
	if err != nil {
		return drivers.Sharing{Connection: dev.ID, Parallel: 1}
	}
	connection := fmt.Sprint(s.url, " ", s.policy, " ", s.mode, " ", s.user)
	return drivers.Sharing{Connection: connection, Parallel: parallel, Together: true}
}

// Session implements drivers.Driver. The session is a drivers.Subscriber.
func (d *Driver) Session(dev drivers.Device) (drivers.Session, error) {
	if err := d.Check(dev); err != nil {
		return nil, err
	}
	s, err := settingsOf(dev)
	if err != nil {
		return nil, err
	}
	opts, err := dataOptionsOf(dev)
	if err != nil {
		return nil, err
	}
	if !s.none && d.dialer.opts.Own != nil { // made at the start, so that it can be given to the servers
		if _, err := d.dialer.own(); err != nil {
			return nil, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.endpoints[s]
	if e == nil {
		e = newEndpoint(s, d.dialer, d.gate)
		d.endpoints[s] = e
	}
	e.mu.Lock()
	e.refs++
	e.mu.Unlock()
	return newSession(d, e, dev, opts), nil
}

// release drops one session's share in its endpoint.
func (d *Driver) release(e *endpoint) {
	d.mu.Lock()
	e.mu.Lock()
	e.refs--
	last := e.refs == 0
	e.mu.Unlock()
	if last {
		delete(d.endpoints, e.settings)
	}
	d.mu.Unlock()
	if last {
		e.close()
	}
}

// Close implements drivers.Driver.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for s, e := range d.endpoints {
		e.close()
		delete(d.endpoints, s)
	}
	return nil
}

const placeholder = "{node}"

// session reads or subscribes one device.
type session struct {
	driver   *Driver
	endpoint *endpoint
	dev      drivers.Device
	opts     dataOptions
	nodes    []string   // of the profile's points
	groups   [][]string // of each group's points
	inGroup  []int      // group of each point
	timeout  time.Duration
	closed   bool
	notes    notes
	history  history
}

var (
	_ drivers.Sharer     = (*Driver)(nil)
	_ drivers.Subscriber = (*session)(nil)
	_ drivers.Observer   = (*session)(nil)
	_ drivers.Backfiller = (*session)(nil)
)

func newSession(d *Driver, e *endpoint, dev drivers.Device, opts dataOptions) *session {
	s := &session{driver: d, endpoint: e, dev: dev, opts: opts, timeout: dev.Timeout}
	if s.timeout == 0 {
		s.timeout = d.dialer.opts.Timeout
	}
	for i := range dev.Profile.OPCUA.Points {
		s.nodes = append(s.nodes, strings.ReplaceAll(dev.Profile.OPCUA.Points[i].Node, placeholder, dev.Options[optNode]))
	}
	s.inGroup = make([]int, len(s.nodes))
	for g, group := range dev.Profile.Groups() {
		var nodes []string
		for _, p := range group.Points {
			nodes = append(nodes, s.nodes[p])
			s.inGroup[p] = g
		}
		s.groups = append(s.groups, nodes)
	}
	return s
}

// Close implements drivers.Session.
func (s *session) Close() error {
	if !s.closed {
		s.closed = true
		s.driver.release(s.endpoint)
	}
	return nil
}

// Read implements drivers.Session: all points of the group in one call.
func (s *session) Read(ctx context.Context, group int) ([]meter.Reading, error) {
	var values []*ua.DataValue
	var took time.Duration
	err := drivers.ErrClosed
	if !s.closed {
		values, took, err = s.endpoint.read(ctx, s.groups[group], s.timeout)
	}
	got := receipt{at: time.Now().UTC(), took: took}
	if err != nil {
		err = fmt.Errorf("device %s: %w", s.dev.ID, err)
		return s.dev.Failed(group, got.at, meter.CommFailure, err.Error()), err
	}
	members := s.dev.Profile.Groups()[group].Points
	out := make([]meter.Reading, len(members))
	var failed []error
	for i, p := range members {
		out[i] = s.reading(p, values[i], got)
		if values[i] == nil || judgeStatus(values[i].Status).quality == meter.Bad {
			failed = append(failed, fmt.Errorf("device %s: %s", s.dev.ID, out[i].Detail))
		}
	}
	return out, errors.Join(failed...)
}

// Subscribe implements drivers.Subscriber.
func (s *session) Subscribe(ctx context.Context, fn func([]meter.Reading)) error {
	s.endpoint.subscribe(&subscriber{session: s, ctx: ctx, fn: fn})
	if ctx.Err() == nil {
		return fmt.Errorf("device %s: the driver was closed", s.dev.ID)
	}
	return nil
}

// Condition implements drivers.Observer.
func (s *session) Condition() drivers.Condition { return s.endpoint.condition() }

// Notes lists what an operator should know of the device beside its readings,
// a sentence each: what the server revised or does not offer, and its clock.
func (s *session) Notes() []string {
	list := s.notes.list()
	if text := s.endpoint.clock.problem(s.opts.maxClockOffset); text != "" {
		list = append(list, text)
	}
	return list
}

// ClockOffset returns how far the server's clock is ahead of ours, and
// whether that is known yet.
func (s *session) ClockOffset() (time.Duration, bool) { return s.endpoint.clock.known() }

func (s *session) failedPoint(i int, why string) meter.Reading {
	pt := &s.dev.Profile.OPCUA.Points[i]
	return s.dev.FailedPoint(pt.Quantity, time.Now().UTC(), meter.Missing,
		fmt.Sprintf("node %s: %s; compare the profile with the server's address space", s.nodes[i], why))
}

// notes are sentences about a device, one a subject.
type notes struct {
	mu   sync.Mutex
	text map[string]string
}

// set replaces what is said of a subject; "" says nothing any more.
func (n *notes) set(subject, text string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.text == nil {
		n.text = make(map[string]string)
	}
	if n.text[subject] = text; text == "" {
		delete(n.text, subject)
	}
}

func (n *notes) list() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var list []string
	for _, subject := range slices.Sorted(maps.Keys(n.text)) {
		list = append(list, n.text[subject])
	}
	return list
}
