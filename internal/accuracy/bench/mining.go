package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/config"
)

func caseThreshold() float64 { return config.Default().Cases.Threshold }

type namedFigure struct {
	name  string
	of    accuracy.Figure
	least float64
}

func miningFigures() []namedFigure {
	return []namedFigure{
		{"AUC", accuracy.AUCOf, .95},
		{"precision at k/2", accuracy.PrecisionAtHalf, .90},
		{"precision at k", accuracy.PrecisionAtK, .70},
		{"AUC against legitimate flat loads", accuracy.AUCFlats, .90},
	}
}

// mining measures hidden mining in the usual condition, for each injector.
func (b *bench) mining(ctx context.Context) error {
	if err := b.sameAsProgram(ctx); err != nil {
		return err
	}
	var jobs []job
	for _, in := range injectors() {
		for seed := range b.o.seeds {
			jobs = append(jobs, job{in, uint64(seed + 1), accuracy.Usual()})
		}
	}
	all, err := b.trials(ctx, "hidden mining", jobs, true)
	if err != nil {
		return err
	}
	b.progress("intervals over hosts")
	s := b.report.section("Hidden mining")
	s.say("%d trials of each injector, %s, %d hosts each: %.0f %% get a mine (k = %d), %.0f %% a legitimate flat load. Intervals are those that other hosts would give (bootstrap by host, which holds the spread over seeds); the mean over seeds has its own beside it.",
		b.o.seeds, accuracy.Usual(), len(b.source.hosts), 100*mineShare, all[0].Mines(), 100*flatShare)
	var rows [][]string
	for _, f := range miningFigures() {
		for _, in := range injectors() {
			v := accuracy.OverHosts(luck(), of(all, in.Name), b.samples(), f.of)
			seeds := accuracy.OverSeeds(of(all, in.Name), f.of)
			rows = append(rows, []string{f.name, in.Name, figure(v), figure(seeds)})
			b.report.atLeast("mining: "+f.name+", "+in.Name, v, f.least, fmt.Sprintf("%d trials", b.o.seeds))
		}
	}
	s.table([]string{"figure", "injector", "value [over hosts]", "value [over seeds]"}, rows)
	b.byKind(s, all)
	b.stopsWorking(s, all)
	b.dayOne(all)
	b.flatKinds(s, all)
	b.failures(all)
	b.calibration(all)
	b.drawMining(all)
	return nil
}

// of are the trials of an injector, all of them for "".
func of(trials []*accuracy.Trialled, injector string) []*accuracy.Trialled {
	var out []*accuracy.Trialled
	for _, t := range trials {
		if injector == "" || t.Injector == injector {
			out = append(out, t)
		}
	}
	return out
}

// sameAsProgram scans one trial with the program and in this process.
func (b *bench) sameAsProgram(ctx context.Context) error {
	s := b.report.section("The program and this process")
	if b.o.program == "" {
		s.say("Not compared: no program was given with -program.")
		return nil
	}
	if _, err := os.Stat(b.o.program); err != nil {
		return fmt.Errorf("%w; build it with `make gridwarden`, or give -program \"\" to leave the comparison out", err)
	}
	b.progress("the same export through %s scan --all and in this process", b.o.program)
	dir, err := os.MkdirTemp("", "gridwarden-bench-")
	if err != nil {
		return fmt.Errorf("folder for the export: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	in := injectors()[1]
	loads := accuracy.Trial(rand.New(rand.NewPCG(1, 2027)), b.source.hosts, accuracy.Usual(), accuracy.Mix{Mines: mineShare, Flats: flatShare, Injector: in})
	if err := accuracy.WriteExport(dir, loads); err != nil {
		return err
	}
	program, err := filepath.Abs(b.o.program)
	if err != nil {
		return fmt.Errorf("-program: %w", err)
	}
	risks, err := accuracy.ScanProgram(ctx, program, dir, b.o.prior)
	if err != nil {
		return err
	}
	result, err := accuracy.ScanExport(ctx, dir, 0, b.o.prior)
	if err != nil {
		return err
	}
	if err := accuracy.CheckProgram(risks, result); err != nil {
		return err
	}
	s.say("The export of one trial (`physics`, seed 1) was judged by the program itself, `scan --all` with its detectors in a process of their own, and by the steps of scan in this process: the risks of all %d usage points agree in every digit of findings.csv. The rest is measured in this process.", len(risks))
	return nil
}

// group is a kind of mine.
type group struct {
	dimension, name string
	keep            func(t *accuracy.Trialled, r *accuracy.Judged) bool
}

type judged = accuracy.Judged

func groups() []group {
	truth := func(dimension, name string, keep func(r *judged) bool) group {
		return group{dimension, name, func(_ *accuracy.Trialled, r *judged) bool { return keep(r) }}
	}
	ratio := func(name string, lo, hi float64) group {
		return truth("size over the host's mean", name, func(r *judged) bool { return r.Truth.Ratio >= lo && r.Truth.Ratio < hi })
	}
	kw := func(name string, lo, hi float64) group {
		return truth("size", name, func(r *judged) bool { return r.Truth.KW >= lo && r.Truth.KW < hi })
	}
	late := func(r *judged) bool { return r.Truth.FromDay > 0 }
	return []group{
		truth("all", "all", func(*judged) bool { return true }),
		truth("host", "home", func(r *judged) bool { return r.Home }),
		truth("host", "business", func(r *judged) bool { return !r.Home }),
		truth("start", "on from day one", func(r *judged) bool { return !late(r) }),
		truth("start", "begins within", late),
		truth("host and start", "home, from day one", func(r *judged) bool { return r.Home && !late(r) }),
		truth("host and start", "business, from day one", func(r *judged) bool { return !r.Home && !late(r) }),
		truth("host and start", "home, begins within", func(r *judged) bool { return r.Home && late(r) }),
		truth("host and start", "business, begins within", func(r *judged) bool { return !r.Home && late(r) }),
		ratio("under 25 %", 0, .25), ratio("25 to 50 %", .25, .5), ratio("50 to 100 %", .5, 1), ratio("above 100 %", 1, math.Inf(1)),
		kw("under 1 kW", 0, 1), kw("1 to 3 kW", 1, 3), kw("3 to 10 kW", 3, 10), kw("above 10 kW", 10, math.Inf(1)),
		truth("evasion", "off in the evening peak", func(r *judged) bool { return r.Truth.Evades }),
		truth("evasion", "not", func(r *judged) bool { return !r.Truth.Evades }),
		truth("purchase", "in lots", func(r *judged) bool { return r.Truth.Ramps }),
		truth("purchase", "at once", func(r *judged) bool { return !r.Truth.Ramps }),
		truth("make", "graphics cards", func(r *judged) bool { return r.Truth.Make == "gpu" }),
		truth("make", "ASICs", func(r *judged) bool { return r.Truth.Make == "asic" }),
		truth("make", "both", func(r *judged) bool { return r.Truth.Make == "both" }),
		truth("habit", "nights only", func(r *judged) bool { return r.Truth.Habit == "nights only" }),
		truth("habit", "evening play", func(r *judged) bool { return r.Truth.Habit == "evening play" }),
		truth("habit", "stops in the heat", func(r *judged) bool { return r.Truth.Habit == "stops in the heat" }),
	}
}

// byKind tables the recall at k by what the mines are.
func (b *bench) byKind(s *section, all []*accuracy.Trialled) {
	var rows [][]string
	for _, g := range groups() {
		row := []string{g.dimension, g.name}
		n := 0
		for _, injector := range []string{"shapes", "physics", ""} {
			found, total := accuracy.Recall(of(all, injector), g.keep)
			row = append(row, share(found, total), fmt.Sprint(total))
			n += total
		}
		if n > 0 {
			rows = append(rows, row)
		}
	}
	s.say("Recall at k (the share of such mines among the k highest risks of their trial; k is the number of all mines, so an average recall equals the precision at k):")
	s.table([]string{"by", "mines", "shapes", "n", "physics", "n", "both", "n"}, rows)
}

// dayOne sets the limit of mines that run from the first day.
func (b *bench) dayOne(all []*accuracy.Trialled) {
	for _, in := range injectors() {
		found, total := accuracy.Recall(of(all, in.Name), func(_ *accuracy.Trialled, r *judged) bool { return r.Truth.FromDay == 0 })
		b.report.atLeast("mining: recall at k of mines on from day one, "+in.Name, accuracy.ShareInterval(found, total), .5, fmt.Sprintf("%d mines", total))
	}
}

// stopsWorking says in words where fewer than half are found.
func (b *bench) stopsWorking(s *section, all []*accuracy.Trialled) {
	var words []string
	for _, g := range groups() {
		found, total := accuracy.Recall(all, g.keep)
		if total >= 8 && float64(found) < .5*float64(total) {
			words = append(words, fmt.Sprintf("%s: %s, %d of %d", g.dimension, g.name, found, total))
		}
	}
	if len(words) == 0 {
		s.say("No kind of mine with at least eight of its kind is found in less than half of the cases.")
	} else {
		s.say("Where it stops working, that is, where less than half of the mines are among the k highest: %s.", strings.Join(words, "; "))
	}
	s.say("At businesses and public buildings, by share of the host's load: %s.", bands(all, false, []float64{0, .1, .25, .5, 1, math.Inf(1)}, 100, "%", func(t *accuracy.Truth) float64 { return t.Ratio }))
	s.say("At homes, by power: %s.", bands(all, true, []float64{0, .6, 1, 2, 4, math.Inf(1)}, 1, "kW", func(t *accuracy.Truth) float64 { return t.KW }))
	found, total := accuracy.Recall(all, func(_ *accuracy.Trialled, r *judged) bool { return r.Truth.Ratio < .25 })
	if total > 0 && found*2 < total {
		s.say("Under 25 %% of the host's load it does not work: %d of %d are found, and what is found there is luck of a quiet host or a clean step.", found, total)
	} else if total > 0 {
		s.say("Under 25 %% of the host's load %d of %d are found.", found, total)
	}
}

// bands counts what is found between edges of a size.
func bands(all []*accuracy.Trialled, home bool, edges []float64, scale float64, unit string, size func(*accuracy.Truth) float64) string {
	var words []string
	for k := range len(edges) - 1 {
		found, total := accuracy.Recall(all, func(_ *accuracy.Trialled, r *judged) bool {
			return r.Home == home && size(&r.Truth) >= edges[k] && size(&r.Truth) < edges[k+1]
		})
		if total == 0 {
			continue
		}
		name := fmt.Sprintf("%g to %g %s", scale*edges[k], scale*edges[k+1], unit)
		if math.IsInf(edges[k+1], 1) {
			name = fmt.Sprintf("above %g %s", scale*edges[k], unit)
		}
		words = append(words, fmt.Sprintf("%s %d of %d", name, found, total))
	}
	return strings.Join(words, ", ")
}

// flatKinds says which flat loads are taken for mines.
func (b *bench) flatKinds(s *section, all []*accuracy.Trialled) {
	type line struct {
		mines, risks []float64
		above        int
	}
	var rows [][]string
	for _, in := range injectors() {
		for _, f := range in.Flats {
			var x line
			for _, t := range of(all, in.Name) {
				for i := range t.Rows {
					switch r := &t.Rows[i]; {
					case r.Truth.Mine:
						x.mines = append(x.mines, r.Risk)
					case r.Truth.Flat == f.Kind:
						x.risks = append(x.risks, r.Risk)
						if r.Risk >= b.threshold {
							x.above++
						}
					}
				}
			}
			rows = append(rows, []string{f.Kind, in.Name, fmt.Sprintf("%.3f", accuracy.AUC(x.mines, x.risks)), fmt.Sprint(len(x.risks)), fmt.Sprint(x.above)})
		}
	}
	s.say("Legitimate flat loads by kind: the area of all mines against them, and how many lie above the case threshold of %g:", b.threshold)
	s.table([]string{"kind", "injector", "AUC", "n", "above"}, rows)
}
