package main

import (
	"fmt"
	"time"

	"github.com/gridwarden/gridwarden/internal/poll/bench/fleet"
)

// Modes of a case.
const (
	modePorts   = "ports"   // every device has a port of its own
	modeGateway = "gateway" // units behind gateways
)

// perSimulator is how many ports one simulator serves: it needs two
// descriptors for each. Further simulators take the same ports of the next
// loopback addresses.
const perSimulator = 8000

// Field is a point of a device as collectors are told of it.
type Field struct {
	Name, Type string
	Addr       int
}

// Device is one device of a case.
type Device struct {
	Name       string  `json:"name"`
	Host       string  `json:"host"`
	Port       int     `json:"port"`
	Unit       int     `json:"unit"`
	IntervalMS int64   `json:"interval_ms"`
	Fields     []Field `json:"fields"`

	number int // by which package fleet knows it
}

func fields() []Field {
	var list []Field
	for _, p := range fleet.List() {
		kind := "UINT16"
		if p.Float {
			kind = "FLOAT32"
		}
		list = append(list, Field{p.Name, kind, p.Address})
	}
	return list
}

// devices lists the devices of a case.
func (c *Case) devices(ports ports) []Device {
	list := make([]Device, 0, c.N)
	all := fields()
	for i := range c.N {
		d := Device{Name: fmt.Sprintf("dev%04d", i), Host: loopback(0), IntervalMS: c.Interval.Milliseconds(), Fields: all}
		if c.Mode == modePorts {
			d.Host, d.Port, d.Unit, d.number = loopback(i/perSimulator), ports.base+i%perSimulator, 1, i
		} else {
			d.Port, d.Unit = ports.gateway+i/c.PerGateway, i%c.PerGateway+1
			d.number = i + 1
		}
		list = append(list, d)
	}
	return list
}

// ports are the first ports that the simulators listen on.
type ports struct{ base, gateway int }

func loopback(i int) string { return fmt.Sprintf("127.0.0.%d", 1+i) }

// simulators returns the arguments of the simulators of a case, without those
// about counters.
func (c *Case) simulators(ports ports) [][]string {
	common := []string{
		"-latency", c.Latency.String(), "-stall", fmt.Sprint(c.Faults.Stall), "-exc", fmt.Sprint(c.Faults.Exceptions),
		"-flap", fmt.Sprint(c.Faults.Flap),
	}
	common = append(common, c.SimExtra...)
	if c.Mode == modeGateway {
		return [][]string{append(common, "-gateway", fmt.Sprint(ports.gateway),
			"-gateways", fmt.Sprint((c.N+c.PerGateway-1)/c.PerGateway), "-units", fmt.Sprint(c.PerGateway))}
	}
	var list [][]string
	for first := 0; first < c.N; first += perSimulator {
		args := append([]string{}, common...)
		list = append(list, append(args, "-host", loopback(first/perSimulator), "-base", fmt.Sprint(ports.base),
			"-first", fmt.Sprint(first), "-ports", fmt.Sprint(min(perSimulator, c.N-first))))
	}
	return list
}

// alive returns how long, in polls, the devices of a case answer from one
// moment to another.
func (c *Case) alive(list []Device, from, to time.Time) float64 {
	var total time.Duration
	for i := range list {
		for _, s := range c.Faults.Alive(list[i].number, from, to) {
			total += s.To.Sub(s.From)
		}
	}
	return float64(total) / float64(c.Interval)
}
