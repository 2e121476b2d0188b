package modbus

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/goburrow/modbus"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// session reads one unit.
type session struct {
	driver  *Driver
	gateway *gateway
	dev     drivers.Device
	at      address
	timeout time.Duration
	client  modbus.Client
	ctx     context.Context // of the Read under way; goburrow's Transporter takes none
	closed  bool

	unanswered int       // requests in a row without an answer that could be used
	probeAt    time.Time // a unit that fails on a shared gateway is left alone until then
	lastErr    error
}

func newSession(d *Driver, g *gateway, dev drivers.Device, at address) *session {
	s := &session{driver: d, gateway: g, dev: dev, at: at, timeout: dev.Timeout}
	if s.timeout == 0 {
		s.timeout = d.opts.Timeout
	}
	packager := tcpPackager(at.unit)
	if at.scheme == schemeRTUOverTCP {
		packager = rtuPackager(at.unit)
	}
	s.client = modbus.NewClient2(packager, s)
	return s
}

// Send implements goburrow's Transporter.
func (s *session) Send(request []byte) ([]byte, error) {
	return s.gateway.exchange(s.ctx, s.at.unit, s.timeout, request)
}

// Close implements drivers.Session.
func (s *session) Close() error {
	if !s.closed {
		s.closed = true
		s.driver.release(s.at.key(), s.gateway, s.at.unit)
	}
	return nil
}

// Read implements drivers.Session. Blocks are read one after the other; once
// the unit is silent or the connection gone, the rest is not tried.
func (s *session) Read(ctx context.Context, group int) ([]meter.Reading, error) {
	if s.closed {
		err := fmt.Errorf("device %s: %w", s.dev.ID, drivers.ErrClosed)
		return s.dev.Failed(group, time.Now().UTC(), meter.CommFailure, detail(err)), err
	}
	now := s.driver.opts.Now()
	if wait := s.probeAt.Sub(now); wait > 0 {
		err := fmt.Errorf("device %s: %w", s.dev.ID, &waitError{what: fmt.Sprintf("unit %d is left alone", s.at.unit), wait: wait, err: s.lastErr})
		return s.dev.Failed(group, time.Now().UTC(), meter.CommFailure, detail(err)), err
	}
	s.ctx = ctx
	mb := s.dev.Profile.Modbus
	points := s.dev.Profile.Groups()[group].Points
	out := make([]meter.Reading, len(points))
	place := make(map[int]int, len(points))
	for i, p := range points {
		place[p] = i
	}
	blocks := mb.Blocks(group)
	var failed []error
	gone := false
	for i := range blocks {
		b := &blocks[i]
		var answer []byte
		err := errSkipped
		if !gone {
			answer, err = s.block(b)
		}
		received := time.Now().UTC()
		if err != nil {
			if !errors.Is(err, errSkipped) {
				err = s.explain(b, err)
				failed = append(failed, err)
				gone = !answered(err)
			}
			for _, p := range b.Points {
				out[place[p]] = s.dev.FailedPoint(mb.Points[p].Quantity, received, flagsOf(err), detail(failed[len(failed)-1]))
			}
			continue
		}
		for _, p := range b.Points {
			pt := &mb.Points[p]
			raw := b.Bytes(answer, pt)
			out[place[p]] = s.dev.Reading(pt.Quantity, pt.Side, pt.Decode(raw), received, received, raw)
		}
	}
	return out, errors.Join(failed...)
}

var errSkipped = errors.New("not tried after the failure before")

// block reads one block.
func (s *session) block(b *profile.Block) ([]byte, error) {
	read := s.client.ReadHoldingRegisters
	if b.Table == profile.Input {
		read = s.client.ReadInputRegisters
	}
	answer, err := read(b.Address, b.Count)
	s.observe(err)
	return answer, err
}

// observe keeps a unit that does not answer, or over whose answers the
// connection breaks, from holding up the others behind its gateway: after two
// such requests it is probed at growing intervals only.
func (s *session) observe(err error) {
	if err == nil || answered(err) {
		s.unanswered, s.probeAt, s.lastErr = 0, time.Time{}, nil
		return
	}
	if !unitSilent(err) && !errors.Is(err, errGarbled) && !errors.Is(err, errClosed) {
		return // the gateway could not be reached; that is not the unit's doing
	}
	var wait *waitError
	if errors.As(err, &wait) {
		return
	}
	s.unanswered++
	s.lastErr = err
	if s.unanswered >= 2 && s.gateway.shared() {
		pause := backoff(s.unanswered-1, firstProbe, s.driver.opts.MaxBackoff)
		s.probeAt = s.driver.opts.Now().Add(pause)
	}
}

// firstProbe is how long a unit is left alone when it stops answering.
const firstProbe = 2 * time.Second

// Exceptions by which a gateway says that the unit behind it did not answer.
func unitSilent(err error) bool {
	if errors.Is(err, errSilent) {
		return true
	}
	var ex *modbus.ModbusError
	return errors.As(err, &ex) && (ex.ExceptionCode == modbus.ExceptionCodeGatewayPathUnavailable ||
		ex.ExceptionCode == modbus.ExceptionCodeGatewayTargetDeviceFailedToRespond)
}

// answered reports whether err is the device's own refusal.
func answered(err error) bool {
	var ex *modbus.ModbusError
	return errors.As(err, &ex) && !unitSilent(err)
}

func flagsOf(err error) meter.Flags {
	if answered(err) {
		return meter.Missing
	}
	return meter.CommFailure
}

// explain says which device and registers failed, and what to do.
func (s *session) explain(b *profile.Block, err error) error {
	mend := "check host, port and network"
	var (
		ex   *modbus.ModbusError
		wait *waitError
	)
	switch {
	case errors.As(err, &wait):
		return fmt.Errorf("device %s: %w", s.dev.ID, err)
	case errors.Is(err, errSilent):
		err = fmt.Errorf("unit %d: %w (%v)", s.at.unit, err, s.timeout)
		mend = "check unit number, wiring and power"
	case errors.As(err, &ex):
		switch ex.ExceptionCode {
		case modbus.ExceptionCodeIllegalFunction, modbus.ExceptionCodeIllegalDataAddress, modbus.ExceptionCodeIllegalDataValue:
			mend = "compare the profile with the device's register map"
		case modbus.ExceptionCodeGatewayPathUnavailable, modbus.ExceptionCodeGatewayTargetDeviceFailedToRespond:
			mend = "check unit number, wiring and power"
		default:
			mend = "the device reports it; look at the device"
		}
	case errors.Is(err, errGarbled):
		mend = "the device or gateway breaks the protocol; check its firmware and that nobody else shares its line"
	}
	return fmt.Errorf("device %s: %s registers %d to %d: %w; %s",
		s.dev.ID, b.Table, b.Address, int(b.Address)+int(b.Count)-1, err, mend)
}

// detail is the text of err without goburrow's own prefix, on one line.
func detail(err error) string {
	return strings.ReplaceAll(strings.TrimPrefix(err.Error(), "modbus: "), "\n", "; ")
}
