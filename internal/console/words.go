package console

import "strings"

// words holds what codes are called on the desk, seven words or fewer. A code
// that is not listed is shown with its underscores as spaces.
type words struct {
	reasons, innocent, verdicts, measures, states, measureStates, classes, protected, roles, outcomes, evidence, detectors, metrics map[string]string
}

func newWords() words {
	return words{
		reasons:       reasonWords(),
		innocent:      innocentWords(),
		evidence:      evidenceWords(),
		metrics:       metricNames(),
		verdicts:      verdictWords(),
		measures:      measureWords(),
		states:        map[string]string{"open": "Open", "reviewed": "Desk review done", "desk_review": "Desk review", "closed": "Closed"},
		measureStates: map[string]string{"open": "open", "blocked": "blocked", "running": "running", "done": "done", "not_applicable": "does not apply"},
		classes:       map[string]string{"ordinary": "ordinary customer", "important": "important customer", "residential": "residential"},
		protected:     map[string]string{"life_support": "life support", "medical": "medical need", "essential_service": "essential service", "other_users": "others on the same supply"},
		roles: map[string]string{"case_officer": "Case officer", "control_room": "Control-room engineer", "admin": "Administrator",
			"inspector": "Field inspector", "viewer": "Viewer", "station_head": "Station head", "unit_head": "Unit head", "company_manager": "Company manager", "executive": "Executive", "auditor": "Auditor"},
		outcomes:  map[string]string{"explains": "Explains it", "open": "Open", "unlikely": "Unlikely", "ruled_out": "Ruled out"},
		detectors: detectorWords(),
	}
}

// evidenceWords name a fact where its detector gave no sentence for it.
func evidenceWords() map[string]string {
	return map[string]string{
		"step_significance": "Step of the base load", "step_uniform": "Evenness of the step", "step_stays": "Share of the step that stayed",
		"base_home": "Base load against homes", "flat_level": "Share of flat hours", "flat_share": "Share of flat hours",
		"night_day": "Night to day", "night_day_ratio": "Night to day", "notch": "Pause at the evening peak", "roughness": "Hour-to-hour variation",
		"energy_over_use": "Energy against the declared use", "peak_over_contract": "Peak against the contract", "unexplained_power": "Unexplained power",
		"loading_p95": "95th percentile of loading", "loading_max": "Highest loading", "hot_spot": "Highest hot-spot", "relative_ageing": "Relative ageing", "fitting_rating": "Rating that would fit",
	}
}

func metricNames() map[string]string {
	return map[string]string{
		"loading_p95_pct": "Loading, 95th percentile", "loading_max_pct": "Loading, highest hour", "hot_spot_max_c": "Hot-spot, highest",
		"loss_pct": "Loss and residual", "unexplained_kwh_month": "Unexplained", "relative_ageing": "Relative ageing",
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
