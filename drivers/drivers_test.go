package drivers

import (
	"math"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// TestRatiosApplyOnce brings secondary values to primary: energies and powers
// by the factor, currents and voltages by their own ratios, the rest by none.
func TestRatiosApplyOnce(t *testing.T) {
	at := time.Unix(1_700_000_000, 0).UTC()
	cts := Device{ID: "m", Ratios: []Ratio{{Factor: 4000, CT: 40, PT: 100}}}
	direct := Device{ID: "m"}
	onlyFactor := Device{ID: "m", Ratios: []Ratio{{Factor: 40}}}
	for _, c := range []struct {
		dev     Device
		q       meter.Quantity
		side    profile.Side
		want    float64
		quality meter.Quality
	}{
		{cts, meter.ActiveEnergyImport, profile.Secondary, 40000, meter.Good},
		{cts, meter.ReactivePower, profile.Secondary, 40000, meter.Good},
		{cts, meter.CurrentA, profile.Secondary, 400, meter.Good},
		{cts, meter.VoltageB, profile.Secondary, 1000, meter.Good},
		{cts, meter.PowerFactor, profile.Secondary, 10, meter.Good},
		{cts, meter.TopOilTemperature, profile.Secondary, 10, meter.Good},
		{cts, meter.ActiveEnergyImport, profile.Primary, 10, meter.Good},
		{direct, meter.ActiveEnergyImport, profile.Secondary, 10, meter.Good},
		{direct, meter.CurrentN, profile.Secondary, 10, meter.Good},
		{onlyFactor, meter.ActivePower, profile.Secondary, 400, meter.Good},
		{onlyFactor, meter.CurrentA, profile.Secondary, 10, meter.Uncertain},
		{onlyFactor, meter.VoltageA, profile.Secondary, 10, meter.Uncertain},
	} {
		r := c.dev.Reading(c.q, c.side, profile.Value{Number: 10, Quality: meter.Good}, at, at, nil)
		if r.Value != c.want || r.Quality != c.quality || (r.Detail == "") != (c.quality == meter.Good) {
			t.Errorf("%+v %s %s: %+v, want %v %v", c.dev, c.q, c.side, r, c.want, c.quality)
		}
	}
}

func TestFailedNamesEveryPoint(t *testing.T) {
	d := Device{ID: "m", Profile: &profile.Profile{OPCUA: &profile.OPCUA{Points: []profile.OPCUAPoint{{Quantity: meter.VoltageA}, {Quantity: meter.ActivePower}}}}}
	at := time.Unix(1_700_000_000, 0).UTC()
	list := d.Failed(0, at, meter.CommFailure, "unplugged")
	if len(list) != 2 {
		t.Fatalf("%d readings", len(list))
	}
	for i, q := range d.Profile.Quantities() {
		r := list[i]
		if r.Quantity != q || r.DeviceID != "m" || r.MeterID != "m" || !math.IsNaN(r.Value) || r.Quality != meter.Bad || r.Flags != meter.CommFailure || r.Detail != "unplugged" || r.EventTime != at {
			t.Errorf("%+v", r)
		}
	}
}

func TestDeviceCheck(t *testing.T) {
	p := &profile.Profile{Name: "p", Protocol: profile.ProtocolModbus}
	for want, d := range map[string]Device{
		"":                                 {ID: "100%s", Profile: p, Ratios: []Ratio{{Factor: 4000, CT: 40, PT: 100}}, Mode: Subscribe, Options: map[string]string{"a": "1"}},
		"device m: it has no profile":      {ID: "m"},
		"is for modbus; name one for":      {ID: "m", Profile: p, Mode: "opcua"},
		"timeout -1s is negative":          {ID: "m", Profile: p, Timeout: -time.Second},
		"factor is NaN":                    {ID: "m", Profile: p, Ratios: []Ratio{{Factor: math.NaN()}}},
		"ct_ratio is -1":                   {ID: "m", Profile: p, Ratios: []Ratio{{CT: -1}}},
		"factor 40 is not ct_ratio 40":     {ID: "m", Profile: p, Ratios: []Ratio{{Factor: 40, CT: 40, PT: 100}}},
		`mode is "push"; write poll or`:    {ID: "m", Profile: p, Mode: "push"},
		`option "b" is not known; the opt`: {ID: "m", Profile: p, Options: map[string]string{"b": "1"}},
	} {
		protocol := profile.ProtocolModbus
		if d.Mode == "opcua" {
			protocol, d.Mode = profile.ProtocolOPCUA, ""
		}
		err := d.Check(protocol, "a")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

type named struct {
	Driver
	name, scheme string
	closed       *int
}

func (n named) Name() string      { return n.name }
func (n named) Schemes() []string { return []string{n.scheme} }
func (n named) Close() error      { *n.closed++; return nil }

func TestRegistry(t *testing.T) {
	closed := 0
	r := NewRegistry(named{name: "a", scheme: "a", closed: &closed}, named{name: "b", scheme: "b", closed: &closed})
	if d, err := r.For(&url.URL{Scheme: "b"}); err != nil || d.Name() != "b" {
		t.Errorf("%v, %v", d, err)
	}
	if _, err := r.For(&url.URL{Scheme: "c"}); err == nil || err.Error() != "no driver for c://; use one of a://, b://" {
		t.Error(err)
	}
	if err := r.Close(); err != nil || closed != 2 || len(r.Drivers()) != 2 {
		t.Errorf("%v, %d closed", err, closed)
	}
	defer func() {
		if recover() == nil {
			t.Error("two drivers for one scheme were taken")
		}
	}()
	NewRegistry(named{name: "a", scheme: "x"}, named{name: "b", scheme: "x"})
}
