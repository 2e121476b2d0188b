package detect

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"
)

// inFlight is how many windows of one detector are judged at a time.
const inFlight = 2

// Run has every evaluator judge the network's load and merges what they
// report: the plan's parts one after another, so that only two of them are in
// memory. A detector that fails is named in Result.Failed, and the others go
// on; an error means that the host could not do its part.
func Run(ctx context.Context, in Input) (*Result, error) {
	plan, err := NewPlan(ctx, in)
	if err != nil {
		return nil, err
	}
	for {
		parts, err := runParts(ctx, in, plan)
		if err != nil {
			return nil, err
		}
		again := plan.Again(parts)
		if again == nil {
			return Merge(in, plan, parts)
		}
		plan = again
	}
}

// RunPart runs one part of a plan. A host that runs several of one plan is
// better off with a Runner or a Worker, which keep the detectors' sessions.
func RunPart(ctx context.Context, in Input, plan *Plan, part int) (*Part, error) {
	r, err := NewRunner(ctx, in, plan)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Part(ctx, part)
}

// runParts runs all parts here; while one is judged the next is read.
func runParts(ctx context.Context, in Input, plan *Plan) ([]*Part, error) {
	r, err := NewRunner(ctx, in, plan)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	group, ctx := errgroup.WithContext(ctx)
	loaded := make(chan *builder)
	group.Go(func() error {
		defer close(loaded)
		for part := range plan.Parts() {
			b, err := r.load(ctx, part)
			if err != nil {
				return err
			}
			select {
			case loaded <- b:
			case <-ctx.Done():
				return fmt.Errorf("detection was given up: %w", context.Cause(ctx))
			}
		}
		return nil
	})
	parts := make([]*Part, 0, plan.Parts())
	group.Go(func() error {
		for b := range loaded {
			p, err := r.judge(ctx, len(parts), b)
			if err != nil {
				return err
			}
			parts = append(parts, p)
		}
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err //nolint:wrapcheck // ours
	}
	return parts, nil
}
