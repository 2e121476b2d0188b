package tamper

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/gridwarden/gridwarden/plugins/sdk"
	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
	"github.com/gridwarden/gridwarden/plugins/sdk/sdktest"
)

// reading is what a meter measures in one hour: the true load in kW a phase,
// before what the customer did to the meter.
type reading struct {
	kw, volt, ampere [3]float64
	neutral, pf      float64
	registered       float64 // kW
}

// metered is an area of four meters that measure voltage and current; spoil
// changes what the first of them measures.
func metered(days, phases int, spoil func(day, hour int, r *reading)) *sdk.Window {
	d := New().Describe()
	scene := sdktest.Scene{Days: days, NoReference: true, IntervalSeconds: 3600}
	scene.Members = append(scene.Members, sdktest.Area("t", 100, sdktest.Flat(4)))
	for m := range 4 {
		scene.Members = append(scene.Members, sdktest.Point(fmt.Sprintf("u%d", m+1), sdktest.Household(uint64(m))))
	}
	w := scene.Window(d, true)
	for m := 1; m < len(w.Subjects); m++ {
		c := &w.Curves[m]
		n := c.Intervals()
		columns := map[meter.Quantity][]float32{}
		for _, q := range d.Quantities {
			columns[q] = make([]float32, n)
		}
		r := rand.New(rand.NewPCG(uint64(m), 7))
		for i := range n {
			day, hour := i/24, i%24
			x := reading{pf: 0.95}
			total := 0.8 + 0.8*math.Exp(-math.Pow(float64(hour)-19, 2)/8) + 0.1*r.Float64()
			for k := range phases {
				x.kw[k], x.volt[k] = total/float64(phases), 230+2*r.Float64()
				x.ampere[k] = 1000 * x.kw[k] / x.pf / x.volt[k]
				x.registered += x.kw[k]
			}
			if phases == 1 {
				x.neutral = x.ampere[0] * (0.98 + 0.04*r.Float64())
			} else {
				x.neutral = 0.2 * x.ampere[0]
			}
			if m == 1 && spoil != nil {
				spoil(day, hour, &x)
			}
			for k, q := range [3]meter.Quantity{meter.VoltageA, meter.VoltageB, meter.VoltageC} {
				columns[q][i] = float32(x.volt[k])
			}
			for k, q := range [3]meter.Quantity{meter.CurrentA, meter.CurrentB, meter.CurrentC} {
				columns[q][i] = float32(x.ampere[k])
			}
			columns[meter.ActivePower][i], columns[meter.CurrentN][i], columns[meter.PowerFactor][i] = float32(x.registered), float32(x.neutral), float32(x.pf)
		}
		if phases == 1 {
			for _, q := range [...]meter.Quantity{meter.VoltageB, meter.VoltageC, meter.CurrentB, meter.CurrentC} {
				delete(columns, q)
			}
		}
		c.Columns = columns
	}
	return w
}

func TestElectricalContradictions(t *testing.T) {
	for name, c := range map[string]struct {
		phases    int
		spoil     func(day, hour int, r *reading)
		code      string // "" for no finding
		low, high float64
	}{
		"sound, one phase":    {1, nil, "", 0, 0.02},
		"sound, three phases": {3, nil, "", 0, 0.02},
		"voltage link open": {3, func(day, _ int, r *reading) {
			if day >= 20 {
				r.volt[1] = 3
				r.registered -= r.kw[1]
			}
		}, "voltage_missing_with_current", 0.3, 0.7},
		"voltage gone for a day": {3, func(day, _ int, r *reading) {
			if day == 20 {
				r.volt[1] = 3
				r.registered -= r.kw[1]
			}
		}, "", 0, 0.02},
		"phase out, no current": {3, func(day, _ int, r *reading) {
			if day >= 20 {
				r.volt[2], r.ampere[2] = 0, 0
				r.registered -= r.kw[2]
			}
		}, "", 0, 0.02},
		"current transformer turned round": {3, func(day, _ int, r *reading) {
			if day >= 20 {
				r.registered -= 2 * r.kw[0]
			}
		}, "registered_share_fell", 0.2, 0.7},
		"shunted": {1, func(day, _ int, r *reading) {
			if day >= 20 {
				r.registered *= 0.1
			}
		}, "registered_share_fell", 0.2, 0.7},
		"neutral past the meter": {1, func(day, hour int, r *reading) {
			if day >= 15 && hour > 8 {
				r.ampere[0] *= 0.2
				r.registered *= 0.2
				r.pf = 0.95
			}
		}, "neutral_unbalanced", 0.1, 0.7},
		"solar plant": {1, func(_, hour int, r *reading) {
			if hour >= 9 && hour <= 16 {
				r.pf, r.registered = -0.9, 0
				r.ampere[0], r.neutral = 4, 4
			}
		}, "", 0, 0.1},
		"turned round": {1, func(day, _ int, r *reading) {
			if day >= 20 {
				r.pf = -0.95
			}
		}, "energy_backwards", 0.1, 0.6},
		"capacitors from the first day": {1, func(_, _ int, r *reading) {
			r.ampere[0], r.neutral, r.pf = 9, 9, 0.1
			r.registered = 0.2
		}, "current_without_energy", 0.02, 0.1},
		"a large motor since day 20": {3, func(day, _ int, r *reading) {
			if day >= 20 { // lower power factor, more current and more energy
				for k := range r.ampere {
					r.ampere[k] *= 4
				}
				r.registered *= 3
				r.pf = 0.72
			}
		}, "", 0, 0.02},
	} {
		w := metered(40, c.phases, c.spoil)
		report, err := sdk.Judge(context.Background(), New(), w)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := report.Scores()["u1"]
		codes := []string{}
		for _, f := range report.Findings() {
			if f.Subject != "u1" {
				t.Errorf("%s: a finding on a sound meter: %+v", name, f)
			}
			codes = append(codes, f.AlsoReasons...)
		}
		if p < c.low || p > c.high || c.code != "" && !slices.Contains(codes, c.code) || c.code == "" && len(codes) > 0 {
			t.Errorf("%s: probability %.3f, %v; want %q", name, p, codes, c.code)
		}
	}
}

// An opened cover and a contradiction that begins with it pass the case
// threshold of 0.5 at a prior of 0.01.
func TestACoverAndAContradictionTogether(t *testing.T) {
	w := metered(40, 3, func(day, _ int, r *reading) {
		if day >= 21 {
			r.volt[1] = 3
			r.registered -= r.kw[1]
		}
	})
	w.Subjects[1].Events = []sdk.Event{{Day: w.FirstDay + 20, Second: 50_000, Code: sdk.EventTerminalOpened}}
	report, err := sdk.Judge(context.Background(), New(), w)
	if err != nil {
		t.Fatal(err)
	}
	if p := report.Scores()["u1"]; p < 0.5 || p > 0.9 {
		t.Errorf("probability %g", p)
	}
}
