package console

import (
	"context"
	"fmt"
	"sync"
	"time"

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

// results keeps the index of the latest result: reading one may mean decoding
// megabytes, and a page asks several times. It is read again after the hub
// published one, and at the latest after ttl.
type results struct {
	source ResultSource
	hub    *Hub // may be nil
	ttl    time.Duration

	mu         sync.Mutex
	last       *index
	read       time.Time
	generation uint64
}

// latest returns nil where there was no run yet.
func (s *results) latest(ctx context.Context) (*index, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	generation := s.hub.results()
	if !s.read.IsZero() && s.generation == generation && time.Since(s.read) < s.ttl {
		return s.last, nil
	}
	r, err := s.source.LatestResult(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the latest detection result: %w", err)
	}
	s.read, s.generation = time.Now(), generation
	switch {
	case r == nil:
		s.last = nil
	case s.last == nil || s.last.RunID != r.RunID:
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
