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
func eras(s *store) ([]era, error) {
	if s.days == 0 {
		return nil, ErrNoDays
	}
	meters := slices.Clone(s.meters)
	slices.SortFunc(meters, func(a, b shelf) int { return cmp.Or(cmp.Compare(b.end, a.end), cmp.Compare(a.id, b.id)) })
	var out []era
	for _, m := range meters {
		end := m.end
		if n := len(out); n == 0 || n < mostEras && out[n-1].first-end > eraGap {
			out = append(out, era{last: end, meters: make(map[string]bool)})
		}
		e := &out[len(out)-1]
		e.first = end // the earliest end so far; the span is set below
		e.meters[m.id] = true
	}
	for i := range out {
		out[i].first = max(s.first, out[i].last-MaxDays+1)
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
		takeShadows(merged, r, in.Network, e)
	}
	detect.RankQueue(merged.UsagePoints)
	return merged, nil
}

// takeShadows takes over what detectors in shadow mode found at the meters that
// belong to the era.
func takeShadows(merged, r *detect.Result, network *grid.Network, e era) {
	meterOf := make(map[string]string, len(r.UsagePoints))
	for i := range r.UsagePoints {
		meterOf[r.UsagePoints[i].UsagePointID] = r.UsagePoints[i].MeterID
	}
	for i := range merged.Shadow {
		into := &merged.Shadow[i]
		from := slices.IndexFunc(r.Shadow, func(s detect.Shadow) bool { return s.Stamp.Detector == into.Stamp.Detector })
		if from < 0 {
			continue
		}
		if into.Failure == "" {
			into.Failure = r.Shadow[from].Failure
		}
		for _, p := range r.Shadow[from].UsagePoints {
			if e.meters[meterOf[p.UsagePointID]] {
				into.UsagePoints = slices.DeleteFunc(into.UsagePoints, func(q detect.ShadowPoint) bool { return q.UsagePointID == p.UsagePointID })
				into.UsagePoints = append(into.UsagePoints, p)
			}
		}
		slices.SortFunc(into.UsagePoints, func(x, y detect.ShadowPoint) int { return cmp.Compare(x.UsagePointID, y.UsagePointID) })
		for _, f := range r.Shadow[from].Transformers {
			if t := network.Transformer(f.TransformerID); t != nil && e.meters[t.MeterID] {
				into.Transformers = slices.DeleteFunc(into.Transformers, func(q detect.ShadowTransformer) bool { return q.TransformerID == f.TransformerID })
				into.Transformers = append(into.Transformers, f)
			}
		}
		slices.SortFunc(into.Transformers, func(x, y detect.ShadowTransformer) int { return cmp.Compare(x.TransformerID, y.TransformerID) })
	}
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
