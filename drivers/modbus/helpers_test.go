package modbus

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/goburrow/modbus"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// testProfile makes a profile out of the lines of its points, some of which
// may be in the group rare.
func testProfile(t testing.TB, points string) *profile.Profile {
	t.Helper()
	groups := ""
	if strings.Contains(points, "group: rare") {
		groups = "groups: {rare: 1m}"
	}
	p, err := profile.Parse("test.yaml", []byte(`
name: test
manufacturer: Test
model: T1
source: this test
status: simulated
protocol: modbus
`+groups+`
modbus:
  points:`+points+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func testDevice(t testing.TB, id, rawURL string, p *profile.Profile) drivers.Device {
	t.Helper()
	u, err := url.Parse(rawURL)
	if err != nil {
		t.Fatal(err)
	}
	return drivers.Device{ID: id, URL: u, Profile: p, Interval: time.Second}
}

func session1(t testing.TB, d *Driver, dev drivers.Device) drivers.Session {
	t.Helper()
	s, err := d.Session(dev)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func mustRead(t testing.TB, d *Driver, dev drivers.Device) []meter.Reading {
	t.Helper()
	readings, err := session1(t, d, dev).Read(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	return readings
}

func byQuantity(list []meter.Reading) map[meter.Quantity]meter.Reading {
	out := make(map[meter.Quantity]meter.Reading, len(list))
	for _, r := range list {
		out[r.Quantity] = r
	}
	return out
}

// writes lists what goburrow's client can do beyond reading the four tables.
func writes(c modbus.Client) map[string]func() error {
	return map[string]func() error{
		"write single coil":        func() error { _, err := c.WriteSingleCoil(1, 0xFF00); return err },
		"write multiple coils":     func() error { _, err := c.WriteMultipleCoils(1, 8, []byte{1}); return err },
		"write single register":    func() error { _, err := c.WriteSingleRegister(1, 1); return err },
		"write multiple registers": func() error { _, err := c.WriteMultipleRegisters(1, 1, []byte{0, 1}); return err },
		"read and write":           func() error { _, err := c.ReadWriteMultipleRegisters(1, 1, 1, 1, []byte{0, 1}); return err },
		"mask write":               func() error { _, err := c.MaskWriteRegister(1, 1, 1); return err },
		"read FIFO":                func() error { _, err := c.ReadFIFOQueue(1); return err },
	}
}
