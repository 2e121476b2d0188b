package sqlstore

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/cases/casestest"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/curve/storetest"
	"github.com/gridwarden/gridwarden/internal/detect"
)

// take takes all letters, is done with them, and returns them.
func take(t *testing.T, db *DB) []Letter {
	t.Helper()
	letters, err := db.Outbox().Take(t.Context(), 1000)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	for _, l := range letters {
		ids = append(ids, l.ID)
	}
	if err := db.Outbox().Done(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	return letters
}

func TestLettersTellOfDays(t *testing.T) { eachEngine(t, lettersTellOfDays) }

func lettersTellOfDays(t *testing.T, db *DB) {
	day := func(meterID string, date curve.Date, seed int, rule string, open bool) curve.Day {
		d := storetest.Day(meterID, date, seed)
		d.Origin.Rule, d.Open = rule, open
		return d
	}
	for _, tc := range []struct {
		name string
		days []curve.Day
		want []string
	}{
		{"open", []curve.Day{day("A", 20000, 1, "polled", true)}, nil},
		{"closed", []curve.Day{day("A", 20000, 1, "polled", false), day("Ж\"", 20000, 1, "polled", false), day("A", 19999, 1, "imported", false)},
			[]string{`{"date":"2024-10-03","rule":"imported","meters":["A"]}`, `{"date":"2024-10-04","rule":"polled","meters":["A","Ж\""]}`}},
		{"the same again", []curve.Day{day("A", 20000, 1, "polled", false)}, nil},
		{"reopened", []curve.Day{day("A", 20000, 1, "late", true)}, []string{`{"date":"2024-10-04","rule":"late","reopened":true,"meters":["A"]}`}},
		{"still open", []curve.Day{day("A", 20000, 2, "late", true)}, nil},
		{"closed again", []curve.Day{day("A", 20000, 3, "late", false)}, []string{`{"date":"2024-10-04","rule":"late","meters":["A"]}`}},
		{"edited", []curve.Day{day("A", 20000, 4, "edited", false)}, []string{`{"date":"2024-10-04","rule":"edited","meters":["A"]}`}},
	} {
		if err := db.Curves().PutDays(t.Context(), tc.days, make([]curve.Features, len(tc.days))); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, l := range take(t, db) {
			var told struct{ Date string }
			if err := json.Unmarshal(l.Data, &told); err != nil || l.Topic != "METER_DAYS" || l.Key != told.Date || l.MsgID == "" {
				t.Errorf("%s: letter %+v, %v", tc.name, l, err)
			}
			got = append(got, string(l.Data))
		}
		if strings.Join(got, "\n") != strings.Join(tc.want, "\n") {
			t.Errorf("%s: letters\n%s\nwant\n%s", tc.name, strings.Join(got, "\n"), strings.Join(tc.want, "\n"))
		}
	}
}

// Many meters with long names make many letters, each below 60 KB, and every
// meter is in one.
func TestLettersStaySmall(t *testing.T) {
	db := openAt(t, newSQLite(t))
	var days []curve.Day
	for m := range 2000 {
		days = append(days, storetest.Day(fmt.Sprintf("%s%04d", strings.Repeat("\x01", 124), m), 20000, m))
	}
	if err := db.Curves().PutDays(t.Context(), days, make([]curve.Features, len(days))); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, l := range take(t, db) {
		var told struct{ Meters []string }
		if err := json.Unmarshal(l.Data, &told); err != nil || len(l.Data) > 60<<10 {
			t.Errorf("a letter has %d bytes, %v", len(l.Data), err)
		}
		for _, id := range told.Meters {
			seen[id] = true
		}
	}
	if len(seen) != len(days) {
		t.Errorf("letters tell of %d meters, want %d", len(seen), len(days))
	}
}

func TestLettersTellOfCasesAndRuns(t *testing.T) { eachEngine(t, lettersTellOfCasesAndRuns) }

func lettersTellOfCasesAndRuns(t *testing.T, db *DB) {
	c, err := db.Cases().Create(t.Context(), 2026, cases.Subject{Kind: cases.UsagePoint, ID: "UP-1"},
		func(id string) cases.Event { return casestest.Opening(id, "UP-1") })
	if err != nil {
		t.Fatal(err)
	}
	note := cases.Event{CaseID: c.ID, Seq: 2, Type: cases.Noted, At: time.Unix(1, 0).UTC(), By: "lin.wei", Note: &cases.NoteBody{Text: "x"}}
	if _, err := db.Cases().Append(t.Context(), c.ID, 1, []cases.Event{note}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Cases().Append(t.Context(), c.ID, 1, []cases.Event{note}); err == nil {
		t.Fatal("a lost update was stored")
	}
	if err := db.Results().SaveResult(t.Context(), &detect.Result{RunID: "r1", At: time.Unix(0, 5)}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range take(t, db) {
		got = append(got, l.Topic+" "+l.Key+" "+l.MsgID)
		if e := (cases.Event{}); l.Topic == "CASE_EVENTS" {
			if err := json.Unmarshal(l.Data, &e); err != nil || e.CaseID != c.ID {
				t.Errorf("event %s, %v", l.Data, err)
			}
		}
	}
	want := "CASE_EVENTS C-2026-0001 C-2026-0001/1\nCASE_EVENTS C-2026-0001 C-2026-0001/2\nFINDINGS run.r1 run.r1/5"
	if strings.Join(got, "\n") != want {
		t.Errorf("letters\n%s\nwant\n%s", strings.Join(got, "\n"), want)
	}
}

func post(t *testing.T, db *DB, letters ...string) {
	t.Helper()
	err := db.Write(t.Context(), func(tx *Tx) error {
		for _, l := range letters {
			if err := tx.post(t.Context(), []Letter{{Topic: "T", Key: "k", MsgID: l, Data: []byte(l)}}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func taken(t *testing.T, db *DB, limit int) (ids []int64, data string) {
	t.Helper()
	letters, err := db.Outbox().Take(t.Context(), limit)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range letters {
		ids = append(ids, l.ID)
		data += string(l.Data)
	}
	return ids, data
}

func TestLettersStayUntilDone(t *testing.T) { eachEngine(t, lettersStayUntilDone) }

func lettersStayUntilDone(t *testing.T, db *DB) {
	post(t, db, "a", "b", "c")
	taken(t, db, 2)
	ids, data := taken(t, db, 2)
	if data != "ab" {
		t.Fatalf("took %q, want the oldest two, again as they are not done", data)
	}
	if err := db.Outbox().Done(t.Context(), ids[:1]); err != nil {
		t.Fatal(err)
	}
	if _, data = taken(t, db, 9); data != "bc" {
		t.Errorf("took %q, want what is not done", data)
	}
	if err := db.Outbox().Done(t.Context(), ids); err != nil {
		t.Errorf("done twice: %v", err)
	}
	if _, data = taken(t, db, 9); data != "c" {
		t.Errorf("took %q, want c", data)
	}
}

// One of several hosts relays; when it gets nothing out another takes over.
func TestOneHostRelays(t *testing.T) {
	where := newPostgres(t)
	a, b := openAt(t, where), openAt(t, where)
	post(t, a, "a", "b", "c")
	ids, data := taken(t, a, 9)
	if data != "abc" {
		t.Fatalf("took %q", data)
	}
	if _, data = taken(t, b, 9); data != "" {
		t.Fatalf("the other host took %q", data)
	}
	expire := func() {
		t.Helper()
		if _, err := a.read().exec(t.Context(), `UPDATE outbox_relay SET until = now() - interval '1 second'`); err != nil {
			t.Fatal(err)
		}
	}
	expire()
	if err := a.Outbox().Done(t.Context(), ids[:1]); err != nil { // which makes it go on
		t.Fatal(err)
	}
	if _, data = taken(t, b, 9); data != "" {
		t.Errorf("the other host took %q from one that gets letters out", data)
	}
	expire()
	if _, data = taken(t, b, 9); data != "bc" {
		t.Errorf("the other host took %q from one that is silent, want the rest", data)
	}
	if _, data = taken(t, a, 9); data != "" {
		t.Errorf("the first host took %q after the other took over", data)
	}
}
