package curve_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

func TestEditsKeepWhatWasBeforeAndSayWhoAndWhy(t *testing.T) {
	b := newBench(t, start, time.UTC)
	b.run(0, hours(25), register)
	before := b.day("2026-03-01")
	edit := curve.Edit{MeterID: "M", Date: before.Date, From: 40, KWh: []float64{1.5, 0}, Author: "r.adler", Reason: " read off the meter's own display "}
	after, err := edit.Apply(t.Context(), b.store)
	if err != nil {
		t.Fatal(err)
	}
	if after.EnergyKWh[40] != 1.5 || after.EnergyKWh[41] != 0 || after.EnergyKWh[42] != before.EnergyKWh[42] {
		t.Errorf("the day has %v", after.EnergyKWh[40:43])
	}
	if after.Quality[40] != meter.Uncertain || after.Flags[40] != meter.Edited || after.Flags[42] != 0 {
		t.Errorf("the interval is %v %v", after.Quality[40], after.Flags[40])
	}
	v := b.versions("2026-03-01")
	if len(v) != 2 || !curve.Same(&v[0].Day, &before) || v[0].Day.Origin != before.Origin {
		t.Fatalf("%d versions, the first is %v", len(v), v[0].Day)
	}
	if want := (curve.Origin{Rule: "edited", Author: "r.adler", Reason: "read off the meter's own display"}); v[1].Day.Origin != want {
		t.Errorf("the version came about by %+v, want %+v", v[1].Day.Origin, want)
	}

	back := curve.Withdrawal{MeterID: "M", Date: before.Date, From: 40, To: 41, Author: "s.brunner", Reason: "the wrong meter"}
	one, err := back.Apply(t.Context(), b.store)
	if err != nil || one.EnergyKWh[40] != before.EnergyKWh[40] || one.Quality[40] != meter.Good || !one.Flags[41].Has(meter.Edited) {
		t.Fatalf("withdrawn: %v, %v", one, err)
	}
	back.From, back.To = 0, 96
	if all, err := back.Apply(t.Context(), b.store); err != nil || all.EnergyKWh[41] != before.EnergyKWh[41] {
		t.Errorf("withdrawn: %v, %v", all, err)
	}
	if v := b.versions("2026-03-01"); len(v) != 4 || v[3].Day.Origin.Reason != "withdrawn: the wrong meter" {
		t.Errorf("%d versions, the last by %+v", len(v), v[len(v)-1].Day.Origin)
	}
}

func TestEditsThatCannotBe(t *testing.T) {
	b := newBench(t, start, time.UTC)
	b.run(0, hours(25), register)
	day := b.day("2026-03-01")
	good := curve.Edit{MeterID: "M", Date: day.Date, From: 3, KWh: []float64{1}, Author: "a", Reason: "r", Limits: curve.Limits{ContractedKVA: 10, RatedKVA: 50}}
	for name, spoil := range map[string]func(*curve.Edit){
		"no reason": func(e *curve.Edit) { e.Reason = " \t" }, "no author": func(e *curve.Edit) { e.Author = "" },
		"no value": func(e *curve.Edit) { e.KWh = nil }, "past the end": func(e *curve.Edit) { e.From = 96 },
		"before the start": func(e *curve.Edit) { e.From = -1 }, "below zero": func(e *curve.Edit) { e.KWh = []float64{-1} },
		"no number": func(e *curve.Edit) { e.KWh = []float64{math.NaN()} }, "more than it carries": func(e *curve.Edit) { e.KWh = []float64{51} },
		"another meter": func(e *curve.Edit) { e.MeterID = "X" }, "a day in progress": func(e *curve.Edit) { e.Date++ },
		"what is there": func(e *curve.Edit) { e.Date, e.From, e.KWh = day.Date, 3, []float64{1} },
	} {
		if name == "what is there" {
			if _, err := good.Apply(t.Context(), b.store); err != nil {
				t.Fatal(err)
			}
		}
		e := good
		spoil(&e)
		if _, err := e.Apply(t.Context(), b.store); !errors.Is(err, curve.ErrEdit) {
			t.Errorf("%s: %v", name, err)
		}
		if name == "what is there" {
			w := curve.Withdrawal{MeterID: "M", Date: day.Date, From: 0, To: 96, Author: "a", Reason: "r"}
			if _, err := w.Apply(t.Context(), b.store); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, w := range map[string]curve.Withdrawal{
		"nothing edited": {MeterID: "M", Date: day.Date, From: 0, To: 96, Author: "a", Reason: "r"},
		"no reason":      {MeterID: "M", Date: day.Date, From: 0, To: 96, Author: "a"},
		"no interval":    {MeterID: "M", Date: day.Date, From: 5, To: 5, Author: "a", Reason: "r"},
	} {
		if _, err := w.Apply(t.Context(), b.store); !errors.Is(err, curve.ErrEdit) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLateReadingsChangeWhatPeopleHaveNotEdited(t *testing.T) {
	b := newBench(t, start, time.UTC)
	b.run(0, hours(25), register, [2]time.Duration{hours(10), hours(14)})
	d := b.day("2026-03-01")
	edit := curve.Edit{MeterID: "M", Date: d.Date, From: 44, KWh: []float64{3}, Author: "r.adler", Reason: "the customer's own record"}
	if _, err := edit.Apply(t.Context(), b.store); err != nil {
		t.Fatal(err)
	}
	b.catchUp(hours(10), hours(14))
	d = b.day("2026-03-01")
	if d.EnergyKWh[44] != 3 || !d.Flags[44].Has(meter.Edited) || math.Abs(d.EnergyKWh[45]-quarter(45)) > 1e-9 {
		t.Errorf("after late readings the day has %v", d.EnergyKWh[44:46])
	}
	v := b.versions("2026-03-01")
	if len(v) != 4 || v[2].Day.Origin.Rule != curve.OriginLate || v[3].Day.Origin.Rule != curve.OriginEdited || v[3].Day.Origin.Author != "r.adler" {
		t.Fatalf("%d versions, the last ones by %+v and %+v", len(v), v[len(v)-2].Day.Origin, v[len(v)-1].Day.Origin)
	}
	back := curve.Withdrawal{MeterID: "M", Date: d.Date, From: 44, To: 45, Author: "r.adler", Reason: "the readings are there"}
	restored, err := back.Apply(t.Context(), b.store)
	if err != nil || math.Abs(restored.EnergyKWh[44]-quarter(44)) > 1e-9 || restored.Quality[44] != meter.Good {
		t.Errorf("withdrawn: %v %v, %v", restored.EnergyKWh[44], restored.Quality[44], err)
	}
}
