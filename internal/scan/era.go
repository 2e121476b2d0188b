package scan

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/gridwarden/gridwarden/internal/curve"
	"github.com/gridwarden/gridwarden/internal/detect"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// Exports are often put together from archives of different years, and meters
// are removed. An era is a span of time with the meters whose data end in it;
// each usage point is judged in the era of its own meter, against those who
// were there with it.
const (
	// eraGap is how many days apart the ends of two meters' data are when they
	// belong to different eras.
	eraGap = 31
	// mostEras bounds the runs; meters whose data end earlier are judged with
	// the earliest era.
	mostEras = 12
)

type era struct {
	first, last curve.Date
	meters      map[string]bool
}

// eras returns the eras of the stored days, latest first.
func eras(ctx context.Context, store curve.Store) ([]era, error) {
	first, last, ok, err := store.Span(ctx)
	if err != nil {
		return nil, fmt.Errorf("span of the readings: %w", err)
	}
	if !ok {
		return nil, ErrNoDays
	}
	ends := make(map[string]curve.Date)
	err = store.Features(ctx, first, last, func(meterID string, date curve.Date, _ *curve.Features) error {
		if end, seen := ends[meterID]; !seen || date > end {
			ends[meterID] = date
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("span of the readings: %w", err)
	}
	meters := make([]string, 0, len(ends))
	for id := range ends {
		meters = append(meters, id)
	}
	slices.SortFunc(meters, func(a, b string) int { return cmp.Or(cmp.Compare(ends[b], ends[a]), cmp.Compare(a, b)) })
	var out []era
	for _, id := range meters {
		end := ends[id]
		if n := len(out); n == 0 || n < mostEras && out[n-1].first-end > eraGap {
			out = append(out, era{last: end, meters: make(map[string]bool)})
		}
		e := &out[len(out)-1]
		e.first = end // the earliest end so far; the span is set below
		e.meters[id] = true
	}
	for i := range out {
		out[i].first = max(first, out[i].last-MaxDays+1)
	}
	return out, nil
}

// judge runs detection once for each era and draws the results together.
func judge(ctx context.Context, in detect.Input, list []era) (*detect.Result, error) {
	var merged *detect.Result
	index := make(map[string]int)
	for _, e := range list {
		in.First, in.Last = e.first, e.last
		r, err := detect.Run(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("detection: %w", err)
		}
		if merged == nil {
			merged = r
			for i := range r.UsagePoints {
				index[r.UsagePoints[i].UsagePointID] = i
			}
			continue
		}
		merged.FirstDay = min(merged.FirstDay, r.FirstDay)
		merged.Failed = append(merged.Failed, r.Failed...)
		for i := range r.UsagePoints {
			if a := &r.UsagePoints[i]; e.meters[a.MeterID] {
				if at, there := index[a.UsagePointID]; there {
					merged.UsagePoints[at] = *a
				} else {
					index[a.UsagePointID] = len(merged.UsagePoints)
					merged.UsagePoints = append(merged.UsagePoints, *a)
				}
			}
		}
		takeTransformers(merged, r, in.Network, e)
	}
	detect.RankQueue(merged.UsagePoints)
	return merged, nil
}

// takeTransformers takes over the judgement of transformers whose own meter
// belongs to the era.
func takeTransformers(merged, r *detect.Result, network *grid.Network, e era) {
	for i := range r.Transformers {
		t := network.Transformer(r.Transformers[i].TransformerID)
		if t == nil || !e.meters[t.MeterID] {
			continue
		}
		for k := range merged.Transformers {
			if merged.Transformers[k].TransformerID == t.ID {
				merged.Transformers[k] = r.Transformers[i]
			}
		}
	}
}
