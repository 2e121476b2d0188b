package modbus

import (
	"testing"

	"github.com/gridwarden/gridwarden/drivers/drivertest"
)

// TestReadme opens a session to every device of the README's sample.
func TestReadme(t *testing.T) {
	d := New(Options{})
	defer d.Close()
	for _, dev := range drivertest.Sample(t, "README.md", d, "../../configs/profiles") {
		session1(t, d, dev)
	}
}
