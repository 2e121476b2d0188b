package accuracy

import (
	"math"
	"math/rand/v2"
	"testing"
)

func energy(l *Load) float64 { return l.KWh() }

func TestConditionCutsLengthAndResolution(t *testing.T) {
	host := plainLoads(1, 92)[0]
	host.First = 20000
	for _, c := range []Condition{{Minutes: 15, Days: 14}, {Minutes: 30, Days: 60}, {Minutes: 60, Days: 92}, {Minutes: 15, Days: 365}, {Minutes: 60, Days: 180}} {
		l := c.cut(rand.New(rand.NewPCG(1, 1)), &host, 20006)
		if l.Days != c.Days || l.StepMinutes != c.Minutes || len(l.KW) != c.Days*1440/c.Minutes {
			t.Errorf("%v: %d days of %d min, %d values", c, l.Days, l.StepMinutes, len(l.KW))
		}
		for i, v := range l.KW {
			if !(v >= 0) {
				t.Fatalf("%v: interval %d is %v", c, i, v)
			}
		}
	}
}

func TestFinerKeepsTheEnergyOfEachInterval(t *testing.T) {
	host := plainLoads(1, 5)[0]
	host.KW[30] = math.NaN()
	fine := finer(rand.New(rand.NewPCG(2, 2)), &host, 15)
	for i, v := range host.KW {
		sum := fine.KW[4*i] + fine.KW[4*i+1] + fine.KW[4*i+2] + fine.KW[4*i+3]
		if math.IsNaN(v) != math.IsNaN(sum) || math.Abs(sum/4-v) > 1e-9 {
			t.Fatalf("hour %d: %v became %v", i, v, sum/4)
		}
	}
}

func TestLengthenKeepsTheDaysOfTheWeek(t *testing.T) {
	host := plainLoads(1, 21)[0]
	for d := range host.Days {
		for h := range 24 {
			host.KW[d*24+h] = float64(d % 7)
		}
	}
	l := lengthen(&host, 0, 100)
	for d := range l.Days {
		if l.KW[d*24] != float64(d%7) {
			t.Fatalf("day %d has the load of day %v of the week", d, l.KW[d*24])
		}
	}
}

func TestMeasureRoundsWithoutLosingEnergy(t *testing.T) {
	host := plainLoads(1, 30)[0]
	l := host.Segment(0, 30)
	c := Condition{Step: .1}
	c.measure(rand.New(rand.NewPCG(1, 2)), &l)
	near(t, "energy", energy(&l), energy(&host), .1)
	for i, v := range l.KW {
		if r := v / .1; math.Abs(r-math.Round(r)) > 1e-6 {
			t.Fatalf("interval %d is %v kWh, no multiple of 0.1", i, v)
		}
	}
}

func TestPartsDoNotOverlap(t *testing.T) {
	n := map[Part]int{}
	for i := range 900 {
		n[PartOf("H"+number(float64(i)))]++
	}
	if n[Final] < 240 || n[Final] > 360 || n[Final]+n[Development] != 900 {
		t.Errorf("parts %v, want one of three in the final part", n)
	}
}

func TestTrialKeepsItsTruth(t *testing.T) {
	hosts := plainLoads(200, 92)
	a := Trial(rand.New(rand.NewPCG(7, 7)), hosts, Usual(), Mix{Mines: .05, Flats: .08, Injector: Shapes()})
	b := Trial(rand.New(rand.NewPCG(7, 7)), hosts, Usual(), Mix{Mines: .05, Flats: .08, Injector: Shapes()})
	mines, flats := 0, 0
	for i := range a {
		switch x := &a[i].Truth; {
		case x.Mine:
			mines++
			if x.KWh <= 0 || x.Business {
				t.Errorf("%+v", x)
			}
		case x.Flat != "":
			flats++
		}
		for k := range a[i].KW {
			if x, y := a[i].KW[k], b[i].KW[k]; x != y && !(math.IsNaN(x) && math.IsNaN(y)) {
				t.Fatal("the same seed gave two trials")
			}
		}
	}
	if mines != 10 || flats != 16 {
		t.Errorf("%d mines and %d flat loads among 200, want 10 and 16", mines, flats)
	}
}
