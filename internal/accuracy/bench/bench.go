package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/internal/accuracy"
	"github.com/gridwarden/gridwarden/internal/accuracy/physics"
	"github.com/gridwarden/gridwarden/internal/accuracy/plot"
)

// options are those of the command line.
type options struct {
	data, program, out string
	part               accuracy.Part
	seeds              int
	prior              float64
	quick              bool
	only               []string
}

func (o *options) wants(step string) bool { return len(o.only) == 0 || slices.Contains(o.only, step) }

// Shares of the customers of a trial.
const (
	mineShare = .05
	flatShare = .08
)

// bench is one run.
type bench struct {
	o         *options
	source    *source
	report    report
	began     time.Time
	charts    map[string]*plot.Chart
	threshold float64
}

type step struct {
	name string
	do   func(context.Context) error
}

func newBench(ctx context.Context, o *options) (*bench, error) {
	if o.quick {
		o.seeds = min(o.seeds, 3)
	}
	b := &bench{o: o, began: time.Now(), charts: map[string]*plot.Chart{}, threshold: caseThreshold()}
	b.progress("reading the hosts, %s part", o.part)
	var err error
	if b.source, err = readHosts(ctx, o.data, o.part); err != nil {
		return nil, err
	}
	s := b.report.section("What was measured")
	s.say("%s", b.source.words)
	s.say("Hosts are dealt into a development and a final part by a hash of their names, two to one. Whoever chooses a weight, a threshold or a rule looks at development; final is measured for a published figure only.")
	s.say("Each trial writes registry and readings to files and judges them by the steps of `scan --all` with what is shipped, prior %g; scored is the risk. %s",
		o.prior, "Records are mostly right: in the usual condition 6 % of the customers have a wrong or no declared use, or a contract that does not fit; flat loads that should be declared are so in four of five cases or more.")
	s.say("Injectors: `shapes` puts identical or mixed machines on a curve; `physics` was written apart from it, machine by machine (boards that drop out, fans, power supplies, warm rooms, firmware, purchases, habits). The weights of the detector are fitted with neither of them, but with a third.")
	return b, nil
}

func (b *bench) steps() []step {
	return []step{{"mining", b.mining}, {"conditions", b.conditions}, {"months", b.months}, {"theft", b.theft}, {"district", b.district}}
}

// progress tells what is going on.
func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "%5.0f s  %s\n", time.Since(b.began).Seconds(), fmt.Sprintf(format, args...))
}

func injectors() []accuracy.Injector {
	return []accuracy.Injector{accuracy.Shapes(), physics.Injector()}
}

// job is a trial to run.
type job struct {
	injector  accuracy.Injector
	seed      uint64
	condition accuracy.Condition
}

// trials runs jobs, as many at once as there are processors. Details of the
// assessments are kept where keep says so; they are large.
func (b *bench) trials(ctx context.Context, what string, jobs []job, keep bool) ([]*accuracy.Trialled, error) {
	out := make([]*accuracy.Trialled, len(jobs))
	var done atomic.Int64
	err := parallel(ctx, len(jobs), func(ctx context.Context, i int) error {
		j := &jobs[i]
		mix := accuracy.Mix{Mines: mineShare, Flats: flatShare, Injector: j.injector}
		t, err := accuracy.RunTrial(ctx, j.seed, b.source.hosts, j.condition, mix, b.o.prior)
		if err != nil {
			return fmt.Errorf("%s, seed %d, %s: %w", j.injector.Name, j.seed, j.condition, err)
		}
		if !keep {
			for k := range t.Rows {
				t.Rows[k].Detail = nil
			}
		}
		out[i] = t
		b.progress("%s: %d of %d trials (%s, seed %d, %s)", what, done.Add(1), len(jobs), j.injector.Name, j.seed, j.condition)
		return nil
	})
	return out, err
}

// parallel does n things, as many at once as there are processors.
func parallel(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		g.Go(func() error {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return do(ctx, i)
		})
	}
	if err := g.Wait(); err != nil {
		return fmt.Errorf("one of %d runs: %w", n, err)
	}
	return nil
}

// luck is the source of the resampling, the same in every run.
func luck() *rand.Rand { return rand.New(rand.NewPCG(1, 5)) }

// samples of a bootstrap.
func (b *bench) samples() int {
	if b.o.quick {
		return 200
	}
	return 1000
}

// curves draws the charts that the steps have made.
func (b *bench) curves() error {
	if len(b.charts) == 0 {
		return nil
	}
	if err := os.MkdirAll(b.o.out, 0o750); err != nil {
		return fmt.Errorf("folder for the curves: %w; name another with -out", err)
	}
	for name, c := range b.charts {
		if err := writeChart(filepath.Join(b.o.out, name+".svg"), c); err != nil {
			return err
		}
	}
	b.progress("%d curves in %s", len(b.charts), b.o.out)
	return nil
}

func writeChart(file string, c *plot.Chart) (err error) {
	f, err := os.Create(file) //nolint:gosec // below the folder that the user names
	if err != nil {
		return fmt.Errorf("curve: %w", err)
	}
	defer func() {
		if e := f.Close(); err == nil && e != nil {
			err = fmt.Errorf("close %s: %w", file, e)
		}
	}()
	return c.Write(f)
}

// tally counts by name, from several goroutines.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func (t *tally) add(name string, n int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.n == nil {
		t.n = map[string]int{}
	}
	t.n[name] += n
}

func (t *tally) get(name string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.n[name]
}
