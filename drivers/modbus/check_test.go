package modbus

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/drivers"
)

func TestCheck(t *testing.T) {
	p := testProfile(t, twoPoints)
	for _, c := range []struct {
		url     string
		options map[string]string
		mode    drivers.Mode
		want    string // "" = fine
	}{
		{url: "modbus://10.0.0.1:502/1"},
		{url: "modbus://10.0.0.1/255"},
		{url: "modbus://[2001:db8::1]:1502/17"},
		{url: "modbus+rtu+tcp://gw:4001/247"},
		{url: "modbus://gw/1", options: map[string]string{"connections": "2", "pipeline": "4"}},
		{url: "modbus://10.0.0.1:502", want: "names no unit from 0 to 255; write modbus://host:port/unit"},
		{url: "modbus://10.0.0.1:502/256", want: "names no unit"},
		{url: "modbus://10.0.0.1:502/-1", want: "names no unit"},
		{url: "modbus://10.0.0.1:502/1/2", want: "names no unit"},
		{url: "modbus:///1", want: "names no host"},
		{url: "modbus://user:secret@gw/1", want: "has more than host, port and unit"},
		{url: "modbus://gw/1?x=y", want: "has more than host, port and unit"},
		{url: "http://gw/1", want: "http:// is not Modbus"},
		{url: "modbus+rtu+tcp://gw/0", want: "units go from 1 to 247"},
		{url: "modbus+rtu+tcp://gw/1", options: map[string]string{"pipeline": "2"}, want: "one request at a time"},
		{url: "modbus://gw/1", options: map[string]string{"connections": "0"}, want: `option connections is "0"; write a number from 1 to 16`},
		{url: "modbus://gw/1", options: map[string]string{"pipeline": "many"}, want: "from 1 to 32"},
		{url: "modbus://gw/1", options: map[string]string{"conections": "2"}, want: `option "conections" is not known; the options of this driver are base, connections, order, pipeline`},
		{url: "modbus://gw/1", mode: drivers.Subscribe, want: "no subscriptions"},
		{url: "modbus+rtu:///dev/ttyS0/7"},
		{url: "modbus+rtu:///dev/ttyS0/7", options: map[string]string{"baud": "9600", "parity": "none", "stop_bits": "1"}},
		{url: "modbus+rtu:///dev/ttyS0/7", options: map[string]string{"parity": "maybe"}, want: "write even, odd or none"},
		{url: "modbus+rtu:///dev/ttyS0/7", options: map[string]string{"pipeline": "2"}, want: "the options of this driver are base, baud, order, parity, stop_bits"},
		{url: "modbus+rtu:///dev/ttyS0", want: "write modbus+rtu:///dev/ttyS0/unit"},
		{url: "modbus://gw/1", options: map[string]string{"baud": "9600"}, want: `option "baud" is not known`},
		{url: "modbus+rtu+tcp://gw", want: "write modbus+rtu+tcp://host:port/unit"},
		{url: "modbus+tls://gw/1", want: "set tls_cert and tls_key"},
	} {
		d := New(Options{})
		dev := testDevice(t, "m", c.url, p)
		dev.Options, dev.Mode = c.options, c.mode
		err := d.Check(dev)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", c.url, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "device m")):
			t.Errorf("%s %v: %v; want %q", c.url, c.options, err, c.want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("a password is in the message: %v", err)
		}
	}
}

func TestOptionsOfOneGatewayAgree(t *testing.T) {
	d := New(Options{})
	defer d.Close()
	p := testProfile(t, twoPoints)
	session1(t, d, testDevice(t, "a", "modbus://gw/1", p))
	b := testDevice(t, "b", "modbus://gw/2", p)
	b.Options = map[string]string{optPipeline: "2"}
	if _, err := d.Session(b); err == nil || !strings.Contains(err.Error(), "set the same on all of them") {
		t.Errorf("%v", err)
	}
	if s := d.Share(b); s.Parallel != 2+mostLate || s.Connection != "modbus://gw:502" {
		t.Errorf("%+v", s)
	}
}

// TestDevicesOfOneLineAgree: what devices share, they must name alike.
func TestDevicesOfOneLineAgree(t *testing.T) {
	p := testProfile(t, twoPoints)
	device := func(id, url string, options map[string]string) drivers.Device {
		dev := testDevice(t, id, url, p)
		dev.Options = options
		return dev
	}
	d := New(Options{})
	defer d.Close()
	for _, c := range []struct {
		list []drivers.Device
		want []string
	}{
		{list: []drivers.Device{
			device("a", "modbus+rtu:///dev/ttyS0/1", nil),
			device("b", "modbus+rtu:///dev/ttyS0/2", map[string]string{"baud": "19200"}),
			device("c", "modbus+rtu:///dev/ttyS1/2", map[string]string{"baud": "9600"}),
			device("d", "modbus://gw/2", map[string]string{"pipeline": "2"}),
			device("e", "modbus://gw:1502/2", nil),
			device("f", "opc.tcp://gw", nil),
			device("g", "modbus+rtu:///dev/ttyS0/2", map[string]string{"baud": "fast"}),
		}},
		{list: []drivers.Device{
			device("a", "modbus+rtu:///dev/ttyS0/1", nil),
			device("b", "modbus+rtu:///dev/ttyS0/2", map[string]string{"baud": "9600"}),
			device("c", "modbus://gw/1", nil),
			device("d", "modbus://gw/2", map[string]string{"pipeline": "2"}),
		}, want: []string{
			"device b: baud=9600, parity=even, stop_bits=1, but another device on /dev/ttyS0 has baud=19200, parity=even, stop_bits=1; set the same on all of them",
			"device d: connections=1, pipeline=2, but another device behind gw:502 has 4 and 1; set the same on all of them",
		}},
	} {
		err := d.CheckTogether(c.list)
		if got := fmt.Sprint(err); err != nil && got != strings.Join(c.want, "\n") || (err == nil) != (len(c.want) == 0) {
			t.Errorf("%v", err)
		}
	}
	session1(t, d, device("a", "modbus+rtu:///dev/ttyS0/1", nil))
	if _, err := d.Session(device("b", "modbus+rtu:///dev/ttyS0/2", map[string]string{"parity": "odd"})); err == nil || !strings.Contains(err.Error(), "parity=odd") {
		t.Errorf("%v", err)
	}
}
