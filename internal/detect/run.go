package detect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sort"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// inFlight is how many windows of one detector are judged at a time.
const inFlight = 2

// Run has every evaluator judge the network's load and merges what they
// report. A detector that fails is named in Result.Failed, and the others go
// on; an error means that the host could not do its part.
func Run(ctx context.Context, in Input) (*Result, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	b, err := newBuilder(ctx, &in)
	if err != nil {
		return nil, err
	}
	evaluators := append([]Evaluator(nil), in.Evaluators...)
	sort.Slice(evaluators, func(i, j int) bool { return evaluators[i].Describe().Name < evaluators[j].Describe().Name })

	// Detectors that measure attributes for the others go first.
	var first, second []Evaluator
	for _, e := range evaluators {
		if len(e.Describe().Provides) > 0 {
			first = append(first, e)
		} else {
			second = append(second, e)
		}
	}
	judged, err := runPhase(ctx, &in, b, first)
	if err != nil {
		return nil, err
	}
	for _, j := range judged {
		for _, name := range j.description.Provides {
			b.provide(name, j.measured(name))
		}
	}
	rest, err := runPhase(ctx, &in, b, second)
	if err != nil {
		return nil, err
	}
	judged = append(judged, rest...)
	sort.Slice(judged, func(i, k int) bool { return judged[i].description.Name < judged[k].description.Name })

	at := in.now()
	r := &Result{
		At: at, FirstDay: in.First, LastDay: in.Last, Prior: in.Prior, DataVersion: b.version,
		RunID: runID(at, b.version, judged), Failed: []DetectorFailure{},
	}
	for _, j := range judged {
		if j.failure != nil {
			r.Failed = append(r.Failed, DetectorFailure{j.description.Name, j.failure.Error()})
		}
	}
	r.Transformers = assessTransformers(b, judged)
	r.UsagePoints = assessUsagePoints(&in, b, judged, hazards(r.Transformers))
	return r, nil
}

func runID(at time.Time, version string, judged []*judgement) string {
	h := &hasher{hash: sha256.New()}
	h.text(at.Format(time.RFC3339Nano), version)
	for _, j := range judged {
		h.text(j.stamp.Detector, j.stamp.Version, j.stamp.SHA256, j.stamp.ConfigHash)
	}
	return hex.EncodeToString(h.hash.Sum(nil)[:8])
}

// runPhase runs detectors side by side and returns their judgements in order.
func runPhase(ctx context.Context, in *Input, b *builder, evaluators []Evaluator) ([]*judgement, error) {
	out := make([]*judgement, len(evaluators))
	group, ctx := errgroup.WithContext(ctx)
	for i, e := range evaluators {
		group.Go(func() error {
			var err error
			out[i], err = runDetector(ctx, in, b, e)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, errors.Join(err)
	}
	return out, nil
}

// runDetector runs one detector over all its windows. Its own failure is part
// of the judgement; the error returned is the host's.
func runDetector(ctx context.Context, in *Input, b *builder, e Evaluator) (*judgement, error) {
	j := newJudgement(b, e.Describe())
	for attempt := range 2 {
		j = newJudgement(b, e.Describe())
		err := j.run(ctx, in, e)
		if err == nil {
			break
		}
		if ctx.Err() != nil {
			return nil, fmt.Errorf("detection was given up: %w", context.Cause(ctx))
		}
		var host hostError
		if errors.As(err, &host) {
			return nil, fmt.Errorf("running %s: %w", j.description.Name, host.error)
		}
		j = newJudgement(b, e.Describe())
		j.failure = err
		if attempt > 0 || !errors.Is(err, ErrRetry) {
			break
		}
	}
	return j, nil
}

// hostError is a failure of the host's part of a run.
type hostError struct{ error }

func (j *judgement) run(ctx context.Context, in *Input, e Evaluator) (err error) {
	session, err := e.Start(ctx)
	if err != nil {
		return err
	}
	defer func() { session.Finish(err) }()
	j.stamp = session.Stamp()
	j.stamp.DataVersion = j.builder.version

	plans := j.builder.plans(&j.description)
	reports := make([][]*seenReport, len(plans))
	var done atomic.Int64
	progress := func() {
		if in.Progress != nil {
			in.Progress(Progress{j.description.Name, int(done.Load()), len(plans)})
		}
	}
	progress()
	group, windowCtx := errgroup.WithContext(ctx)
	group.SetLimit(inFlight)
	for i, p := range plans {
		group.Go(func() error {
			var err error
			if reports[i], err = j.window(windowCtx, session, p); err != nil {
				return err
			}
			done.Add(1)
			progress()
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return errors.Join(err)
	}
	for _, window := range reports {
		for _, r := range window {
			j.take(r)
		}
	}
	return nil
}

// seenReport is a report with the plan of the window that it judges.
type seenReport struct {
	plan   plan
	report *sdk.Report
}

// window has one window judged, and the raw curves that the detector asks for.
func (j *judgement) window(ctx context.Context, session Session, p plan) ([]*seenReport, error) {
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
