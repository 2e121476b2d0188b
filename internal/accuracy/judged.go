package accuracy

import (
	"cmp"
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"

	"github.com/gridwarden/gridwarden/internal/detect"
)

// Judged is a load of a trial and what was said of it.
type Judged struct {
	Host     string
	Home     bool
	Declared string
	HostKW   float64 // mean of what the meter measured
	Truth    Truth
	Risk     float64
	Position int // by risk, 1 is the highest; ties stand behind each other, mines last
	Detail   *detect.Assessment
}

// Trialled is a trial that was judged.
type Trialled struct {
	Injector  string
	Seed      uint64
	Condition Condition
	Rows      []Judged
}

// RunTrial makes a trial and judges it.
func RunTrial(ctx context.Context, seed uint64, hosts []Load, c Condition, mix Mix, prior float64) (*Trialled, error) {
	rng := rand.New(rand.NewPCG(seed, 2027))
	loads := Trial(rng, hosts, c, mix)
	_, result, err := JudgeLoads(ctx, loads, prior)
	if err != nil {
		return nil, err
	}
	return NewTrialled(mix.Injector.Name, seed, c, hosts, loads, result), nil
}

// NewTrialled puts together what was injected into the hosts and what the
// result of scanning says of it.
func NewTrialled(injector string, seed uint64, c Condition, hosts, loads []Load, result *detect.Result) *Trialled {
	t := &Trialled{Injector: injector, Seed: seed, Condition: c, Rows: make([]Judged, len(loads))}
	for i := range loads {
		l := &loads[i]
		t.Rows[i] = Judged{Host: l.ID, Home: hosts[i].Category == "residential", Declared: l.DeclaredUse, HostKW: l.MeanKW(), Truth: l.Truth}
	}
	for i := range result.UsagePoints {
		a := &result.UsagePoints[i]
		if k, err := strconv.Atoi(a.UsagePointID[1:]); err == nil && k < len(t.Rows) {
			t.Rows[k].Risk, t.Rows[k].Detail = a.Risk, a
		}
	}
	order := make([]int, len(t.Rows))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		x, y := &t.Rows[a], &t.Rows[b]
		return cmp.Or(cmp.Compare(y.Risk, x.Risk), cmp.Compare(outcome(x.Truth.Mine), outcome(y.Truth.Mine)), cmp.Compare(a, b))
	})
	for position, i := range order {
		t.Rows[i].Position = position + 1
	}
	return t
}

// Mines is the number of mines of the trial: k.
func (t *Trialled) Mines() int {
	n := 0
	for i := range t.Rows {
		if t.Rows[i].Truth.Mine {
			n++
		}
	}
	return n
}

// Pick returns the risks of the rows, by what they are.
func Pick(rows []Judged) (mines, flats, plain []float64) {
	for i := range rows {
		switch r := &rows[i]; {
		case r.Truth.Mine:
			mines = append(mines, r.Risk)
		case r.Truth.Flat != "":
			flats = append(flats, r.Risk)
		default:
			plain = append(plain, r.Risk)
		}
	}
	return mines, flats, plain
}

// Figure is a figure of a trial's rows; NaN where there is none.
type Figure func(rows []Judged) float64

// AUCOf is the area under the ROC curve of the mines against all others.
func AUCOf(rows []Judged) float64 {
	mines, flats, plain := Pick(rows)
	return AUC(mines, append(flats, plain...))
}

// AUCFlats is the area of the mines against the legitimate flat loads.
func AUCFlats(rows []Judged) float64 {
	mines, flats, _ := Pick(rows)
	return AUC(mines, flats)
}

// PrecisionAtK is the precision among as many as there are mines.
func PrecisionAtK(rows []Judged) float64 { return precisionAtShare(rows, 1) }

// PrecisionAtHalf is the precision among half as many as there are mines.
func PrecisionAtHalf(rows []Judged) float64 { return precisionAtShare(rows, .5) }

func precisionAtShare(rows []Judged, share float64) float64 {
	mines, flats, plain := Pick(rows)
	k := int(share * float64(len(mines)))
	if k == 0 {
		return math.NaN()
	}
	return PrecisionAt(k, mines, append(flats, plain...))
}

// OverSeeds is the mean of a figure, a share, over trials, with the interval of
// that mean.
func OverSeeds(trials []*Trialled, of Figure) Interval {
	var values []float64
	for _, t := range trials {
		values = append(values, of(t.Rows))
	}
	v := MeanInterval(values)
	return Interval{v.Mean, max(v.Low, 0), min(v.High, 1)}
}

// OverHosts is the same mean with the interval that other hosts would give.
func OverHosts(rng *rand.Rand, trials []*Trialled, samples int, of Figure) Interval {
	type place struct{ trial, row int }
	var places []place
	var keys []string
	for k, t := range trials {
		for i := range t.Rows {
			places, keys = append(places, place{k, i}), append(keys, t.Rows[i].Host)
		}
	}
	rows := make([][]Judged, len(trials))
	return Bootstrap(rng, keys, samples, func(items []int) float64 {
		for k := range rows {
			rows[k] = rows[k][:0]
		}
		for _, i := range items {
			p := places[i]
			rows[p.trial] = append(rows[p.trial], trials[p.trial].Rows[p.row])
		}
		sum, n := 0.0, 0.0
		for k := range rows {
			if v := of(rows[k]); !math.IsNaN(v) {
				sum, n = sum+v, n+1
			}
		}
		return sum / n
	})
}

// Recall counts the mines that keep says something of, and those of them among
// the k highest risks of their trial.
func Recall(trials []*Trialled, keep func(t *Trialled, r *Judged) bool) (found, of int) {
	for _, t := range trials {
		k := t.Mines()
		for i := range t.Rows {
			if r := &t.Rows[i]; r.Truth.Mine && keep(t, r) {
				of++
				if r.Position <= k {
					found++
				}
			}
		}
	}
	return found, of
}

// Forecasts are the risks of the trials with what they were given for.
func Forecasts(trials []*Trialled) []Forecast {
	var out []Forecast
	for _, t := range trials {
		for i := range t.Rows {
			out = append(out, Forecast{P: t.Rows[i].Risk, True: t.Rows[i].Truth.Mine, Weight: 1})
		}
	}
	return out
}
