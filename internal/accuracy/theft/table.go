package main

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// scores are those of areas with and without theft.
type scores struct{ stolen, honest []float64 }

func (s *scores) add(stolen bool, v float64) {
	if stolen {
		s.stolen = append(s.stolen, v)
	} else {
		s.honest = append(s.honest, v)
	}
}

func (s *scores) auc() float64 { return accuracy.AUC(s.stolen, s.honest) }

func (s *scores) precision() float64 {
	return accuracy.PrecisionAt(len(s.stolen), s.stolen, s.honest)
}

// interval is the mean over trials with half the width of its 95 % interval.
func interval(trials []scores, of func(*scores) float64) string {
	sum, square, n := 0.0, 0.0, float64(len(trials))
	for i := range trials {
		v := of(&trials[i])
		sum, square = sum+v, square+v*v
	}
	m := sum / n
	half := 2.1 * math.Sqrt(max(square/n-m*m, 0)/max(n-1, 1))
	return fmt.Sprintf("%.3f ± %.3f", m, half)
}

// kindCount is what came of the areas of one kind.
type kindCount struct{ areas, found, named, first, right int }

type table struct {
	ours, byTable, dumb []scores
	lines               []string
	kinds               map[string]*kindCount
	members, accused    int
	calibration         scores
	wrongNames          int
	mapped              map[bool]*mapped // by whether there is voltage
	verbose             bool
	text                strings.Builder
}

// mapped counts planted errors in the records and what topology says of them.
type mapped struct{ elsewhere, claimed, rightly, phases, phaseClaims, phaseTrue int }

func newTable(verbose bool) *table {
	return &table{kinds: map[string]*kindCount{}, mapped: map[bool]*mapped{false: {}, true: {}}, verbose: verbose}
}

// area counts one transformer under its kinds.
func (t *table) area(seed int, x *detect.TransformerAssessment, truth *accuracy.AreaTruth) {
	found := slices.Contains(x.Verdicts, sdk.VerdictTheft) || slices.Contains(x.Verdicts, sdk.VerdictUnmeteredLoad)
	first := len(x.Suspects) > 0 && x.Suspects[0] == truth.Culprit
	right := first || truth.Culprit == "" && len(x.Suspects) == 0
	if truth.Culprit == "" && len(x.Suspects) > 0 {
		t.wrongNames++
	}
	kinds := []string{records(truth)}
	if truth.Theft != "" {
		begun := "later"
		if truth.FromDay == 0 {
			begun = "from the first day"
		}
		kinds = []string{truth.Theft, truth.Theft + ": " + truth.Shape, truth.Theft + " " + begun, truth.Theft + " " + sizeClass(truth)}
	}
	for _, kind := range kinds {
		k := t.kinds[kind]
		if k == nil {
			k = &kindCount{}
			t.kinds[kind] = k
		}
		k.areas++
		k.found += one(found)
		k.named += one(len(x.Suspects) > 0)
		k.first += one(first)
		k.right += one(right)
	}
	if t.verbose && (!right || found != (truth.Theft != "")) {
		fmt.Fprintf(&t.text, "  seed %d %s truth %+v verdicts %v suspects %v unexplained %.0f\n", seed, x.TransformerID, *truth, x.Verdicts, x.Suspects, float64(x.UnexplainedKWhMonth))
		for _, f := range x.Findings {
			if f.Stamp.Detector == "energybalance" || f.Stamp.Detector == "topology" {
				fmt.Fprintf(&t.text, "      %s %s %.2f %v\n", f.Stamp.Detector, f.Reason, f.Probability, f.Suspects)
			}
		}
	}
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// mapping compares topology's claims with the planted errors.
func (t *table) mapping(o *accuracy.AreaOptions, a *accuracy.Areas, r *detect.Result) {
	m := t.mapped[o.Voltage]
	m.elsewhere += len(a.Elsewhere)
	m.phases += len(a.Rephased)
	for i := range r.UsagePoints {
		u := &r.UsagePoints[i]
		if claims(u, "member_not_here") {
			m.claimed++
			m.rightly += one(a.Elsewhere[u.UsagePointID] != "")
			if t.verbose && a.Elsewhere[u.UsagePointID] == "" {
				fmt.Fprintf(&t.text, "  wrongly elsewhere: %s behind %+v, %s\n", u.UsagePointID, a.Truth[u.TransformerID], claim(u))
			}
		}
		if claims(u, "phase_differs") {
			m.phaseClaims++
			m.phaseTrue += one(a.Rephased[u.UsagePointID])
		}
	}
}

func (t *table) print() {
	for _, l := range t.lines {
		fmt.Fprintln(&t.text, l)
	}
	auc, precision := (*scores).auc, (*scores).precision
	fmt.Fprintf(&t.text, "theft at the transformer: AUC %s, precision at k %s (over %d trials)\n", interval(t.ours, auc), interval(t.ours, precision), len(t.ours))
	fmt.Fprintf(&t.text, "  by the table alone:     AUC %s, precision at k %s\n", interval(t.byTable, auc), interval(t.byTable, precision))
	fmt.Fprintf(&t.text, "  loss percentage alone:  AUC %s, precision at k %s\n", interval(t.dumb, auc), interval(t.dumb, precision))
	names := make([]string, 0, len(t.kinds))
	for kind := range t.kinds {
		names = append(names, kind)
	}
	slices.Sort(names)
	fmt.Fprintf(&t.text, "  %-44s %5s %6s %6s %6s %6s\n", "", "areas", "found", "named", "first", "right")
	for _, kind := range names {
		k := t.kinds[kind]
		n := float64(k.areas)
		fmt.Fprintf(&t.text, "  %-44s %5d %6.2f %6.2f %6.2f %6.2f\n", kind, k.areas, float64(k.found)/n, float64(k.named)/n, float64(k.first)/n, float64(k.right)/n)
	}
	fmt.Fprintf(&t.text, "named where there is no culprit: %d areas; innocent members above 0.5: %d of %d\n", t.wrongNames, t.accused, t.members)
	for _, low := range []float64{0, 0.25, 0.5, 0.8} {
		count := func(v []float64) int {
			n := 0
			for _, p := range v {
				n += one(p >= low)
			}
			return n
		}
		fmt.Fprintf(&t.text, "  members named at %.2f or more: %d culprits, %d innocent\n", low, count(t.calibration.stolen), count(t.calibration.honest))
	}
	for _, voltage := range []bool{false, true} {
		m := t.mapped[voltage]
		fmt.Fprintf(&t.text, "topology, voltage %t: %d members hang elsewhere, %d claimed, %d of them rightly; %d on another phase, %d claimed, %d rightly\n",
			voltage, m.elsewhere, m.claimed, m.rightly, m.phases, m.phaseClaims, m.phaseTrue)
	}
}

// claim is what topology says of a usage point, in words.
func claim(u *detect.Assessment) (text string) {
	for _, f := range u.Findings {
		if f.Stamp.Detector == "topology" {
			for _, e := range f.Evidence {
				text += " " + e.Text
			}
		}
	}
	return text
}
