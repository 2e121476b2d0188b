package undersized

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// TestWorkedExample follows the example of IEC 60076-7, 8.2.2 and annex B: an
// ONAF transformer through load steps at 25.6 °C.
func TestWorkedExample(t *testing.T) {
	m := powerONAF()
	m.topOilRise, m.gradient, m.lossRatio = 38.3, 14.5*1.4, 1000
	s := oilState{topOil: 25.6 + 12.7}
	steps := []struct{ until, load, topOil, hotSpot float64 }{
		{190, 1.0, 61.9, 83.8}, {365, 0.6, 44.4, 54.0}, {500, 1.5, 89.2, 127.0},
		{705, 0.3, 35.0, 37.5}, {730, 2.1, 67.9, 138.6}, {745, 0, 60.3, 75.3},
	}
	from := 0.0
	for _, step := range steps {
		s = m.step(s, step.load, 25.6, step.until-from)
		from = step.until
		t.Logf("after %3v min: top oil %5.1f °C (standard %5.1f), hot spot %5.1f °C (standard %5.1f)", step.until, s.topOil, step.topOil, s.hotSpot(), step.hotSpot)
		if math.Abs(s.topOil-step.topOil) > 1.2 || math.Abs(s.hotSpot()-step.hotSpot) > 1.2 {
			t.Errorf("after %v min: top oil %.1f, hot spot %.1f °C; the standard has %.1f and %.1f", step.until, s.topOil, s.hotSpot(), step.topOil, step.hotSpot)
		}
	}
}

func TestRatedLoadAgesNormally(t *testing.T) {
	for name, m := range map[string]oilModel{"distribution": distributionONAN(), "ONAN": powerONAN(), "ONAF": powerONAF(), "OF": powerOF(), "OD": powerOD()} {
		if h := m.steady(1, 20).hotSpot(); math.Abs(h-98) > 1e-9 || math.Abs(oilAgeing(h)-1) > 1e-9 {
			t.Errorf("%s: hot spot %.2f °C at rated load and 20 °C, want 98", name, h)
		}
	}
	d := newDryModel("F", false)
	if h := 20 + d.rise(1); h != 145 || d.ageing(h) != 1 {
		t.Errorf("dry-type class F: hot spot %.1f °C at rated load, want 145", h)
	}
}

func TestStepsCompose(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := distributionONAN()
		k := rapid.Float64Range(0, 2).Draw(t, "load")
		minutes := rapid.Float64Range(1, 300).Draw(t, "minutes")
		s := m.steady(rapid.Float64Range(0, 2).Draw(t, "before"), 20)
		once, twice := m.step(s, k, 20, 2*minutes), m.step(m.step(s, k, 20, minutes), k, 20, minutes)
		if math.Abs(once.hotSpot()-twice.hotSpot()) > 1e-6 {
			t.Fatalf("one long step %.6f, two short ones %.6f °C", once.hotSpot(), twice.hotSpot())
		}
		more := m.steady(k+0.1, 20)
		if more.hotSpot() <= m.steady(k, 20).hotSpot() {
			t.Fatal("more load is not hotter")
		}
	})
}
