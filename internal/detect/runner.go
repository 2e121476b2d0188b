package detect

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Runner runs parts of one plan with one session of each detector, so that no
// plugin is started for a part. Close must be called.
type Runner struct {
	ctx       context.Context // of the sessions
	in        Input
	plan      *Plan
	reference *reference
	total     map[string]int // windows of the run, by detector

	judging sync.Mutex // one part is judged at a time; the next may be loading
	seats   []*seat    // by name
}

// seat is a detector in a run on this host.
type seat struct {
	evaluator   Evaluator
	description sdk.Description
	session     Session
	stamp       Stamp
	failure     error // it is out for the rest of the run
	shadow      bool  // it is heard, and weighs nothing
	done        atomic.Int64
}

// errOtherRecords says that a plan was made over other records.
var errOtherRecords = errors.New("the records of this host differ from those of the host that planned the run; wait until both have read the same registry, or plan again")

// NewRunner takes up a plan. ctx holds for the detectors' sessions.
func NewRunner(ctx context.Context, in Input, plan *Plan) (*Runner, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	if in.First != plan.First || in.Last != plan.Last {
		return nil, fmt.Errorf("the plan is for %s to %s, and this host is to run %s to %s", plan.First, plan.Last, in.First, in.Last)
	}
	r := &Runner{ctx: ctx, in: in, plan: plan, reference: newReference(&in), total: make(map[string]int)}
	var names []string
	for _, e := range byName(in.Evaluators) {
		s := &seat{evaluator: e, description: e.Describe()}
		s.stamp = Stamp{Detector: s.description.Name, Version: s.description.Version}
		if s.shadow = slices.Contains(plan.Shadow, s.description.Name); s.shadow {
			s.description.Provides = nil
		}
		if reason, ok := plan.Without[s.description.Name]; ok {
			s.failure = errors.New(reason)
		}
		names = append(names, s.description.Name+" "+s.description.Version)
		r.total[s.description.Name] = plan.windows(&s.description)
		r.seats = append(r.seats, s)
	}
	if !slices.Equal(names, plan.Detectors) {
		return nil, fmt.Errorf("the plan is for the detectors %v, and this host has %v; give all hosts the same", plan.Detectors, names)
	}
	return r, nil
}

// windows counts the windows of features that a detector gets in the run.
func (p *Plan) windows(d *sdk.Description) int {
	if d.Scope == sdk.ScopeFleet {
		return min(len(p.Shares), 1)
	}
	n := 0
	for i := range p.Shares {
		n += windowsOf(d, len(p.Shares[i].Transformers), len(p.Shares[i].Points), int(p.Last-p.First)+1)
	}
	return n
}

// windowsOf counts the windows of so many transformers and points in one part,
// where every point bears what the detector asks for.
func windowsOf(d *sdk.Description, transformers, points, days int) int {
	switch d.Scope {
	case sdk.ScopeTransformerArea:
		return transformers
	case sdk.ScopeFleet:
		return min(points, 1)
	}
	size := batchSize(d, windowDays(d, days))
	return (points + size - 1) / size
}

// load reads what the windows of a part show.
func (r *Runner) load(ctx context.Context, part int) (*builder, error) {
	if part < 0 || part >= r.plan.Parts() {
		return nil, fmt.Errorf("part %d of %d", part, r.plan.Parts())
	}
	records := r.reference.records()
	var roster *roster
	var columns []sdk.Feature
	if r.plan.fleetPart(part) {
		whole := share{}
		for i := range r.plan.Shares {
			whole.Transformers = append(whole.Transformers, r.plan.Shares[i].Transformers...)
			whole.Points = append(whole.Points, r.plan.Shares[i].Points...)
		}
		roster, columns = records.share(&whole, false), r.fleetColumns()
	} else {
		s := &r.plan.Shares[part]
		if records.digest(s) != s.Records {
			return nil, errOtherRecords
		}
		roster = records.share(s, slices.ContainsFunc(r.seats, (*seat).provides))
	}
	b, err := newBuilder(ctx, records, r.plan, roster, columns)
	if err != nil {
		return nil, err
	}
	b.firstID = uint64(part) << 32
	return b, nil
}

func (s *seat) provides() bool { return len(s.description.Provides) > 0 }

// fleetColumns are the features that the fleet's part needs: those of its
// detectors and of those that provide for them. Nothing else is held of the
// whole fleet.
func (r *Runner) fleetColumns() []sdk.Feature {
	columns := []sdk.Feature{sdk.EnergyKWh, sdk.NightKW, sdk.GoodShare, sdk.EstimatedShare}
	for _, s := range r.seats {
		if s.provides() || s.description.Scope == sdk.ScopeFleet {
			columns = append(columns, wanted(&s.description)...)
		}
	}
	return columns
}

// Part runs one part. It is safe for concurrent use; one part is judged at a
// time while others load.
func (r *Runner) Part(ctx context.Context, part int) (*Part, error) {
	b, err := r.load(ctx, part)
	if err != nil {
		return nil, err
	}
	return r.judge(ctx, part, b)
}

func (r *Runner) judge(ctx context.Context, part int, b *builder) (*Part, error) {
	r.judging.Lock()
	defer r.judging.Unlock()
	fleet := r.plan.fleetPart(part)
	version := ""
	if !fleet {
		version = b.version()
	}
	// Detectors that measure attributes for the others go first.
	var first, second []*seat
	for _, s := range r.seats {
		whole := s.description.Scope == sdk.ScopeFleet
		switch {
		case s.provides() && (fleet || !whole):
			first = append(first, s)
		case whole == fleet:
			second = append(second, s)
		}
	}
	judged, err := r.phase(ctx, b, first, fleet)
	if err != nil {
		return nil, err
	}
	for _, j := range judged {
		for _, name := range j.description.Provides {
			b.provide(name, j.measured(name))
		}
	}
	rest, err := r.phase(ctx, b, second, fleet)
	if err != nil {
		return nil, err
	}
	judged = slices.DeleteFunc(append(judged, rest...), func(j *judgement) bool { return (j.description.Scope == sdk.ScopeFleet) != fleet })
	slices.SortFunc(judged, func(x, y *judgement) int { return compareNames(x.description.Name, y.description.Name) })
	judged, shadows := apart(judged)
	out, err := b.part(ctx, part, version, judged)
	if err == nil {
		out.Shadow, err = b.shadows(ctx, shadows)
	}
	if err != nil {
		return nil, fmt.Errorf("part %d: %w", part, err)
	}
	return out, nil
}

// phase runs detectors side by side and returns their judgements in order.
func (r *Runner) phase(ctx context.Context, b *builder, seats []*seat, fleet bool) ([]*judgement, error) {
	out := make([]*judgement, len(seats))
	group, ctx := errgroup.WithContext(ctx)
	for i, s := range seats {
		group.Go(func() error {
			counted := !fleet || s.description.Scope == sdk.ScopeFleet
			var err error
			out[i], err = r.sit(ctx, b, s, counted)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err)
	}
	return out, nil
}

// sit runs one detector over its windows of a part. Its own failure is part of
// the judgement; the error returned is the host's.
func (r *Runner) sit(ctx context.Context, b *builder, s *seat, counted bool) (*judgement, error) {
	for attempt := 0; ; attempt++ {
		j := newJudgement(b, s.description)
		j.stamp, j.shadow = s.stamp, s.shadow
		if s.failure != nil {
			j.failure = s.failure
			return j, nil
		}
		err := r.start(ctx, s)
		if err == nil {
			j.stamp = s.stamp
			done := s.done.Load()
			if err = r.windows(ctx, s, j, counted); err == nil {
				return j, nil
			}
			s.done.Store(done)
		}
		s.finish(err)
		if ctx.Err() != nil {
			return nil, fmt.Errorf("detection was given up: %w", context.Cause(ctx))
		}
		var host hostError
		if errors.As(err, &host) {
			return nil, fmt.Errorf("running %s: %w", j.description.Name, host.error)
		}
		if attempt >= mostRestarts || !errors.Is(err, ErrRetry) {
			s.failure = err
			s.stamp = Stamp{Detector: s.description.Name, Version: s.description.Version}
		}
	}
}

// start opens the detector's session where none is open, or where the one
// that is has used up much of its time.
func (r *Runner) start(ctx context.Context, s *seat) error {
	if s.session != nil {
		if limited, ok := s.session.(interface{ Late() bool }); !ok || !limited.Late() {
			return nil
		}
		s.finish(nil)
	}
	// The session outlives the part; the part's end must still end a start
	// that waits.
	starting, cancel := context.WithCancelCause(r.ctx)
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	session, err := s.evaluator.Start(starting)
	if err != nil || !stop() {
		cancel(err)
		if err == nil {
			err = fmt.Errorf("detection was given up: %w", context.Cause(ctx))
			session.Finish(err)
		}
		return err
	}
	s.session, s.stamp = &endingSession{session, cancel}, session.Stamp()
	return nil
}

// endingSession gives up the session's context with the session.
type endingSession struct {
	Session
	cancel context.CancelCauseFunc
}

func (s *endingSession) Finish(err error) {
	s.Session.Finish(err)
	s.cancel(err)
}

// Late reports whether the session has used up much of its time.
func (s *endingSession) Late() bool {
	limited, ok := s.Session.(interface{ Late() bool })
	return ok && limited.Late()
}

func (s *seat) finish(err error) {
	if s.session != nil {
		s.session.Finish(err)
		s.session = nil
	}
}

// Close ends the sessions.
func (r *Runner) Close() {
	r.judging.Lock()
	defer r.judging.Unlock()
	for _, s := range r.seats {
		s.finish(context.Cause(r.ctx)) // nil where the run went well
	}
}

// hostError is a failure of the host's part of a run.
type hostError struct{ error }

// windows has the detector judge all its windows of the part.
func (r *Runner) windows(ctx context.Context, s *seat, j *judgement, counted bool) error {
	batches := j.builder.batches(&j.description)
	reports := make([][]*seenReport, len(batches))
	progress := func(more int64) {
		done := s.done.Add(more)
		if r.in.Progress != nil {
			r.in.Progress(Progress{j.description.Name, int(done), r.total[j.description.Name]})
		}
	}
	progress(0)
	group, windowCtx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i, p := range batches {
		group.Go(func() error {
			var err error
			if reports[i], err = j.window(windowCtx, s.session, p); err != nil {
				return err
			}
			if counted && !p.halo {
				progress(1)
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return errors.Join(err)
	}
	if left := r.left(j, batches); counted && left > 0 {
		progress(int64(left))
	}
	for _, window := range reports {
		for _, r := range window {
			j.take(r)
		}
	}
	return nil
}

// left is how many windows fewer than planned a part had, because of the
// attributes that the detector asks for.
func (*Runner) left(j *judgement, batches []batch) int {
	sent := 0
	for _, p := range batches {
		if !p.halo {
			sent++
		}
	}
	return windowsOf(&j.description, len(j.builder.roster.areas), len(j.builder.roster.points), j.builder.frame.n()) - sent
}

// seenReport is a report with the batch of the window that it judges.
type seenReport struct {
	batch  batch
	report *sdk.Report
}

// window has one window judged, and the raw curves that the detector asks for.
func (j *judgement) window(ctx context.Context, session Session, p batch) ([]*seenReport, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	report, err := session.Evaluate(ctx, j.builder.window(&j.description, p))
	if err != nil {
		return nil, err
	}
	out := []*seenReport{{p, report}}
	if len(report.Requests()) == 0 {
		return out, nil
	}
	answer := j.builder.answer(p, report.Requests())
	w := j.builder.window(&j.description, answer)
	if err := j.builder.addCurves(ctx, &j.description, answer, w); err != nil {
		return nil, hostError{err}
	}
	if report, err = session.Evaluate(ctx, w); err != nil {
		return nil, err
	}
	return append(out, &seenReport{answer, report}), nil
}

// provide has the detectors that look at the whole fleet and measure
// attributes for the others do so, before the parts need them.
func (p *Plan) provide(ctx context.Context, in Input) error {
	if !slices.ContainsFunc(in.Evaluators, func(e Evaluator) bool {
		d := e.Describe()
		return d.Scope == sdk.ScopeFleet && slices.Contains(p.Providers, d.Name)
	}) {
		return nil
	}
	in.Progress = nil
	r, err := NewRunner(ctx, in, p)
	if err != nil {
		return err
	}
	defer r.Close()
	b, err := r.load(ctx, len(p.Shares))
	if err != nil {
		return err
	}
	provided := make(map[string]map[string]float64)
	for _, s := range r.seats {
		if s.description.Scope != sdk.ScopeFleet || !s.provides() {
			continue
		}
		j, err := r.sit(ctx, b, s, false)
		if err != nil {
			return err
		}
		for _, name := range s.description.Provides {
			if provided[name] == nil {
				provided[name] = make(map[string]float64)
			}
			maps.Copy(provided[name], j.measured(name))
		}
	}
	p.Provided = provided
	return nil
}
