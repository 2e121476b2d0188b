package curve

import (
	"errors"
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func drawWork(t *rapid.T) *workDay {
	begin := time.Unix(20000*86400+int64(rapid.IntRange(-50_000, 50_000).Draw(t, "offset")), 0)
	interval := rapid.SampledFrom([]time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}).Draw(t, "interval")
	length := rapid.SampledFrom([]time.Duration{23 * time.Hour, 24 * time.Hour, 24*time.Hour + 30*time.Minute}).Draw(t, "length")
	d := newWorkDay(20000, begin, begin.Add(length), interval)
	wild := rapid.Bool().Draw(t, "wild")
	for range rapid.IntRange(0, 40).Draw(t, "readings") {
		p := point{v: float64(rapid.IntRange(0, 5000).Draw(t, "v")) / 1000, at: d.at(d.start + int64(rapid.IntRange(0, int(length.Milliseconds())-1).Draw(t, "at")))}
		p.u = rapid.IntRange(0, 9).Draw(t, "u") == 0
		if wild {
			p.v = rapid.Float64Range(-1e9, 1e9).Draw(t, "any")
		}
		switch rapid.IntRange(0, 3).Draw(t, "kind") {
		case 0:
			d.addRegister(p)
		case 1:
			d.addPower(sampleOf(p))
		default:
			d.addMean(rapid.IntRange(0, len(kept)-1).Draw(t, "code"), sampleOf(point{v: p.v, at: p.at}))
		}
	}
	if rapid.Bool().Draw(t, "edges") {
		d.before, d.after = point{5, uint32(margin - 1000), true}, point{6, d.at(d.end), false}
		d.powerBefore, d.powerAfter = sample{uint32(margin-1000) | uncertainBit, 2}, sample{d.at(d.end) + 5, 3}
	}
	if rapid.Bool().Draw(t, "late") {
		d.closed, d.lateFrom, d.lateTo = true, d.start+5, d.end-5
	}
	if rapid.Bool().Draw(t, "base") {
		b := d.build("M", &ruler{limits: func(time.Time) Limits { return Limits{} }, location: time.UTC}, true)
		d.base = Encode(nil, &b.day)
	}
	return d
}

func plain(d *workDay) workDay {
	p := *d
	if len(p.wild) == 0 {
		p.wild = nil
	}
	p.seen, p.foreign = false, false
	p.touched, p.dirty, p.overFrom, p.overTo = false, false, time.Time{}, time.Time{}
	return p
}

func TestStatesComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawWork(t)
		back, err := decodeWork(appendWork(nil, d))
		if err != nil {
			t.Fatal(err)
		}
		if got, want := plain(back), plain(d); !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
		later := drawWork(t)
		later.start, later.end, later.date = d.end, d.end+later.end-later.start, d.date+1
		later.lateFrom, later.lateTo = 0, 0
		tr := &tracker{id: "M", archived: []Date{19990, 19999}, days: []*workDay{d, later}}
		if later.base != nil {
			tr.days = tr.days[:1]
		}
		restored, err := decodeState("M", tr.appendState(nil))
		if err != nil || len(restored.days) != len(tr.days) || !reflect.DeepEqual(restored.archived, tr.archived) {
			t.Fatalf("%+v, %v", restored, err)
		}
	})
}

func TestAWorkingSetIsSmall(t *testing.T) {
	d := fullWork()
	register := *d
	register.means = nil
	for _, c := range []struct {
		name string
		d    *workDay
		most int
	}{{"a register", &register, 1200}, {"a register and six further quantities", d, 1200 + 6*500}} {
		if size := len(appendWork(nil, c.d)); size > c.most {
			t.Errorf("the state of a day of %s has %d bytes, want at most %d", c.name, size, c.most)
		}
	}
	if len(d.register) != 96 || len(d.means) != 6 || len(d.means[0].samples) != 96*meanCells {
		t.Errorf("%d slots, %d quantities, %d samples", len(d.register), len(d.means), len(d.means[0].samples))
	}
}

func TestMeansAreThoseOfThreeReadings(t *testing.T) {
	begin := time.Unix(20000*86400, 0)
	d := newWorkDay(20000, begin, begin.Add(24*time.Hour), 15*time.Minute)
	for i := range 15 { // one a minute; the first of each five minutes counts
		d.addMean(0, sampleOf(point{v: float64(230 + i), at: d.at(d.start + int64(14-i)*60_000)}))
	}
	column := d.column(&d.means[0], 96, 96)
	if want := float32((244 + 239 + 234) / 3.0); column[0] != want || !math.IsNaN(float64(column[1])) {
		t.Errorf("the means are %v, %v, want %v", column[0], column[1], want)
	}
}

func FuzzDecodeState(f *testing.F) {
	d := fullWork()
	tr := &tracker{id: "M", archived: []Date{19999}, days: []*workDay{d}}
	f.Add(tr.appendState(nil))
	small := newWorkDay(20000, time.UnixMilli(d.start), time.UnixMilli(d.end), time.Hour)
	small.addRegister(point{v: 5, at: small.at(small.start)})
	small.addRegister(point{v: 4, at: small.at(small.start + 5)})
	small.addPower(sample{small.at(small.start), 3})
	f.Add((&tracker{id: "M", days: []*workDay{small}}).appendState(nil))
	f.Add([]byte("{}"))
	r := &ruler{limits: func(time.Time) Limits { return Limits{} }, location: time.UTC}
	f.Fuzz(func(t *testing.T, data []byte) {
		tr, err := decodeState("M", data)
		if err != nil {
			if !errors.Is(err, ErrState) {
				t.Fatalf("error %v is not ErrState", err)
			}
			return
		}
		again, err := decodeState("M", tr.appendState(nil))
		if err != nil || len(again.days) != len(tr.days) {
			t.Fatalf("%+v did not come back: %v", tr, err)
		}
		for i, d := range tr.days {
			if got, want := plain(again.days[i]), plain(d); !reflect.DeepEqual(got, want) {
				t.Fatalf("%+v became %+v", want, got)
			}
			day := d.build("M", r, false).day // what is stored must not be able to crash it
			Encode(nil, &day)
		}
	})
}
