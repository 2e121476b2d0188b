package opcua

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// kind is what a name says that a variable measures, before phase and direction.
type kind struct {
	names  string         // each a sequence of words joined by "_"
	total  meter.Quantity // without a phase; "" where it needs one
	phases [3]meter.Quantity
	lines  [3]meter.Quantity // between two phases
	n      meter.Quantity    // of the neutral
	export meter.Quantity    // in the other direction
}

// kinds lists the names under which quantities go, in English and German and
// as letters, as makers and companion specifications write them.
func kinds() []kind {
	return []kind{
		{
			names:  "active_power real_power p power wirkleistung kw active_power_p total_power",
			total:  meter.ActivePower,
			phases: [3]meter.Quantity{meter.ActivePowerA, meter.ActivePowerB, meter.ActivePowerC},
		},
		{
			names:  "reactive_power q kvar blindleistung",
			total:  meter.ReactivePower,
			phases: [3]meter.Quantity{meter.ReactivePowerA, meter.ReactivePowerB, meter.ReactivePowerC},
		},
		{
			names:  "apparent_power s kva scheinleistung",
			total:  meter.ApparentPower,
			phases: [3]meter.Quantity{meter.ApparentPowerA, meter.ApparentPowerB, meter.ApparentPowerC},
		},
		{
			names:  "power_factor pf cos_phi cosphi leistungsfaktor",
			total:  meter.PowerFactor,
			phases: [3]meter.Quantity{meter.PowerFactorA, meter.PowerFactorB, meter.PowerFactorC},
		},
		{names: "frequency freq f line_frequency grid_frequency netzfrequenz frequenz", total: meter.Frequency},
		{
			names:  "voltage u v volt volts spannung phase_voltage line_voltage ph_v",
			phases: [3]meter.Quantity{meter.VoltageA, meter.VoltageB, meter.VoltageC},
			lines:  [3]meter.Quantity{meter.VoltageAB, meter.VoltageBC, meter.VoltageCA},
		},
		{
			names:  "current i amp amps strom phase_current line_current",
			phases: [3]meter.Quantity{meter.CurrentA, meter.CurrentB, meter.CurrentC}, n: meter.CurrentN,
		},
		{
			names: "active_energy energy kwh wirkenergie wirkarbeit real_energy e_active wh energy_active",
			total: meter.ActiveEnergyImport, export: meter.ActiveEnergyExport,
		},
		{
			names: "reactive_energy kvarh blindenergie blindarbeit varh",
			total: meter.ReactiveEnergyImport, export: meter.ReactiveEnergyExport,
		},
		{
			names: "thd_i thd_current current_thd i_thd thdi", total: meter.THDCurrent,
			phases: [3]meter.Quantity{meter.THDCurrentA, meter.THDCurrentB, meter.THDCurrentC},
		},
		{
			names: "thd_u thd_v thd_voltage voltage_thd u_thd v_thd thdu thdv", total: meter.THDVoltage,
			phases: [3]meter.Quantity{meter.THDVoltageA, meter.THDVoltageB, meter.THDVoltageC},
		},
		{names: "top_oil_temperature top_oil_temp top_oil oil_temperature oil_temp öltemperatur", total: meter.TopOilTemperature},
		{names: "hot_spot_temperature hot_spot_temp hot_spot hotspot hotspot_temperature", total: meter.HotSpotTemperature},
		{names: "ambient_temperature ambient_temp ambient umgebungstemperatur", total: meter.AmbientTemperature},
		{names: "core_temperature core_temp", total: meter.CoreTemperature},
		{
			names: "winding_temperature winding_temp wicklungstemperatur", total: meter.WindingTemperature,
			phases: [3]meter.Quantity{meter.WindingTemperatureA, meter.WindingTemperatureB, meter.WindingTemperatureC},
		},
		{names: "oil_level ölstand", total: meter.OilLevel},
		{names: "fan_running fan fan_on fans_running", total: meter.FanRunning},
		{names: "alarm alarm_active", total: meter.Alarm},
		{names: "trip tripped trip_active", total: meter.Trip},
		{names: "clock_offset", total: meter.ClockOffset},
	}
}

// Words that change nothing, and those that give the direction.
const (
	fillers = " total sum tot all 3ph three phase ph value val present actual act measured meas instantaneous inst rms 3p sigma system sys active_flag "
	imports = " import imported imp in consumed consumption forward fwd positive pos plus bezug "
	exports = " export exported exp out generated reverse rev negative neg minus feed lieferung "
)

// words splits a browse name at separators, changes of case and between
// letters and digits: "ActivePowerL1" → active power l1, "Voltage L1-N" →
// voltage l1 n. Units stay whole, and go where they stand in brackets: there
// "A" is no phase.
func words(name string) []string {
	for _, pair := range [][2]string{{"(", ")"}, {"[", "]"}} {
		before, rest, opened := strings.Cut(name, pair[0])
		inside, after, closed := strings.Cut(rest, pair[1])
		if _, unit := convert(inside, 0); opened && closed && unit {
			name = before + " " + after
		}
	}
	var out []string
	for _, part := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if lower := strings.ToLower(part); strings.Contains(unitWords, " "+lower+" ") {
			out = append(out, lower)
			continue
		}
		out = append(out, split(part)...)
	}
	return out
}

// split divides one part of a name at changes of case and before digits.
func split(part string) []string {
	var out []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			out = append(out, strings.ToLower(string(word)))
			word = nil
		}
	}
	runes := []rune(part)
	for i, r := range runes {
		switch {
		case unicode.IsUpper(r) && i > 0:
			lower := unicode.IsLower(runes[i-1])
			// The last capital of a run begins the next word: "THDVoltage".
			begins := unicode.IsUpper(runes[i-1]) && i+1 < len(runes) && unicode.IsLower(runes[i+1])
			if lower || begins {
				flush()
			}
		case unicode.IsDigit(r) && i > 0 && unicode.IsLetter(runes[i-1]) && len(word) > 1:
			// "Power3" is two words, "L1", "U12" and "P1" one.
			flush()
		}
		word = append(word, r)
	}
	flush()
	return out
}

// phase is what the words beside the kind say: none, of one phase, between
// two, or of the neutral.
type phase struct {
	of      int // 0 none, 1 to 3
	between bool
	neutral bool
}

// matchName finds the quantity that a browse name means. A word that is not
// understood makes it none: "ActivePowerLimit" is no power.
func matchName(name string) (meter.Quantity, bool) {
	list := words(name)
	if len(list) == 0 || len(list) > 8 {
		return "", false
	}
	for length := min(3, len(list)); length >= 1; length-- {
		for at := 0; at+length <= len(list); at++ {
			joined := strings.Join(list[at:at+length], "_")
			rest := append(slices.Clone(list[:at]), list[at+length:]...)
			for _, k := range kinds() {
				for _, n := range strings.Fields(k.names) {
					if n != joined {
						// "u1", "i3", "p12": a letter with its phase.
						if length != 1 || len(n) != 1 || len(joined) < 2 || joined[:1] != n || !digits(joined[1:]) {
							continue
						}
						if q, ok := k.quantity(append(slices.Clone(rest), joined[1:])); ok {
							return q, true
						}
						continue
					}
					if q, ok := k.quantity(rest); ok {
						return q, true
					}
				}
			}
		}
	}
	return "", false
}

func digits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}

// quantity reads phase and direction out of the other words.
func (k *kind) quantity(rest []string) (meter.Quantity, bool) {
	var p phase
	export, phases := false, ""
	for _, w := range rest {
		padded := " " + w + " "
		switch {
		case strings.Contains(fillers, padded), strings.Contains(unitWords, padded):
		case strings.Contains(imports, padded) && k.export != "":
		case strings.Contains(exports, padded) && k.export != "":
			export = true
		default:
			letters, ok := phaseLetters(w)
			if !ok {
				return "", false
			}
			phases += letters
		}
	}
	switch phases {
	case "":
	case "a", "b", "c", "an", "bn", "cn":
		p.of = int(phases[0]-'a') + 1
	case "ab", "bc", "ca":
		p.of, p.between = int(phases[0]-'a')+1, true
	case "ac":
		p.of, p.between = 3, true
	case "n":
		p.neutral = true
	default:
		return "", false
	}
	q := k.total
	switch {
	case export && p.of == 0:
		q = k.export
	case export:
		q = ""
	case p.neutral:
		q = k.n
	case p.between:
		q = k.lines[p.of-1]
	case p.of > 0:
		q = k.phases[p.of-1]
	}
	return q, q != ""
}

// unitWords are units that names end in; the server's own unit decides.
const unitWords = " kw mw kvar var kva va kwh wh mwh kvarh varh hz pct percent degc celsius "

// phaseLetters reads one word of a phase as the letters a, b, c and n.
func phaseLetters(w string) (string, bool) {
	known := map[string]string{
		"l1": "a", "l2": "b", "l3": "c", "a": "a", "b": "b", "c": "c", "n": "n", "neutral": "n", "r": "a", "y": "b", "1": "a", "2": "b", "3": "c", "l": "",
		"l1n": "an", "l2n": "bn", "l3n": "cn", "an": "an", "bn": "bn", "cn": "cn", "ab": "ab", "bc": "bc", "ca": "ca", "12": "ab", "23": "bc", "31": "ca", "13": "ac",
		"l12": "ab", "l23": "bc", "l31": "ca", "l1l2": "ab", "l2l3": "bc", "l3l1": "ca", "to": "", "phsa": "a", "phsb": "b", "phsc": "c",
	}
	out, ok := known[w]
	return out, ok
}

// match is what a variable is to us.
type match struct {
	quantity meter.Quantity
	conversion
	assumed bool // the server names no unit; ours is taken for it
}

// matchVariable finds the quantity of a variable by name and unit. why says
// what stands in the way.
func matchVariable(v *Variable) (m match, why string) {
	q, ok := matchName(v.Name)
	if !ok {
		return m, "no quantity goes by this name"
	}
	m = match{quantity: q, conversion: conversion{q.Unit(), 1, 0}}
	if v.Bool {
		if q != meter.Alarm && q != meter.Trip && q != meter.FanRunning {
			return match{}, fmt.Sprintf("it would be %s, but is true or false", q)
		}
		return m, ""
	}
	if v.Unit == "" && v.UnitID <= 0 {
		m.assumed = q.Unit() != meter.One
		if u, known := unitInName(v.Name); known && u.to == q.Unit() {
			m.conversion, m.assumed = u, false
		}
		return m, ""
	}
	c, known := convert(v.Unit, v.UnitID)
	switch {
	case known && c.to == q.Unit():
		m.conversion = c
	case known && q.Unit() == meter.One && c.to == meter.Percent:
		m.conversion = conversion{meter.One, 0.01, 0}
	case known && q.Unit() == meter.Percent && c.to == meter.One:
		m.conversion = conversion{meter.Percent, 100, 0}
	case q.Unit() == meter.One && !known:
	case known:
		return match{}, fmt.Sprintf("by its name it would be %s in %s, but its unit is %q", q, q.Unit(), v.Unit)
	default:
		return match{}, fmt.Sprintf("it would be %s, but its unit %q is not known", q, v.Unit)
	}
	return m, ""
}

// unitInName finds a unit as the last word of a name: "P_total_kW".
func unitInName(name string) (conversion, bool) {
	parts := strings.FieldsFunc(name, func(r rune) bool {
		return r == '_' || r == ' ' || r == '(' || r == ')' || r == '[' || r == ']' || r == '.'
	})
	if len(parts) < 2 {
		return conversion{}, false
	}
	last := parts[len(parts)-1]
	if last == "A" || last == "V" || last == "K" || last == "1" { // as likely a phase
		return conversion{}, false
	}
	return convert(last, 0)
}
