package sqlstore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/access"
	"github.com/gridwarden/gridwarden/internal/cases"
	"github.com/gridwarden/gridwarden/internal/cases/casestest"
	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/curve/storetest"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// fill stores some of everything.
func fill(t testing.TB, db *DB) {
	t.Helper()
	ctx := t.Context()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var days []curve.Day
	for m := range 150 {
		for date := curve.Date(-2); date < 3; date++ {
			days = append(days, storetest.Day(fmt.Sprint("M", m), date, m))
		}
	}
	check(db.Curves().PutDays(ctx, days, make([]curve.Features, len(days))))
	edited := storetest.Day("M7", 1, 500)
	edited.Origin = curve.Origin{Rule: curve.OriginEdited, Author: "lin.wei", Reason: "读数 \"checked\""}
	running := storetest.Day("M8", 3, 5)
	running.Open = true
	check(db.Curves().Commit(ctx, &curve.Commit{
		Reader: "curves.3", Token: 9, Position: 77, Days: []curve.Day{edited, running}, Features: make([]curve.Features, 2),
		States: []curve.State{{MeterID: "M8", Data: []byte("register")}, {MeterID: "new", Date: 4, Data: []byte{0, 255}}},
	}))
	check(db.Registry().SaveNetwork(ctx, grid.NewNetwork(grid.Records{Transformers: []grid.PowerTransformer{{ID: "T1", RatedKVA: 50}}})))
	for _, up := range []string{"UP-1", "UP-2"} {
		_, err := db.Cases().Create(ctx, 2026, cases.Subject{Kind: cases.UsagePoint, ID: up}, func(id string) cases.Event { return casestest.Opening(id, up) })
		check(err)
	}
	check(db.Results().SaveResult(ctx, &detect.Result{RunID: "r1", At: time.Unix(1, 0).UTC()}))
	check(db.Results().MarkConsidered(ctx, "r1"))
	check(db.Users().Add(ctx, access.Record{User: access.User{Login: "lin.wei", Disabled: true, Created: time.Unix(5, 7).UTC()}, Hash: "h"}))
	check(db.Sessions(time.Now).Commit("token", []byte("who"), time.Now().Add(time.Hour)))
}

func dump(t testing.TB, db *DB) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := db.Dump(t.Context(), &out, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// A dump of either engine goes into the other and comes back the same.
func TestDumpMovesBetweenEngines(t *testing.T) {
	first := openAt(t, newSQLite(t))
	fill(t, first)
	want := dump(t, first)
	data := want
	for _, where := range []string{newPostgres(t), newSQLite(t), newPostgres(t)} {
		db := openAt(t, where)
		told := map[string]int64{}
		if err := db.Restore(t.Context(), bytes.NewReader(data), func(table string, rows int64) { told[table] = rows }); err != nil {
			t.Fatal(err)
		}
		if told["meters"] != 151 || told["cases"] != 2 {
			t.Errorf("progress told of %v", told)
		}
		if data = dump(t, db); !bytes.Equal(data, want) {
			t.Fatalf("the dump of %s differs from what was restored", db.name)
		}
		if err := db.Restore(t.Context(), bytes.NewReader(data), nil); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("a second restore gave %v", err)
		}
		goesOn(t, db)
	}
}

// goesOn uses a restored database.
func goesOn(t *testing.T, db *DB) {
	t.Helper()
	ctx := t.Context()
	versions, err := db.Curves().Versions(ctx, "M7", 1)
	if err != nil || len(versions) != 2 || versions[1].Day.Origin.Author != "lin.wei" {
		t.Errorf("the edited day has %+v, %v", versions, err)
	}
	c, err := db.Cases().Create(ctx, 2026, cases.Subject{Kind: cases.UsagePoint, ID: "UP-3"},
		func(id string) cases.Event { return casestest.Opening(id, "UP-3") })
	if err != nil || c.ID != "C-2026-0003" {
		t.Errorf("the next case is %v, %v", c, err)
	}
	days := []curve.Day{storetest.Day("later", 9, 1), storetest.Day("M3", 9, 1)}
	if err := db.Curves().PutDays(ctx, days, make([]curve.Features, 2)); err != nil {
		t.Error(err)
	}
	err = db.Curves().Commit(ctx, &curve.Commit{Reader: "curves.3", Token: 8})
	if !errors.Is(err, curve.ErrFenced) {
		t.Errorf("the token of a reader was lost: %v", err)
	}
	if _, found, err := db.Sessions(time.Now).Find("token"); found || err != nil {
		t.Errorf("a session was restored: %v, %v", found, err)
	}
}

// A dump is of one moment, whatever is stored meanwhile.
func TestDumpIsOfOneMoment(t *testing.T) { eachEngine(t, dumpIsOfOneMoment) }

func dumpIsOfOneMoment(t *testing.T, db *DB) {
	fill(t, db)
	want := dump(t, db)
	var out bytes.Buffer
	began := false
	err := db.Dump(t.Context(), &out, func(string, int64) {
		if began {
			return
		}
		began = true // the first table is read, the others are not
		if err := db.Users().Add(t.Context(), access.Record{User: access.User{Login: "late"}}); err != nil {
			t.Error(err)
		}
	})
	if err != nil || !bytes.Equal(out.Bytes(), want) {
		t.Errorf("the dump changed while it was written, %v", err)
	}
}

func TestDamagedDumpsAreRefusedWhole(t *testing.T) { eachEngine(t, damagedDumps) }

func damagedDumps(t *testing.T, db *DB) {
	source := openAt(t, newSQLite(t))
	fill(t, source)
	whole := dump(t, source)
	flipped := bytes.Clone(whole)
	flipped[len(flipped)/2] ^= 4
	end := len(whole) - 5 - 32 - 4 // the last frame
	for name, tc := range map[string]struct {
		data []byte
		want string
	}{
		"empty":      {nil, "does not begin"},
		"other":      {[]byte(strings.Repeat("some text ", 10)), "does not begin"},
		"cut":        {whole[:len(whole)/2], "ends early"},
		"no end":     {whole[:end], "ends early"},
		"flipped":    {flipped, "checksum"},
		"two halves": {append(bytes.Clone(whole[:end]), whole[len(dumpLine):]...), "comes twice"},
		"huge frame": {append([]byte(dumpLine), 255, 255, 255, 255, 'R'), "a piece of"},
	} {
		err := db.Restore(t.Context(), bytes.NewReader(tc.data), nil)
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want it to say %q", name, err, tc.want)
		}
	}
	if err := db.Restore(t.Context(), bytes.NewReader(whole), nil); err != nil {
		t.Errorf("after all the refusals the database is not empty: %v", err)
	}
}

func TestDumpStops(t *testing.T) {
	db := openAt(t, newSQLite(t))
	fill(t, db)
	ctx, cancel := context.WithCancel(t.Context())
	err := db.Dump(ctx, writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil }), nil)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled dump gave %v", err)
	}
	full := errors.New("disk full")
	if err := db.Dump(t.Context(), writerFunc(func([]byte) (int, error) { return 0, full }), nil); !errors.Is(err, full) {
		t.Errorf("a failing writer gave %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func FuzzRestore(f *testing.F) {
	source := openAt(f, newSQLite(f))
	if err := source.Users().Add(f.Context(), access.Record{User: access.User{Login: "a"}}); err != nil {
		f.Fatal(err)
	}
	f.Add(dump(f, source))
	f.Add([]byte(dumpLine))
	f.Fuzz(func(t *testing.T, data []byte) {
		in, err := newFrameReader(bytes.NewReader(data))
		if err != nil {
			return
		}
		s := restoring{done: map[string]bool{}}
		for {
			kind, payload, err := in.next()
			if err != nil {
				if !errors.Is(err, errDump) {
					t.Fatal(err)
				}
				return
			}
			switch {
			case kind == frameEnd:
				return
			case kind == frameTable:
				if s.begin(payload) != nil {
					return
				}
			case s.table != nil:
				if _, err := s.parse(payload); err != nil && !errors.Is(err, errDump) {
					t.Fatal(err)
				}
			}
		}
	})
}
