package undersized

import (
	"math"
	"testing"
)

// TestRelativeAgeing holds the ageing rates to the table of IEC 60076-7 for
// paper that is not upgraded and for upgraded paper.
func TestRelativeAgeing(t *testing.T) {
	for _, row := range []struct{ hotSpot, plain, upgraded float64 }{
		{80, 0.125, 0.036}, {86, 0.25, 0.073}, {92, 0.5, 0.145}, {98, 1, 0.282}, {104, 2, 0.536}, {110, 4, 1},
		{116, 8, 1.83}, {122, 16, 3.29}, {128, 32, 5.8}, {134, 64, 10.1}, {140, 128, 17.2},
	} {
		plain, upgraded := oilAgeing(row.hotSpot), upgradedAgeing(row.hotSpot)
		t.Logf("%3.0f °C: %7.3f (standard %v), upgraded %6.3f (standard %v)", row.hotSpot, plain, row.plain, upgraded, row.upgraded)
		if math.Abs(plain/row.plain-1) > 0.01 || math.Abs(upgraded/row.upgraded-1) > 0.02 {
			t.Errorf("%.0f °C ages %.3f and %.3f times, the standard has %v and %v", row.hotSpot, plain, upgraded, row.plain, row.upgraded)
		}
	}
}

// TestDryLife holds the insulation systems to the constants of IEC 60076-12,
// table 1: a exp(b/T) is 180,000 h at the rated hot spot and half of it 6 K
// above.
func TestDryLife(t *testing.T) {
	for _, row := range []struct {
		class    string
		a, rated float64
	}{
		{"A", 3.10e-14, 95}, {"E", 5.48e-15, 110}, {"B", 1.72e-15, 120}, {"F", 9.60e-17, 145},
		{"H", 5.35e-18, 170}, {"200", 5.31e-19, 190}, {"220", 5.26e-20, 210},
	} {
		m := newDryModel(row.class, false)
		life := row.a * math.Exp(m.b/(row.rated+kelvin))
		t.Logf("class %-3s: %.0f h at %.0f °C (standard 180000), ageing %.4f there and %.4f 6 K above (standard 1 and 2)", row.class, life, row.rated, m.ageing(row.rated), m.ageing(row.rated+6))
		if !m.known || m.rated != row.rated || math.Abs(life/lifeHours-1) > 0.02 || m.ageing(row.rated) != 1 || math.Abs(m.ageing(row.rated+6)-2) > 0.01 {
			t.Errorf("class %s: rated %.0f °C, life %.0f h, ageing %.3f at 6 K above", row.class, m.rated, life, m.ageing(row.rated+6))
		}
	}
	if m := newDryModel("", true); m.known || m.rated != 145 || m.q != 2 {
		t.Errorf("an unknown class is taken for %+v", m)
	}
}

// ieee is the model of IEEE C57.91, clause 7, written down apart from ours:
// the rise of the top oil with exponent n and the winding's with m, each with
// one time constant, and the ageing of upgraded paper.
type ieee struct {
	topOil, winding, ratio, n, m float64
	oilMinutes, windingMinutes   float64
	oilRise, windingRise         float64
}

func (x *ieee) step(k, minutes float64) {
	ultimateOil := x.topOil * math.Pow((k*k*x.ratio+1)/(x.ratio+1), x.n)
	ultimateWinding := x.winding * math.Pow(k, 2*x.m)
	x.oilRise = (ultimateOil-x.oilRise)*(1-math.Exp(-minutes/x.oilMinutes)) + x.oilRise
	x.windingRise = (ultimateWinding-x.windingRise)*(1-math.Exp(-minutes/x.windingMinutes)) + x.windingRise
}

// TestIEEECheck: for a distribution transformer, which has no overshoot, both
// guides must give the same temperatures through a day of load steps.
func TestIEEECheck(t *testing.T) {
	m := distributionONAN()
	check := ieee{topOil: m.topOilRise, winding: m.gradient, ratio: m.lossRatio, n: 0.8, m: 0.8, oilMinutes: m.oilMinutes, windingMinutes: m.k22 * m.windingMinutes}
	s := oilState{topOil: 30}
	for hour, k := range []float64{0.3, 0.3, 0.4, 0.7, 0.9, 1.0, 1.3, 1.5, 1.4, 1.0, 0.6, 0.4} {
		s = m.step(s, k, 30, 60)
		check.step(k, 60)
		want := 30 + check.oilRise + check.windingRise
		t.Logf("hour %2d at %.1f: hot spot %.2f °C, IEEE C57.91 %.2f °C", hour, k, s.hotSpot(), want)
		if math.Abs(s.hotSpot()-want) > 1e-9 {
			t.Errorf("hour %d: %.3f °C against %.3f °C of IEEE C57.91", hour, s.hotSpot(), want)
		}
	}
	if f := upgradedAgeing(110); f != 1 {
		t.Errorf("ageing acceleration at 110 °C is %v, IEEE C57.91 has 1", f)
	}
}

func TestTypicalLosses(t *testing.T) {
	before := losses{}
	for kva := 10.0; kva < 5000; kva *= 1.07 {
		l := typicalLosses(kva, false)
		if l.noLoad <= before.noLoad || l.load <= before.load || !l.usable(kva) {
			t.Fatalf("losses of %.0f kVA: %+v after %+v", kva, l, before)
		}
		before = l
	}
	for _, r := range ratings() {
		if got := typicalLosses(r.kva, true); math.Abs(got.noLoad/r.dry.noLoad-1) > 1e-9 || math.Abs(got.load/r.dry.load-1) > 1e-9 {
			t.Errorf("losses of a dry %.0f kVA: %+v, the table has %+v", r.kva, got, r.dry)
		}
	}
}
