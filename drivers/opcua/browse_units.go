package opcua

import (
	"strings"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// conversion brings a value to the unit of our quantities: value * scale + offset.
type conversion struct {
	to            meter.Unit
	scale, offset float64
}

// unitTable maps the symbols of units, and their common codes of UNECE
// Recommendation 20, to ours. EUInformation.UnitID is such a code, its
// characters as the bytes of a number (OPC 10000-8, 5.6.3).
func unitTable() []struct {
	symbols string
	code    string
	conversion
} {
	return []struct {
		symbols string
		code    string
		conversion
	}{
		{"W watt watts", "WTT", conversion{meter.Kilowatt, 0.001, 0}},
		{"kW kilowatt kilowatts", "KWT", conversion{meter.Kilowatt, 1, 0}},
		{"MW megawatt megawatts", "MAW", conversion{meter.Kilowatt, 1000, 0}},
		{"var", "D44", conversion{meter.Kilovar, 0.001, 0}},
		{"kvar kilovar", "KVR", conversion{meter.Kilovar, 1, 0}},
		{"Mvar megavar", "MAR", conversion{meter.Kilovar, 1000, 0}},
		{"VA V·A volt-ampere", "D46", conversion{meter.KilovoltAmp, 0.001, 0}},
		{"kVA kV·A", "KVA", conversion{meter.KilovoltAmp, 1, 0}},
		{"MVA MV·A", "MVA", conversion{meter.KilovoltAmp, 1000, 0}},
		{"Wh W·h watt-hour", "WHR", conversion{meter.KilowattHour, 0.001, 0}},
		{"kWh kW·h kilowatt-hour", "KWH", conversion{meter.KilowattHour, 1, 0}},
		{"MWh MW·h megawatt-hour", "MWH", conversion{meter.KilowattHour, 1000, 0}},
		{"GWh GW·h", "GWH", conversion{meter.KilowattHour, 1e6, 0}},
		{"varh var·h", "", conversion{meter.KilovarHour, 0.001, 0}},
		{"kvarh kvar·h", "K3", conversion{meter.KilovarHour, 1, 0}},
		{"Mvarh Mvar·h", "MAH", conversion{meter.KilovarHour, 1000, 0}},
		{"V volt volts", "VLT", conversion{meter.Volt, 1, 0}},
		{"mV millivolt", "2Z", conversion{meter.Volt, 0.001, 0}},
		{"kV kilovolt", "KVT", conversion{meter.Volt, 1000, 0}},
		{"A ampere amperes amp amps", "AMP", conversion{meter.Ampere, 1, 0}},
		{"mA milliampere", "4K", conversion{meter.Ampere, 0.001, 0}},
		{"kA kiloampere", "B22", conversion{meter.Ampere, 1000, 0}},
		{"Hz hertz", "HTZ", conversion{meter.Hertz, 1, 0}},
		{"mHz millihertz", "", conversion{meter.Hertz, 0.001, 0}},
		{"% percent", "P1", conversion{meter.Percent, 1, 0}},
		{"°C degC celsius", "CEL", conversion{meter.Celsius, 1, 0}},
		{"°F degF fahrenheit", "FAH", conversion{meter.Celsius, 5.0 / 9, -160.0 / 9}},
		{"K kelvin", "KEL", conversion{meter.Celsius, 1, -273.15}},
		{"1", "C62", conversion{meter.One, 1, 0}},
		{"s second seconds", "SEC", conversion{meter.Second, 1, 0}},
		{"ms millisecond", "C26", conversion{meter.Second, 0.001, 0}},
	}
}

// commonCode is a unit id in characters.
func commonCode(unitID int32) string {
	var out []byte
	for n := uint32(unitID); n > 0; n >>= 8 {
		out = append([]byte{byte(n)}, out...)
	}
	return string(out)
}

// convert finds what a server's unit is to us. The symbol counts before the
// code; known is false for units that measure nothing of ours.
func convert(symbol string, unitID int32) (c conversion, known bool) {
	symbol = strings.NewReplacer(" ", "", "⋅", "·", "*", "·", ".", "·", "º", "°").Replace(strings.TrimSpace(symbol))
	table := unitTable()
	for _, exact := range []bool{true, false} {
		for _, u := range table {
			for _, s := range strings.Fields(u.symbols) {
				// MW and mW differ by their case alone.
				if s == symbol || !exact && len(symbol) > 2 && strings.EqualFold(s, symbol) && !strings.HasPrefix(symbol, "m") && !strings.HasPrefix(symbol, "M") {
					return u.conversion, symbol != ""
				}
			}
		}
	}
	if code := commonCode(unitID); unitID > 0 {
		for _, u := range table {
			if u.code == code {
				return u.conversion, true
			}
		}
	}
	return conversion{}, false
}
