package host

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/risk"
)

// leaderLook is how often a host looks whether it leads.
const leaderLook = 250 * time.Millisecond

// leading returns work that goes on at one host of a cluster at a time, for as
// long as that leads. Without a cluster it is the work itself.
func (h *Host) leading(work func(context.Context) error) func(context.Context) error {
	if h.tenancy == nil {
		return work
	}
	return func(ctx context.Context) error {
		tick := time.NewTicker(leaderLook)
		defer tick.Stop()
		for ctx.Err() == nil {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
			if h.tenancy.member.Leader() {
				if err := h.lead(ctx, work); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// lead does work until it ends or another host leads. A lease that only ran
// out for a moment does not end it: whether it may go on is asked where it
// matters, by cluster.Member.Distribute and by the claims.
func (h *Host) lead(ctx context.Context, work func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- work(ctx) }()
	tick := time.NewTicker(leaderLook)
	defer tick.Stop()
	for without := time.Duration(0); ; {
		select {
		case err := <-ended:
			return err
		case <-tick.C:
		}
		if without += leaderLook; h.tenancy.member.Leader() {
			without = 0
		}
		if without > h.cfg.Cluster.Lease {
			cancel()
		}
	}
}

// leaderRoutine is routine at the host that leads: a night's run that no
// leader before it has finished is begun anew.
func (h *Host) leaderRoutine(ctx context.Context) error {
	if h.tenancy == nil {
		return h.routine(ctx)
	}
	h.log.Info("this host leads the cluster")
	last, err := h.db.Results().LatestResult(ctx)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("latest result: %w", err)
	}
	night := h.opts.Now().Add(h.untilNight() - 24*time.Hour)
	if last != nil && last.At.Before(night) {
		h.detect(ctx, "the last night's run was not finished")
	}
	return h.routine(ctx)
}

// judge runs the detectors: at this host, or in parts at all hosts of the
// cluster, with the same result.
func (h *Host) judge(ctx context.Context, in detect.Input) (*detect.Result, error) {
	if h.tenancy == nil {
		return detect.Run(ctx, in)
	}
	h.worker.Rest() // detectors that look at the whole fleet are needed for the plan
	plan, err := detect.NewPlan(ctx, in)
	if err != nil {
		return nil, err
	}
	run := h.cfg.Cluster.Host + "-" + strconv.FormatInt(time.Now().UnixNano(), 36)
	for round := 1; ; round++ {
		parts, err := h.distribute(ctx, run+"-"+strconv.Itoa(round), plan)
		if err != nil {
			return nil, err
		}
		again := plan.Again(parts)
		if again == nil {
			return detect.Merge(in, plan, parts)
		}
		plan = again
	}
}

func (h *Host) distribute(ctx context.Context, run string, plan *detect.Plan) ([]*detect.Part, error) {
	data, err := plan.Encode()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	results, err := h.tenancy.member.Distribute(ctx, run, data, plan.Parts())
	if err != nil {
		return nil, err
	}
	parts := make([]*detect.Part, len(results))
	for i := range results {
		if parts[i], err = detect.DecodePart(results[i]); err != nil {
			return nil, fmt.Errorf("part %d of run %s: %w", i, run, err)
		}
	}
	h.log.Info("parts of a detection run were done by the cluster's hosts", "run", run, "parts", len(parts), "took", time.Since(began).Round(time.Millisecond))
	return parts, nil
}

// workForAll does parts of the leader's detection runs until ctx ends.
func (h *Host) workForAll(ctx context.Context) error {
	if h.tenancy == nil {
		return nil
	}
	defer h.worker.Close()
	return h.tenancy.member.Work(ctx, h.worker.Do)
}

// detectInput is what detection needs of this host, without a span of days.
func (h *Host) detectInput() detect.Input {
	return detect.Input{
		Network: h.Network(), Curves: h.db.Curves(), Location: h.cfg.Location(),
		Uses: h.reference.Uses, Tariffs: h.reference.Tariffs, Prior: h.cfg.Risk.Prior, Calibration: risk.Calibration(h.cfg.Risk.Calibration),
		Evaluators: h.plugins.Evaluators(), Shadow: h.cfg.Plugins.Shadow, PseudonymKey: h.secret, Now: h.opts.Now,
	}
}
