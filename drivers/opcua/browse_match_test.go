package opcua

import (
	"math"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func TestMatchName(t *testing.T) {
	for name, want := range map[string]meter.Quantity{
		"ActivePower": meter.ActivePower, "P_total": meter.ActivePower, "P": meter.ActivePower, "TotalActivePower": meter.ActivePower, "active power": meter.ActivePower,
		"ActivePowerL1": meter.ActivePowerA, "P_L3": meter.ActivePowerC, "P2": meter.ActivePowerB, "Real Power Phase B": meter.ActivePowerB, "Wirkleistung_L2": meter.ActivePowerB,
		"ReactivePower": meter.ReactivePower, "Q_total": meter.ReactivePower, "ApparentPower": meter.ApparentPower, "S_sum": meter.ApparentPower,
		"PowerFactor": meter.PowerFactor, "CosPhi": meter.PowerFactor, "PF_L1": meter.PowerFactorA, "cos phi": meter.PowerFactor,
		"Frequency": meter.Frequency, "f": meter.Frequency, "GridFrequency": meter.Frequency, "Freq_Hz": meter.Frequency,
		"Voltage L1-N": meter.VoltageA, "U1": meter.VoltageA, "VoltageA": meter.VoltageA, "Voltage_AN": meter.VoltageA, "V_L2": meter.VoltageB, "VoltageL3": meter.VoltageC,
		"U12": meter.VoltageAB, "Voltage L1-L2": meter.VoltageAB, "VoltageBC": meter.VoltageBC, "U31": meter.VoltageCA, "Voltage_L3_L1": meter.VoltageCA,
		"Current L1": meter.CurrentA, "I2": meter.CurrentB, "CurrentC": meter.CurrentC, "CurrentN": meter.CurrentN, "NeutralCurrent": meter.CurrentN, "I_N": meter.CurrentN,
		"Energy": meter.ActiveEnergyImport, "ActiveEnergyImport": meter.ActiveEnergyImport, "Active energy export": meter.ActiveEnergyExport,
		"EnergyImported_kWh": meter.ActiveEnergyImport, "ReactiveEnergyExport": meter.ReactiveEnergyExport, "kWh": meter.ActiveEnergyImport,
		"THD_I_L1": meter.THDCurrentA, "THDVoltageL2": meter.THDVoltageB, "VoltageTHD": meter.THDVoltage,
		"TopOilTemperature": meter.TopOilTemperature, "Oil temp": meter.TopOilTemperature, "HotSpot": meter.HotSpotTemperature, "WindingTemperature_A": meter.WindingTemperatureA,
		"OilLevel": meter.OilLevel, "FanRunning": meter.FanRunning, "Alarm": meter.Alarm, "Trip": meter.Trip,
		// None of these is what it looks like.
		"ActivePowerLimit": "", "VoltageSetpoint": "", "Max Current": "", "ActivePowerMax": "", "Current": "", "Voltage": "", "CurrentTime": "", "Energy_L1": "", "Flux capacity": "",
		"PowerFailures": "", "P_demand": "", "Temperature": "", "State": "", "": "", "Voltage L1-L4": "", "Energy delivered": "", "I1234": "", "Alarm limit": "",
	} {
		if got, _ := matchName(name); got != want {
			t.Errorf("%q is %q, want %q (%q)", name, got, want, words(name))
		}
	}
}

func TestConvert(t *testing.T) {
	for _, c := range []struct {
		symbol string
		id     int32
		from   float64
		to     float64
		unit   meter.Unit
	}{
		{"kW", 4937556, 2, 2, meter.Kilowatt}, {"W", 5723220, 1500, 1.5, meter.Kilowatt}, {"MW", 0, 1, 1000, meter.Kilowatt}, {"", 4937556, 3, 3, meter.Kilowatt},
		{"Wh", 0, 1000, 1, meter.KilowattHour}, {"kW·h", 0, 1, 1, meter.KilowattHour}, {"", 4937544, 1, 1, meter.KilowattHour}, {"V", 5655636, 230, 230, meter.Volt},
		{"mV", 0, 1000, 1, meter.Volt}, {"kV", 0, 1, 1000, meter.Volt}, {"°F", 0, 212, 100, meter.Celsius}, {"K", 0, 273.15, 0, meter.Celsius}, {"°C", 4408652, 20, 20, meter.Celsius},
		{"%", 20529, 5, 5, meter.Percent}, {"KW", 0, 1, 0, ""}, {"kwh", 0, 1, 1, meter.KilowattHour}, {"mW", 0, 1, 0, ""}, {"", 0, 0, 0, ""}, {"furlong", 7, 0, 0, ""},
		{"Watt", 0, 10, 0.01, meter.Kilowatt},
	} {
		got, known := convert(c.symbol, c.id)
		if known != (c.unit != "") || known && (got.to != c.unit || math.Abs(c.from*got.scale+got.offset-c.to) > 1e-9) {
			t.Errorf("%q %d: %+v %v, want %s", c.symbol, c.id, got, known, c.unit)
		}
	}
}

func TestMatchVariable(t *testing.T) {
	for _, c := range []struct {
		v     Variable
		want  meter.Quantity
		scale float64
	}{
		{Variable{Name: "P_total", Unit: "W"}, meter.ActivePower, 0.001},
		{Variable{Name: "P_total_kW"}, meter.ActivePower, 1},
		{Variable{Name: "Energy (Wh)"}, meter.ActiveEnergyImport, 0.001},
		{Variable{Name: "ActivePower"}, meter.ActivePower, 1},
		{Variable{Name: "PowerFactor", Unit: "%"}, meter.PowerFactor, 0.01},
		{Variable{Name: "ActivePower", Unit: "V"}, "", 0},
		{Variable{Name: "ActivePower", Unit: "hp"}, "", 0},
		{Variable{Name: "ActivePower", Bool: true}, "", 0},
		{Variable{Name: "Alarm", Bool: true}, meter.Alarm, 1},
	} {
		m, why := matchVariable(&c.v)
		if m.quantity != c.want || m.scale != c.scale || (why == "") != (c.want != "") {
			t.Errorf("%+v: %+v %q", c.v, m, why)
		}
	}
}

// FuzzMatch gives any name and unit to the matcher.
func FuzzMatch(f *testing.F) {
	f.Add("Voltage L1-N", "V", int32(5655636))
	f.Add("P_total_kW", "", int32(0))
	f.Add("\xff", "°F", int32(-1))
	f.Fuzz(func(t *testing.T, name, unit string, id int32) {
		m, why := matchVariable(&Variable{Name: name, Unit: unit, UnitID: id})
		if (why == "") != m.quantity.Valid() || why == "" && (m.scale == 0 || m.to == "") {
			t.Fatalf("%q %q %d: %+v %q", name, unit, id, m, why)
		}
	})
}
