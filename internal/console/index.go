package console

import (
	"context"
	"fmt"
	"sync"

	"github.com/gridwarden/gridwarden/internal/detect"
)

// index is a result with look-ups.
type index struct {
	*detect.Result
	points       map[string]*detect.Assessment
	transformers map[string]*detect.TransformerAssessment
	ranked       []*detect.Assessment
}

func newIndex(r *detect.Result) *index {
	x := &index{
		Result:       r,
		points:       make(map[string]*detect.Assessment, len(r.UsagePoints)),
		transformers: make(map[string]*detect.TransformerAssessment, len(r.Transformers)),
	}
	for i := range r.UsagePoints {
		a := &r.UsagePoints[i]
		x.points[a.UsagePointID] = a
		if a.Rank > 0 {
			x.ranked = append(x.ranked, a)
		}
	}
	for i := range r.Transformers {
		x.transformers[r.Transformers[i].TransformerID] = &r.Transformers[i]
	}
	return x
}

// results keeps the index of the latest result, so that it is built once a run.
type results struct {
	source ResultSource
	mu     sync.Mutex
	last   *index
}

// latest returns nil where there was no run yet.
func (s *results) latest(ctx context.Context) (*index, error) {
	r, err := s.source.LatestResult(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the latest detection result: %w", err)
	}
	if r == nil {
		return nil, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last == nil || s.last.Result != r && s.last.RunID != r.RunID {
		s.last = newIndex(r)
	}
	return s.last, nil
}

// explained lists the innocent explanations that account for what was seen.
func explained(a *detect.Assessment) []string {
	var codes []string
	seen := map[string]bool{}
	for i := range a.Findings {
		for _, e := range a.Findings[i].Innocent {
			if e.Outcome == "explains" && !seen[e.Code] {
				seen[e.Code] = true
				codes = append(codes, e.Code)
			}
		}
	}
	return codes
}

// openExplanations counts the innocent explanations that the data could not settle.
func openExplanations(a *detect.Assessment) int {
	seen := map[string]bool{}
	for i := range a.Findings {
		for _, e := range a.Findings[i].Innocent {
			if e.Outcome == "open" {
				seen[e.Code] = true
			}
		}
	}
	return len(seen)
}
