package probe

import (
	"context"
	"encoding/binary"

	"io"
	"net"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// place is a register or bit of a device.
type place struct {
	function byte
	address  uint16
}

// device is a Modbus/TCP server with registers of its own. A read that touches
// a register that it does not have is refused.
type device struct {
	ln    net.Listener
	group sync.WaitGroup
	ctx   context.Context
	end   context.CancelFunc

	mu       sync.Mutex
	cells    map[place]uint16
	any      func(place) uint16 // of registers that are not in cells; nil: refused
	silent   func(place) bool
	requests int
}

func newDevice(t *testing.T) *device {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(t.Context())
	d := &device{ln: ln, ctx: ctx, end: end, cells: make(map[place]uint16)}
	d.group.Go(d.serve)
	t.Cleanup(func() {
		end()
		_ = ln.Close()
		d.group.Wait()
	})
	return d
}

func (d *device) url(t *testing.T) *url.URL {
	t.Helper()
	u, err := url.Parse("modbus://" + d.ln.Addr().String() + "/1")
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func (d *device) serve() {
	for {
		c, err := d.ln.Accept()
		if err != nil {
			return
		}
		stop := context.AfterFunc(d.ctx, func() { _ = c.Close() })
		d.group.Go(func() {
			defer stop()
			defer func() { _ = c.Close() }()
			d.talk(c)
		})
	}
}

func (d *device) talk(c net.Conn) {
	var q [12]byte
	for {
		if _, err := io.ReadFull(c, q[:]); err != nil {
			return
		}
		pdu := d.answer(q[7], binary.BigEndian.Uint16(q[8:]), binary.BigEndian.Uint16(q[10:]))
		if pdu == nil {
			continue
		}
		frame := append([]byte{q[0], q[1], 0, 0}, binary.BigEndian.AppendUint16(nil, uint16(len(pdu)+1))...)
		if _, err := c.Write(append(append(frame, q[6]), pdu...)); err != nil {
			return
		}
	}
}

func (d *device) answer(function byte, address, count uint16) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.requests++
	if d.silent != nil && d.silent(place{function, address}) {
		return nil
	}
	var data []byte
	if function < 3 {
		data = make([]byte, (count+7)/8)
	}
	for i := range count {
		at := place{function, address + i}
		v, there := d.cells[at]
		if !there {
			if d.any == nil {
				return []byte{function | 0x80, 2}
			}
			v = d.any(at)
		}
		if function < 3 {
			data[i/8] |= byte(v&1) << (i % 8)
		} else {
			data = binary.BigEndian.AppendUint16(data, v)
		}
	}
	return append([]byte{function, byte(len(data))}, data...)
}

// lay puts values into the registers of a profile, and zeros into what lies
// between them.
func (d *device) lay(t *testing.T, p *profile.Profile, values map[meter.Quantity]float64) {
	t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	for group := range p.Groups() {
		blocks := p.Modbus.Blocks(group)
		for i := range blocks {
			b := &blocks[i]
			for k := range int(b.Count) {
				at := place{b.Table.Function(), b.Address + uint16(k)}
				if _, there := d.cells[at]; !there {
					d.cells[at] = 0
				}
			}
			for k := range b.Points {
				d.put(t, b.Point(k), values)
			}
		}
	}
}

func (d *device) put(t *testing.T, pt *profile.ModbusPoint, values map[meter.Quantity]float64) {
	t.Helper()
	v, known := values[pt.Quantity]
	if !known {
		return
	}
	var raw []byte
	var err error
	if pt.Exponent != nil {
		raw, err = pt.EncodeExponent(v, exponentOf(pt.Quantity))
	} else {
		raw, err = pt.Encode(v)
	}
	if err != nil {
		t.Fatal(err)
	}
	at := func(address int) place { return place{pt.Table.Function(), uint16(address)} }
	if pt.Table.Bits() {
		d.cells[at(int(pt.Address))] = uint16(raw[0])
		return
	}
	for k := range pt.Registers() {
		d.cells[at(int(pt.Address)+k)] = binary.BigEndian.Uint16(raw[2*k:])
	}
	if pt.Exponent != nil {
		d.cells[at(int(*pt.Exponent))] = binary.BigEndian.Uint16(raw[len(raw)-2:])
	}
}

// identify puts what a profile knows a device by into its registers: codes, and
// texts that are their own pattern.
func (d *device) identify(p *profile.Profile) {
	for i := range p.Modbus.Identity {
		id := &p.Modbus.Identity[i]
		var words []uint16
		if len(id.Codes) > 0 && id.Encoding == profile.Uint16 {
			words = []uint16{uint16(id.Codes[0])}
		} else if text := strings.Trim(id.Match, "^$"); text != "" && regexp.MustCompile(id.Match).MatchString(text) {
			raw := append([]byte(text), make([]byte, 2*id.Length)...)
			for k := range id.Length {
				words = append(words, binary.BigEndian.Uint16(raw[2*k:]))
			}
		}
		for k := range words {
			if id.Order == profile.BADC || id.Order == profile.DCBA {
				words[k] = words[k]<<8 | words[k]>>8
			}
		}
		d.set(id.Table.Function(), id.Address, words...)
	}
}

// exponentOf is the power of ten that a SunSpec meter may use for a quantity.
func exponentOf(q meter.Quantity) int {
	switch q.Unit() {
	case meter.Volt:
		return -1
	case meter.Hertz, meter.Ampere, meter.One:
		return -2
	}
	return 0
}

func (d *device) set(function byte, address uint16, words ...uint16) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for i, w := range words {
		d.cells[place{function, address + uint16(i)}] = w
	}
}

// onePhase is a consistent state of a meter of one phase.
func onePhase() map[meter.Quantity]float64 {
	v := load()
	v[meter.ActivePower], v[meter.ReactivePower], v[meter.ApparentPower] = v[meter.ActivePowerA], v[meter.ReactivePowerA], v[meter.ApparentPowerA]
	return v
}

// load is a consistent state of a three-phase meter, on the side that the
// profile reports.
func load() map[meter.Quantity]float64 {
	const pf, tangent = 0.96, 0.2916667 // sin/cos
	v := map[meter.Quantity]float64{
		meter.VoltageA: 230.4, meter.VoltageB: 231.2, meter.VoltageC: 229.5,
		meter.VoltageAB: 399.8, meter.VoltageBC: 398.9, meter.VoltageCA: 398.3,
		meter.CurrentA: 21.1, meter.CurrentB: 19.4, meter.CurrentC: 23.3, meter.CurrentN: 2.1,
		meter.Frequency: 50.02, meter.PowerFactor: pf, meter.PowerFactorA: pf, meter.PowerFactorB: pf, meter.PowerFactorC: pf,
		meter.ActiveEnergyImport: 18234.56, meter.ActiveEnergyExport: 12.3, meter.ReactiveEnergyImport: 4321.2, meter.ReactiveEnergyExport: 1.2,
		meter.TopOilTemperature: 56, meter.HotSpotTemperature: 68, meter.AmbientTemperature: 21,
		meter.WindingTemperature: 63, meter.WindingTemperatureA: 62, meter.WindingTemperatureB: 63, meter.WindingTemperatureC: 61, meter.CoreTemperature: 55,
	}
	for _, ph := range []struct{ v, i, p, q, s meter.Quantity }{
		{meter.VoltageA, meter.CurrentA, meter.ActivePowerA, meter.ReactivePowerA, meter.ApparentPowerA},
		{meter.VoltageB, meter.CurrentB, meter.ActivePowerB, meter.ReactivePowerB, meter.ApparentPowerB},
		{meter.VoltageC, meter.CurrentC, meter.ActivePowerC, meter.ReactivePowerC, meter.ApparentPowerC},
	} {
		v[ph.s] = v[ph.v] * v[ph.i] / 1000
		v[ph.p] = v[ph.s] * pf
		v[ph.q] = v[ph.p] * tangent
		v[meter.ActivePower] += v[ph.p]
		v[meter.ReactivePower] += v[ph.q]
		v[meter.ApparentPower] += v[ph.s]
	}
	return v
}

// run probes a device with the driver of the program.
func (d *device) probe(t *testing.T, driver drivers.Driver, opt Options) (*Report, error) {
	t.Helper()
	opt.Pause, opt.Between = 100*time.Microsecond, 20*time.Millisecond
	dev := drivers.Device{ID: "probe", URL: d.url(t), Mode: drivers.Poll, Interval: time.Minute, Timeout: 300 * time.Millisecond}
	return Run(t.Context(), driver, dev, opt)
}
