package probe

import (
	"maps"
	"testing"

	"github.com/gridwarden/gridwarden/drivers/profile"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// candidateOf is a candidate that makes the given values of a device.
func candidateOf(values map[meter.Quantity]float64) *Candidate {
	c := &Candidate{p: profile.OfRegisters("p", nil), good: values, side: make(map[meter.Quantity]profile.Side), step: make(map[meter.Quantity]float64)}
	for q, v := range values {
		c.step[q] = 0.001
		c.Values = append(c.Values, Value{Quantity: q, Number: &v, Quality: meter.Good.String()})
	}
	return c
}

// TestChecks changes one thing of a state in which all is right.
func TestChecks(t *testing.T) {
	type values = map[meter.Quantity]float64
	run := (*Candidate).plausible
	right := candidateOf(load())
	run(right)
	for _, check := range right.Checks {
		if !check.Passed || check.Points <= 0 || check.Detail == "" {
			t.Errorf("right: %+v", check)
		}
	}
	if len(right.Checks) < 11 || right.strange != 0 {
		t.Errorf("%d checks, %d strange", len(right.Checks), right.strange)
	}
	for _, c := range []struct {
		name, fails string
		changed     values
	}{
		{"a voltage far off", "voltage", values{meter.VoltageB: 305}},
		{"a negative voltage", "voltage", values{meter.VoltageB: -230}},
		{"no voltage", "voltage", values{meter.VoltageA: 0, meter.VoltageB: 0, meter.VoltageC: 0, meter.VoltageAB: 0, meter.VoltageBC: 0, meter.VoltageCA: 0}},
		{"phases of two networks", "phases alike", values{meter.VoltageB: 120}},
		{"between phases as in the phases", "between phases", values{meter.VoltageAB: 230, meter.VoltageBC: 231, meter.VoltageCA: 230}},
		{"400 Hz", "frequency", values{meter.Frequency: 400}},
		{"no frequency", "frequency", values{meter.Frequency: 0}},
		{"power factor in percent", "power factor", values{meter.PowerFactorB: 96}},
		{"power factor of another load", "power factor of powers", values{meter.PowerFactor: 0.5}},
		{"too little apparent power", "apparent power", values{meter.ApparentPower: 13}},
		{"far too much apparent power", "apparent power", values{meter.ApparentPower: 1300}},
		{"a phase left out", "sum of phases", values{meter.ActivePowerA: 0}},
		{"watts for kilowatts", "voltage times current", values{meter.ActivePower: 14106}},
		{"milliamperes for amperes", "voltage times current", values{meter.CurrentA: 21100, meter.CurrentB: 19400, meter.CurrentC: 23300}},
		{"a current of lightning", "current", values{meter.CurrentA: 20000}},
		{"a float put together wrongly", "believable", values{meter.CurrentN: 1e-38}},
		{"frozen oil", "temperature", values{meter.TopOilTemperature: -55}},
		{"a cold winding", "hot spot", values{meter.HotSpotTemperature: 40}},
		{"an energy of a thousand years", "energy", values{meter.ActiveEnergyImport: 4e8}},
		{"a negative energy", "energy", values{meter.ActiveEnergyImport: -3}},
	} {
		state := load()
		maps.Copy(state, c.changed)
		got := candidateOf(state)
		run(got)
		failed := false
		for _, check := range got.Checks {
			failed = failed || check.Name == c.fails && !check.Passed && check.Points < 0
		}
		if !failed || got.Score >= right.Score {
			t.Errorf("%s: %q does not fail: %+v", c.name, c.fails, got.Checks)
		}
	}
}

// TestNominalVoltages knows networks of the world, and medium voltage for what
// it is: a guess.
func TestNominalVoltages(t *testing.T) {
	for v, want := range map[float64]struct {
		passed bool
		points float64
	}{
		57.9: {true, 20}, 118: {true, 20}, 127.5: {true, 20}, 231: {true, 20}, 277: {true, 20}, 399: {true, 20}, 690: {true, 20},
		11020: {true, 10}, 6350: {true, 10}, 20900: {true, 10},
		12: {false, -30}, 305: {false, -30}, 1500: {false, -30}, 1e7: {false, -30}, -230: {false, -30},
	} {
		c := candidateOf(map[meter.Quantity]float64{meter.VoltageA: v})
		c.voltages()
		if len(c.Checks) != 1 || c.Checks[0].Passed != want.passed || c.Checks[0].Points != want.points {
			t.Errorf("%v V: %+v", v, c.Checks)
		}
	}
}

// TestZerosSayNothing gives no points to a device at rest.
func TestZerosSayNothing(t *testing.T) {
	state := load()
	for q := range state {
		state[q] = 0
	}
	c := candidateOf(state)
	c.voltages()
	c.frequency()
	c.currents()
	c.powerFactors()
	c.apparent()
	c.quotient()
	c.sums()
	c.product()
	c.temperatures()
	c.energies()
	if c.judge(); c.Score > 0 || c.speaks || c.Verdict != None {
		t.Errorf("%+v", c.Checks)
	}
}
