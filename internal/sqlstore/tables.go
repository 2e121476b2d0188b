package sqlstore

// kind is how a column's values travel in a dump.
type kind byte

const (
	integer kind = 'i'
	text    kind = 't'
	blob    kind = 'b'
)

type column struct {
	name string
	kind kind
}

// table is one that a dump holds. Both engines have it with these columns,
// none of which may be NULL.
type table struct {
	name    string
	columns []column
	order   string // rows come in this order
	numbers string // the column that the engine numbers, "" for none
}

func (t *table) names() []string {
	names := make([]string, len(t.columns))
	for i := range t.columns {
		names[i] = t.columns[i].name
	}
	return names
}

// dumped lists the tables of a dump, those that others refer to first.
// Sessions are left out: who was logged in logs in again. So is who relays
// the outbox.
func dumped() []table {
	return []table{
		{"meters", []column{{"id", integer}, {"meter_id", text}}, "id", "id"},
		{"day_chunks", []column{{"id", integer}, {"days", blob}, {"features", blob}, {"curves", blob}}, "id", ""},
		{"open_days", append([]column{{"chunk", integer}, {"meter", integer}}, versionColumns(column{"curve", blob})...), "chunk, meter", ""},
		{"day_versions", append([]column{{"meter", integer}, {"day", integer}},
			versionColumns(column{"features", blob}, column{"curve", blob})...), "meter, day, version", ""},
		{"readers", []column{{"id", integer}, {"name", text}, {"token", integer}, {"position", integer}}, "id", "id"},
		{"reader_states", []column{{"meter", integer}, {"day", integer}, {"reader", integer}, {"data", blob}}, "meter, day", ""},
		{"outbox", []column{{"id", integer}, {"topic", text}, {"key", text}, {"msg_id", text}, {"data", blob}}, "id", "id"},
		{"detection_runs", []column{{"run_id", text}, {"at", integer}, {"result", blob}, {"considered", integer}}, "at, run_id", ""},
		{"registry_records", []column{{"kind", text}, {"seq", integer}, {"record", blob}}, "kind, seq", ""},
		{"case_numbers", []column{{"year", integer}, {"last", integer}}, "year", ""},
		{"cases", []column{{"serial", integer}, {"id", text}, {"subject_kind", text}, {"subject_id", text},
			{"state", text}, {"version", integer}, {"head", blob}}, "serial", "serial"},
		{"case_events", []column{{"case_id", text}, {"seq", integer}, {"at", integer}, {"type", text}, {"event", blob}}, "case_id, seq", ""},
		{"inspections", []column{{"usage_point_id", text}, {"day", integer}, {"stored", integer}, {"inspection", blob}}, "day, usage_point_id", ""},
		{"users", []column{{"login", text}, {"display_name", text}, {"roles", text}, {"hash", text},
			{"created", integer}, {"disabled", integer}}, "login", ""},
	}
}

// versionColumns are those that say how a version of a day came about.
func versionColumns(more ...column) []column {
	return append([]column{{"version", integer}, {"at", integer}, {"rule", text}, {"author", text}, {"reason", text}}, more...)
}
