package modbus

import (
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
		{url: "modbus://gw/1", options: map[string]string{"conections": "2"}, want: `option "conections" is not known; the options of this driver are connections, pipeline`},
		{url: "modbus://gw/1", mode: drivers.Subscribe, want: "no subscriptions"},
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
	if s := d.Share(b); s.Parallel != 2 || s.Connection != "modbus://gw:502" {
		t.Errorf("%+v", s)
	}
}
