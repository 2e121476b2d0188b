package host

import (
	"net/url"
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/drivers"
	"github.com/gridwarden/gridwarden/internal/config"
)

func TestAnEndpointIsOneHoweverItIsWritten(t *testing.T) {
	for _, group := range [][]string{
		{"modbus://gw:502/1", "modbus://GW/7", "modbus+rtu+tcp://gw/7"},
		{"opc.tcp://scada", "opc.tcp://scada:4840/path"},
		{"modbus+tls://gw/1", "modbus+tls://gw:802/2"},
		{"modbus://[::1]/1", "modbus://[::1]:502/2"},
	} {
		first := ""
		for _, raw := range group {
			u, err := url.Parse(raw)
			if err != nil {
				t.Fatal(err)
			}
			got, shared := endpointOf(u)
			if first == "" {
				first = got
			}
			if got != first || !shared {
				t.Errorf("%s is at %s, and %s at %s", raw, got, group[0], first)
			}
		}
	}
}

func TestASerialLineIsNotShared(t *testing.T) {
	cfg := config.Default()
	u, err := url.Parse("modbus+rtu:///dev/ttyS0/7")
	if err != nil {
		t.Fatal(err)
	}
	n := &tenancy{h: &Host{cfg: &cfg}}
	err = n.place([]drivers.Device{{ID: "feeder-7", URL: u}})
	if err == nil || !strings.Contains(err.Error(), "device feeder-7: a serial line belongs to one machine") {
		t.Errorf("%v", err)
	}
}
