package meter

// Quantity names what was measured. The text form is stable: it is the key
// in files, in the historian and on the wire to detectors.
type Quantity string

// Unit is the symbol in which a Quantity is always expressed.
type Unit string

// Units in use. Energies and powers are primary values.
const (
	KilowattHour Unit = "kWh"
	KilovarHour  Unit = "kvarh"
	Kilowatt     Unit = "kW"
	Kilovar      Unit = "kvar"
	KilovoltAmp  Unit = "kVA"
	Volt         Unit = "V"
	Ampere       Unit = "A"
	Hertz        Unit = "Hz"
	Percent      Unit = "%"
	Celsius      Unit = "°C"
	Second       Unit = "s"
	One          Unit = "1"
)

// Quantities. Registers named …Energy are cumulative; A, B, C are the phases,
// N the neutral; voltages are phase to neutral,
// those of two phases between them.
const (
	ActiveEnergyImport   Quantity = "active_energy_import"
	ActiveEnergyExport   Quantity = "active_energy_export"
	ReactiveEnergyImport Quantity = "reactive_energy_import"
	ReactiveEnergyExport Quantity = "reactive_energy_export"

	ActivePower   Quantity = "active_power"
	ActivePowerA  Quantity = "active_power_a"
	ActivePowerB  Quantity = "active_power_b"
	ActivePowerC  Quantity = "active_power_c"
	ReactivePower Quantity = "reactive_power"
	ApparentPower Quantity = "apparent_power"
	PowerFactor   Quantity = "power_factor"

	ReactivePowerA Quantity = "reactive_power_a"
	ReactivePowerB Quantity = "reactive_power_b"
	ReactivePowerC Quantity = "reactive_power_c"
	ApparentPowerA Quantity = "apparent_power_a"
	ApparentPowerB Quantity = "apparent_power_b"
	ApparentPowerC Quantity = "apparent_power_c"
	PowerFactorA   Quantity = "power_factor_a"
	PowerFactorB   Quantity = "power_factor_b"
	PowerFactorC   Quantity = "power_factor_c"

	Frequency Quantity = "frequency"

	VoltageA  Quantity = "voltage_a"
	VoltageB  Quantity = "voltage_b"
	VoltageC  Quantity = "voltage_c"
	VoltageAB Quantity = "voltage_ab"
	VoltageBC Quantity = "voltage_bc"
	VoltageCA Quantity = "voltage_ca"
	CurrentA  Quantity = "current_a"
	CurrentB  Quantity = "current_b"
	CurrentC  Quantity = "current_c"
	CurrentN  Quantity = "current_n"

	THDCurrent  Quantity = "thd_current"
	THDVoltage  Quantity = "thd_voltage"
	THDCurrentA Quantity = "thd_current_a"
	THDCurrentB Quantity = "thd_current_b"
	THDCurrentC Quantity = "thd_current_c"
	THDVoltageA Quantity = "thd_voltage_a"
	THDVoltageB Quantity = "thd_voltage_b"
	THDVoltageC Quantity = "thd_voltage_c"

	TopOilTemperature   Quantity = "top_oil_temperature"
	HotSpotTemperature  Quantity = "hot_spot_temperature"
	AmbientTemperature  Quantity = "ambient_temperature"
	WindingTemperature  Quantity = "winding_temperature"
	WindingTemperatureA Quantity = "winding_temperature_a"
	WindingTemperatureB Quantity = "winding_temperature_b"
	WindingTemperatureC Quantity = "winding_temperature_c"
	CoreTemperature     Quantity = "core_temperature"
	OilLevel            Quantity = "oil_level"

	// States are 1 while they hold and 0 otherwise.
	FanRunning Quantity = "fan_running"
	Alarm      Quantity = "alarm"
	Trip       Quantity = "trip"

	// ClockOffset is how far the device's clock is ahead of the receiver's.
	ClockOffset Quantity = "clock_offset"
)

// quantities lists every known quantity with its unit, in a stable order.
var quantities = [...]struct {
	q Quantity
	u Unit
}{
	{ActiveEnergyImport, KilowattHour}, {ActiveEnergyExport, KilowattHour},
	{ReactiveEnergyImport, KilovarHour}, {ReactiveEnergyExport, KilovarHour},
	{ActivePower, Kilowatt}, {ActivePowerA, Kilowatt}, {ActivePowerB, Kilowatt}, {ActivePowerC, Kilowatt},
	{ReactivePower, Kilovar}, {ApparentPower, KilovoltAmp}, {PowerFactor, One}, {Frequency, Hertz},
	{VoltageA, Volt}, {VoltageB, Volt}, {VoltageC, Volt},
	{CurrentA, Ampere}, {CurrentB, Ampere}, {CurrentC, Ampere}, {CurrentN, Ampere},
	{THDCurrent, Percent}, {THDVoltage, Percent},
	{TopOilTemperature, Celsius}, {HotSpotTemperature, Celsius}, {AmbientTemperature, Celsius},
	{ReactivePowerA, Kilovar}, {ReactivePowerB, Kilovar}, {ReactivePowerC, Kilovar},
	{ApparentPowerA, KilovoltAmp}, {ApparentPowerB, KilovoltAmp}, {ApparentPowerC, KilovoltAmp},
	{PowerFactorA, One}, {PowerFactorB, One}, {PowerFactorC, One},
	{VoltageAB, Volt}, {VoltageBC, Volt}, {VoltageCA, Volt},
	{THDCurrentA, Percent}, {THDCurrentB, Percent}, {THDCurrentC, Percent},
	{THDVoltageA, Percent}, {THDVoltageB, Percent}, {THDVoltageC, Percent},
	{WindingTemperature, Celsius}, {WindingTemperatureA, Celsius}, {WindingTemperatureB, Celsius}, {WindingTemperatureC, Celsius},
	{CoreTemperature, Celsius}, {OilLevel, Percent}, {FanRunning, One}, {Alarm, One}, {Trip, One}, {ClockOffset, Second},
}

// Unit returns the unit of q, or "" when q is not a known quantity.
func (q Quantity) Unit() Unit {
	for _, known := range quantities {
		if known.q == q {
			return known.u
		}
	}
	return ""
}

// Valid reports whether q is a known quantity.
func (q Quantity) Valid() bool { return q.Unit() != "" }

// Cumulative reports whether q is a register that only rises in service.
func (q Quantity) Cumulative() bool {
	switch q {
	case ActiveEnergyImport, ActiveEnergyExport, ReactiveEnergyImport, ReactiveEnergyExport:
		return true
	}
	return false
}

// Quantities returns all known quantities in a stable order.
func Quantities() []Quantity {
	out := make([]Quantity, len(quantities))
	for i, known := range quantities {
		out[i] = known.q
	}
	return out
}
