package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/curve/storetest"
)

// Two processes that write days of neighbouring meters, in opposite orders of
// dates, change the same chunks and lose nothing of each other.
func TestTwoProcessesShareChunks(t *testing.T) { onBoth(t, twoProcessesShareChunks) }

func twoProcessesShareChunks(t *testing.T, empty func(testing.TB) string) {
	const meters, dates, writers = 40, 12, 4
	where := empty(t)
	handles := []*DB{openAt(t, where), openAt(t, where)}
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			s := handles[w%2].Curves()
			for n := range dates {
				date := curve.Date(n)
				if w >= writers/2 {
					date = curve.Date(dates - 1 - n)
				}
				err := s.Atomically(t.Context(), func(ctx context.Context, tx curve.Store) error {
					for _, date := range []curve.Date{date, dates + date} { // rows of several chunks in one transaction
						var days []curve.Day
						for m := w; m < meters; m += writers {
							days = append(days, storetest.Day(fmt.Sprint("M", m), date, m+int(date)))
						}
						if date%3 == 0 {
							days = append(days, storetest.Day("shared", date, w)) // each writer's is a version
						}
						if err := tx.PutDays(ctx, days, make([]curve.Features, len(days))); err != nil {
							return err
						}
						if _, err := tx.Days(ctx, "shared", date, date); err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					t.Errorf("writer %d, %s: %v", w, date, err)
				}
			}
		})
	}
	wg.Wait()
	for _, db := range handles {
		for m := range meters {
			got, err := db.Curves().Days(t.Context(), fmt.Sprint("M", m), 0, 2*dates)
			if err != nil || len(got) != 2*dates {
				t.Fatalf("meter %d has %d days, %v; want %d", m, len(got), err, 2*dates)
			}
			for i := range got {
				if want := storetest.Day(got[i].MeterID, curve.Date(i), m+i); fmt.Sprint(got[i]) != fmt.Sprint(want) {
					t.Fatalf("read %v, want %v", got[i], want)
				}
			}
		}
		features := 0
		err := db.Curves().Features(t.Context(), 0, 2*dates, func(string, curve.Date, *curve.Features) error { features++; return nil })
		if err != nil || features != meters*2*dates+2*dates/3 {
			t.Errorf("%d features, %v; want %d", features, err, meters*2*dates+2*dates/3)
		}
	}
	for date := curve.Date(0); date < 2*dates; date += 3 {
		versions, err := handles[0].Curves().Versions(t.Context(), "shared", date)
		if err != nil || len(versions) != writers {
			t.Errorf("%s: %d versions, %v; want one of each writer", date, len(versions), err)
		}
		seen := map[float64]bool{}
		for i, v := range versions {
			seen[v.Day.EnergyKWh[0]] = true
			if v.Number != i+1 {
				t.Errorf("%s: version %d has number %d", date, i+1, v.Number)
			}
		}
		if len(seen) != writers {
			t.Errorf("%s: the versions are of %d writers, want %d", date, len(seen), writers)
		}
	}
}

// A transaction that was cut short by another one runs again from its
// beginning, and what its first run did is not there.
func TestWritesRunAgain(t *testing.T) {
	db := openAt(t, newPostgres(t))
	for _, key := range []string{"a", "b"} {
		post(t, db, key)
	}
	var runs [2]int
	var wg sync.WaitGroup
	holding := make(chan struct{}, 2)
	both := make(chan struct{})
	go func() { <-holding; <-holding; close(both) }()
	for w, order := range [][]string{{"a", "b"}, {"b", "a"}} { // a deadlock
		wg.Go(func() {
			err := db.Write(t.Context(), func(tx *Tx) error {
				runs[w]++
				for i, key := range order {
					if _, err := tx.exec(t.Context(), `UPDATE outbox SET topic = topic || ? WHERE msg_id = ?`, fmt.Sprint(w), key); err != nil {
						return err
					}
					if i == 0 && runs[w] == 1 {
						holding <- struct{}{}
						<-both
					}
				}
				return nil
			})
			if err != nil {
				t.Errorf("writer %d: %v", w, err)
			}
		})
	}
	wg.Wait()
	if runs[0]+runs[1] != 3 {
		t.Errorf("the writers ran %v times, want one of them twice", runs)
	}
	letters, err := db.Outbox().Take(t.Context(), 9)
	if err != nil || len(letters) != 2 || letters[0].Topic != letters[1].Topic || len(letters[0].Topic) != 3 {
		t.Errorf("after both: %+v, %v", letters, err)
	}
}

func TestWritesGiveUp(t *testing.T) {
	db := openAt(t, newPostgres(t))
	runs := 0
	err := db.Write(t.Context(), func(tx *Tx) error {
		runs++
		_, err := tx.exec(t.Context(), `DO $$ BEGIN RAISE SQLSTATE '40001'; END $$`)
		return err
	})
	if err == nil || runs != attempts {
		t.Errorf("%d runs, %v", runs, err)
	}
	stop, runs := errors.New("stop"), 0
	if err := db.Write(t.Context(), func(*Tx) error { runs++; return stop }); !errors.Is(err, stop) || runs != 1 {
		t.Errorf("an error of fn: %d runs, %v", runs, err)
	}
}

// Writers that change one chunk at the same moment lose nothing of each other.
func TestWritersOfOneChunk(t *testing.T) { onBoth(t, writersOfOneChunk) }

func writersOfOneChunk(t *testing.T, empty func(testing.TB) string) {
	const writers, dates = 6, 10
	where := empty(t)
	handles := []*DB{openAt(t, where), openAt(t, where)}
	put := func(db *DB, meter, date, seed int) {
		d := []curve.Day{storetest.Day(fmt.Sprint("M", meter), curve.Date(date), seed)}
		if err := db.Curves().PutDays(t.Context(), d, make([]curve.Features, 1)); err != nil {
			t.Error(err)
		}
	}
	for m := range writers { // numbers, and chunks of the even dates
		for date := 0; date < dates; date += 2 {
			put(handles[0], m, date, 0)
		}
	}
	for date := range dates {
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() { put(handles[w%2], w, date, 1+w) })
		}
		wg.Wait()
	}
	for m := range writers {
		days, err := handles[m%2].Curves().Days(t.Context(), fmt.Sprint("M", m), 0, dates)
		if err != nil || len(days) != dates {
			t.Fatalf("meter %d has %d days, %v; want %d", m, len(days), err, dates)
		}
		for _, d := range days {
			if d.EnergyKWh[0] != float64(1+m)/1000 {
				t.Errorf("meter %d lost its day on %s", m, d.Date)
			}
		}
	}
}
