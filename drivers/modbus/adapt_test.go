package modbus

import (
	"strings"
	"testing"

	"github.com/gridwarden/gridwarden/drivers/profile"
)

// TestAdaptedProfiles reads a device whose registers lie elsewhere and in
// another order than its profile says.
func TestAdaptedProfiles(t *testing.T) {
	p := testProfile(t, `
    - {quantity: voltage_a, table: holding, address: 2, encoding: float32}`)
	d := New(Options{})
	defer func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}()
	for wrong, options := range map[string]map[string]string{
		`option base is "70000"`:   {profile.OptionBase: "70000"},
		`option order is "ABDC"`:   {profile.OptionOrder: "ABDC"},
		"beyond the last register": {profile.OptionBase: "65534"},
	} {
		dev := testDevice(t, "m", "modbus://127.0.0.1:1/1", p)
		dev.Options = options
		if _, err := d.Session(dev); err == nil || !strings.Contains(err.Error(), "device m: ") || !strings.Contains(err.Error(), wrong) {
			t.Errorf("%v: %v", options, err)
		}
	}
	dev := testDevice(t, "m", "modbus://127.0.0.1:1/1", p)
	dev.Options = map[string]string{profile.OptionBase: "100", profile.OptionOrder: "CDAB"}
	first, second := session1(t, d, dev).(*session), session1(t, d, dev).(*session)
	if first.dev.Profile != second.dev.Profile || first.dev.Profile == p {
		t.Error("two devices alike have not one profile between them")
	}
	pt := first.dev.Profile.Modbus.Points[0]
	if pt.Address != 102 || pt.Order != profile.CDAB {
		t.Errorf("%+v", pt)
	}
}
