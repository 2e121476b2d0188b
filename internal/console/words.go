package console

import "strings"

// words holds what codes are called on the desk, seven words or fewer. A code
// that is not listed is shown with its underscores as spaces.
type words struct {
	reasons, innocent, verdicts, measures, states, measureStates, uses, classes, protected, roles, outcomes, evidence, detectors map[string]string
}

func newWords() words {
	return words{
		reasons:       reasonWords(),
		innocent:      innocentWords(),
		evidence:      evidenceWords(),
		verdicts:      verdictWords(),
		measures:      measureWords(),
		states:        map[string]string{"open": "Open", "reviewed": "Desk review done", "desk_review": "Desk review", "closed": "Closed"},
		measureStates: map[string]string{"open": "open", "blocked": "blocked", "running": "running", "done": "done", "does_not_apply": "does not apply"},
		uses:          map[string]string{"other": "Use not recognised"},
		classes:       map[string]string{"ordinary": "ordinary customer", "important": "important customer", "residential": "residential"},
		protected:     map[string]string{"life_support": "life support", "medical": "medical need", "essential_service": "essential service", "other_users": "others on the same supply"},
		roles: map[string]string{"case_officer": "Case officer", "control_room": "Control-room engineer", "operator": "Operator", "admin": "Administrator",
			"inspector": "Field inspector", "viewer": "Viewer", "station_head": "Station head", "unit_head": "Unit head", "company_manager": "Company manager", "executive": "Executive", "auditor": "Auditor"},
		outcomes:  map[string]string{"explains": "Explains it", "open": "Open", "unlikely": "Unlikely", "ruled_out": "Ruled out"},
		detectors: map[string]string{"hiddenmining": "Hidden mining", "declareduse": "Declared use", "energybalance": "Energy balance", "undersized": "Transformer loading", "prior": "Before any evidence"},
	}
}

func reasonWords() map[string]string {
	return map[string]string{
		"flat_load":              "Flat day and night",
		"flat_day_and_night":     "Flat day and night",
		"flat_night":             "Flat at night",
		"night_load":             "Night load",
		"base_step":              "Base load stepped up",
		"base_load_step":         "Base load stepped up",
		"step_load":              "Load stepped up",
		"ramp_load":              "Flat load grows in steps",
		"ramp":                   "Flat load grows in steps",
		"listed_ip":              "Listed IP",
		"peak_evasion":           "Pauses at the evening peak",
		"peak_avoidance":         "Pauses at the evening peak",
		"interruptible_flat":     "Flat load that pauses on schedule",
		"use_not_declared":       "Use not the declared one",
		"energy_above_use":       "More energy than the use needs",
		"energy_above_declared":  "More energy than the use needs",
		"outside_hours":          "Load outside opening hours",
		"off_hours_load":         "Load outside opening hours",
		"tariff_misuse":          "Residential tariff, trade use",
		"tariff_mismatch":        "Residential tariff, trade use",
		"public_supply":          "Public supply used",
		"public_supply_used":     "Public supply used",
		"over_contract":          "Over contracted kVA",
		"over_contracted":        "Over contracted kVA",
		"over_capacity":          "Over contracted kVA",
		"unexplained_energy":     "Unexplained energy",
		"residual_energy":        "Unexplained energy",
		"energy_loss":            "Energy missing at the transformer",
		"energy_imbalance":       "Energy missing at the transformer",
		"unmetered_load":         "Load behind no meter",
		"under_registration":     "Meter registers too little",
		"fractional_theft":       "Meter registers too little",
		"bypass":                 "Load fed around the meter",
		"direct_tap":             "Load behind no meter",
		"theft":                  "Energy missing at the transformer",
		"consumption_drop":       "Use dropped, transformer's did not",
		"records_error":          "Wrong transformer on record",
		"wrong_transformer":      "Wrong transformer on record",
		"mapping_error":          "Wrong transformer on record",
		"overloaded":             "Transformer overloaded",
		"transformer_overloaded": "Transformer overloaded",
		"undersized":             "Transformer too small for its load",
		"transformer_undersized": "Transformer too small for its load",
	}
}

func innocentWords() map[string]string {
	return map[string]string{
		"thermostat":             "Cooling or heating that cycles",
		"cold_store":             "Cold store or freezer",
		"weather":                "Follows the weather",
		"follows_weather":        "Follows the weather",
		"heating":                "Electric heating",
		"electric_heating":       "Electric heating",
		"heat_pump":              "Heat pump",
		"opening_hours":          "Opening hours",
		"ev_charging":            "Car charging",
		"registered_data_centre": "Registered data centre",
		"telecom":                "Telecom base station",
		"telecom_mast":           "Telecom base station",
		"expected_flat":          "Flat by the declared use",
		"flat_by_nature":         "Flat by the declared use",
		"declared_flat":          "Flat by the declared use",
		"shift_work":             "Shift work",
		"holiday":                "Holiday",
		"wrong_mapping":          "Wrong transformer on record",
		"mapping":                "Wrong transformer on record",
		"mapping_doubt":          "Wrong transformer on record",
		"records_error":          "Wrong transformer on record",
		"ct_ratio":               "Wrong CT ratio or multiplier",
		"wrong_ratio":            "Wrong CT ratio or multiplier",
		"multiplier":             "Wrong CT ratio or multiplier",
		"meter_exchange":         "Meter exchange",
		"technical_loss":         "Technical losses",
		"technical_losses":       "Technical losses",
		"street_lighting":        "Street lighting",
		"street_light":           "Street lighting",
		"unmetered":              "Known load without a meter",
		"vacancy":                "Moved out or away",
		"missing_data":           "Missing data",
		"bad_data":               "Missing data",
		"small_load":             "Load too small to matter",
		"server_hosting":         "Undeclared server hosting",
	}
}

func evidenceWords() map[string]string {
	return map[string]string{
		"flat_share":         "Share of flat hours",
		"base_step":          "Step of the base load",
		"night_day_ratio":    "Night to day",
		"load_factor":        "Load factor",
		"longest_flat":       "Longest flat stretch",
		"roughness":          "Roughness",
		"thd":                "Current distortion",
		"power_factor":       "Power factor",
		"listed_ip":          "Watchlist",
		"energy_ratio":       "Energy to expectation",
		"energy_excess":      "Energy above expectation",
		"residual":           "Residual",
		"weather_relation":   "Relation to weather",
		"holiday_share":      "Use on holidays",
		"hot_spot_max":       "Highest hot-spot",
		"loading_p95":        "95th percentile of loading",
		"relative_ageing":    "Relative ageing",
		"contracted_kva_use": "Use of contracted capacity",
	}
}

func verdictWords() map[string]string {
	return map[string]string{
		"ok": "In order", "overloaded": "Overloaded", "undersized": "Too small for its load", "theft": "Energy missing",
		"unmetered_load": "Load behind no meter", "records_error": "Records doubt", "no_meter": "No meter of its own",
	}
}

func measureWords() map[string]string {
	return map[string]string{
		"watch": "Watch", "desk_review": "Desk review", "inspect": "Inspect", "rectify": "Rectify",
		"tariff_correction": "Tariff correction", "refer": "Refer", "suspend": "Suspend", "restore": "Restore",
	}
}

// in looks a code up, else writes it with underscores as spaces and a capital.
func in(table map[string]string, code string) string {
	if w, ok := table[code]; ok {
		return w
	}
	return sentence(strings.ReplaceAll(code, "_", " "))
}

// lower looks a code up, else writes it with underscores as spaces.
func lower(table map[string]string, code string) string {
	if w, ok := table[code]; ok {
		return w
	}
	return strings.ReplaceAll(code, "_", " ")
}

// sentence makes the first letter a capital.
func sentence(s string) string {
	for i, r := range s {
		if i == 0 {
			return strings.ToUpper(string(r)) + s[len(string(r)):]
		}
	}
	return s
}

// uncapital makes the first letter small, unless the word is an abbreviation.
func uncapital(s string) string {
	if len(s) > 1 && s[1] >= 'A' && s[1] <= 'Z' {
		return s
	}
	for i, r := range s {
		if i == 0 {
			return strings.ToLower(string(r)) + s[len(string(r)):]
		}
	}
	return s
}

// list joins by commas and "and".
func list(parts []string) string {
	switch len(parts) {
	case 0:
		return ""
	case 1:
		return parts[0]
	}
	return strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}
