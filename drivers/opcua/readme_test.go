package opcua

import (
	"testing"

	"github.com/gridwarden/gridwarden/drivers/drivertest"
)

// TestReadme opens a session to every device of the README's sample.
func TestReadme(t *testing.T) {
	d := driver(t, Options{})
	for _, dev := range drivertest.Sample(t, "README.md", d, "../profile/testdata") {
		open(t, d, dev)
	}
}
