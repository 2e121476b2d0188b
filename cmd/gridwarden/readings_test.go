package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// newReadingsSite has an hourly day of meter M1 with a gap at 03:00, an
// officer who may edit and an auditor who may not.
func newReadingsSite(t *testing.T) site {
	t.Helper()
	s := newSite(t)
	file := s.write(t, "march.csv", export("2026-03-01", func(_ string, h int) string {
		if h >= 3 && h < 6 {
			return ""
		}
		return "0.5"
	}, "M1"))
	for _, args := range [][]string{
		{"import", "readings", file, "-c", s.config},
		{"users", "add", "lin.wei", "--role", "case_officer", "-c", s.config},
		{"users", "add", "wu.gang", "--role", "auditor", "-c", s.config},
	} {
		if code, _, stderr := gridwarden(t, args...); code != 0 {
			t.Fatalf("%v: exit %d\n%s", args, code, stderr)
		}
	}
	return s
}

func (s site) readings(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return gridwarden(t, append(append([]string{"readings"}, args...), "-c", s.config)...)
}

func TestReadingsAreEditedAndWithdrawn(t *testing.T) {
	s := newReadingsSite(t)
	code, stdout, stderr := s.readings(t, "show", "M1", "2026-03-01")
	if code != 0 || !strings.Contains(stdout, "Meter M1 on 2026-03-01, closed, 24 intervals of 60 minutes from 00:00 +03:30.\n10.5000 kWh in 21 usable intervals, 21 of them good. 1 versions; this one: imported: march.csv.\n") ||
		!strings.Contains(stdout, "\n03:00  -       bad      missing\n") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}

	code, stdout, stderr = s.readings(t, "edit", "M1", "2026-03-01", "--at", "03:00", "--kwh", "0.25,0.5", "--kwh", "0", "--reason", "the customer's own record", "--as", "Lin.Wei")
	if code != 0 || !strings.Contains(stdout, "11.2500 kWh in 24 usable intervals, 21 of them good. 2 versions; this one: edited by lin.wei: the customer's own record.") {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	show := func(args ...string) (d dayDocument) {
		t.Helper()
		code, stdout, stderr := s.readings(t, append([]string{"show", "M1", "2026-03-01", "--json"}, args...)...)
		if code != 0 {
			t.Fatalf("exit %d\n%s", code, stderr)
		}
		if err := json.Unmarshal([]byte(stdout), &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	d := show("--versions")
	if line := d.Intervals[4]; line.Flags != "edited" || line.Quality != "uncertain" || line.KWh == nil || *line.KWh != 0.5 || line.Begin.Format("15:04") != "04:00" {
		t.Errorf("the edited interval is %+v", line)
	}
	if len(d.Versions) != 2 || d.Versions[1].Changed != 3 || d.Versions[1].Origin.Author != "lin.wei" || !d.Versions[1].Current || d.Versions[0].Stored == nil {
		t.Errorf("versions %+v", d.Versions)
	}
	if first := show("--version", "1"); first.Intervals[4].KWh != nil || first.Origin.Rule != "imported" {
		t.Errorf("the first version has %+v by %+v", first.Intervals[4], first.Origin)
	}

	if code, stdout, stderr = s.readings(t, "withdraw", "M1", "2026-03-01", "--at", "04:00", "--to", "06:00", "--reason", "for the neighbour", "--as", "lin.wei"); code != 0 {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	if d := show(); d.Intervals[3].KWh == nil || d.Intervals[4].KWh != nil || d.Intervals[5].Flags != "missing" {
		t.Errorf("after the withdrawal: %+v", d.Intervals[3:6])
	}
	code, stdout, _ = s.readings(t, "show", "M1", "2026-03-01", "--versions")
	for _, want := range []string{"\n3 (current)  ", "  edited by lin.wei: withdrawn: for the neighbour\n", "  imported: march.csv\n"} {
		if code != 0 || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, without %q:\n%s", code, want, stdout)
		}
	}
}

func TestReadingsEditsThatAreRefused(t *testing.T) {
	s := newReadingsSite(t)
	edit := func(args ...string) []string { return append([]string{"edit", "M1", "2026-03-01"}, args...) }
	signed := []string{"--reason", "r", "--as", "lin.wei"}
	for _, c := range []struct {
		args []string
		want string
	}{
		{edit("--at", "03:00", "--kwh", "1", "--as", "lin.wei"), "give --reason and --as"},
		{edit("--at", "03:00", "--kwh", "1", "--reason", "r"), "give --reason and --as"},
		{edit("--at", "03:00", "--kwh", "1", "--reason", "r", "--as", "nobody"), `--as: "nobody": may not edit readings; ` + "`gridwarden users list`"},
		{edit("--at", "03:00", "--kwh", "1", "--reason", "r", "--as", "wu.gang"), "--as: wu.gang: may not edit readings; that is for [case_officer"},
		{edit(append(signed, "--at", "03:00")...), "give --at HH:MM and --kwh"},
		{edit(append(signed, "--at", "03:10", "--kwh", "1")...), `--at: no interval of 2026-03-01 begins at "03:10"`},
		{edit(append(signed, "--at", "23:00", "--kwh", "1,2")...), "do not fit in"},
		{edit(append(signed, "--at", "03:00", "--kwh", "-1")...), "cannot edit: -1 kWh in an interval of 1h0m0s; give 0 to 200"},
		{append([]string{"edit", "M1", "2026-03-02", "--at", "03:00", "--kwh", "1"}, signed...), "meter M1 has no curve on 2026-03-02"},
		{append([]string{"edit", "M1", "1. March"}, signed...), `"1. March" is not a date`},
		{append([]string{"withdraw", "M1", "2026-03-01"}, signed...), "none of these intervals is edited"},
		{append([]string{"withdraw", "M1", "2026-03-01", "--at", "05:00", "--to", "04:00"}, signed...), "--to 04:00 is not after --at 05:00"},
		{[]string{"show", "M1", "2026-03-01", "--version", "7"}, "--version 7: meter M1 has versions 1 to 1"},
		{[]string{"show", "X", "2026-03-01"}, "meter X has no curve on 2026-03-01"},
	} {
		if code, stdout, stderr := s.readings(t, c.args...); code != exitUsage || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%v: exit %d, %s%s, want %q", c.args, code, stdout, stderr, c.want)
		}
	}
}

// TestReadingsAtClockChanges names an interval in the hour that comes twice.
func TestReadingsAtClockChanges(t *testing.T) {
	s := newReadingsSite(t)
	s.write(t, "gridwarden.yaml", "data_dir: data\nregistry: registry\nsite: {time_zone: Europe/Vienna}\nconsole: {listen: 127.0.0.1:0}\n")
	file := s.write(t, "october.csv", strings.Replace(strings.Replace(export("2026-10-25", flat("0.5"), "M1"), ",p24", ",p24,p25", 1), "0.5\n", "0.5,0.5\n", 1))
	if code, _, stderr := gridwarden(t, "import", "readings", file, "-c", s.config); code != 0 {
		t.Fatalf("exit %d\n%s", code, stderr)
	}
	edit := func(at string) (int, string, string) {
		return s.readings(t, "edit", "M1", "2026-10-25", "--at", at, "--kwh", "0.75", "--reason", "r", "--as", "lin.wei", "--json")
	}
	if code, _, stderr := edit("02:00"); code != exitUsage || !strings.Contains(stderr, "02:00 comes twice on 2026-10-25; write it as 02:00+02:00 or 02:00+01:00") {
		t.Errorf("exit %d, %s", code, stderr)
	}
	code, stdout, stderr := edit("02:00+01:00")
	var d dayDocument
	if err := json.Unmarshal([]byte(stdout), &d); err != nil || code != 0 {
		t.Fatalf("exit %d, %v\n%s", code, err, stderr)
	}
	if len(d.Intervals) != 25 || d.Intervals[3].Flags != "edited" || d.Intervals[2].Flags != "" {
		t.Errorf("%d intervals, %+v", len(d.Intervals), d.Intervals[2:4])
	}
}
