package cases

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/gridwarden/gridwarden/internal/dueprocess"
	"github.com/gridwarden/gridwarden/internal/grid"
)

// Defaults of Config.
const (
	DefaultThreshold = 0.5
	DefaultGoodShare = 0.8
)

// maxText bounds what a person may write into one event, in bytes.
const maxText = 8000

// Config wires a Service. Store, Policy and Clock are required.
type Config struct {
	Store  Store
	Policy *dueprocess.Policy
	Clock  func() time.Time

	Threshold    float64 // risk at which a case opens; DefaultThreshold where zero
	MinGoodShare float64 // share of good intervals below which no case opens; DefaultGoodShare where zero
	// Customer returns what the records say of a customer, nil where nothing;
	// a nil function means that nothing is known of anybody.
	Customer func(id string) *grid.Customer
	Location *time.Location // of the site: years of case ids, rules by the hour; UTC where nil
	Logger   *slog.Logger
	Metrics  prometheus.Registerer
}

// Service is the one way to cases. It is safe for concurrent use.
type Service struct {
	store        Store
	policy       *dueprocess.Policy
	clock        func() time.Time
	threshold    float64
	minGoodShare float64
	customer     func(id string) *grid.Customer
	location     *time.Location
	log          *slog.Logger
}

// NewService returns a service.
func NewService(c Config) (*Service, error) {
	switch {
	case c.Store == nil:
		return nil, errors.New("cases: Config.Store is missing; give it sqlstore's cases or NewMemory()")
	case c.Policy == nil:
		return nil, errors.New("cases: Config.Policy is missing; give it a policy pack")
	case c.Clock == nil:
		return nil, errors.New("cases: Config.Clock is missing; give it the clock that the program runs by")
	}
	s := &Service{
		store: c.Store, policy: c.Policy, clock: c.Clock, threshold: c.Threshold,
		minGoodShare: c.MinGoodShare, customer: c.Customer, location: c.Location, log: c.Logger,
	}
	if s.threshold == 0 {
		s.threshold = DefaultThreshold
	}
	if s.minGoodShare == 0 {
		s.minGoodShare = DefaultGoodShare
	}
	if !(s.threshold > 0 && s.threshold <= 1) || !(s.minGoodShare > 0 && s.minGoodShare <= 1) {
		return nil, fmt.Errorf("cases: threshold %g and least good share %g must lie above 0 and at most at 1", s.threshold, s.minGoodShare)
	}
	if s.customer == nil {
		s.customer = func(string) *grid.Customer { return nil }
	}
	if s.location == nil {
		s.location = time.UTC
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics != nil {
		if err := c.Metrics.Register(newCollector(c.Store)); err != nil {
			return nil, fmt.Errorf("cases: register metrics: %w", err)
		}
	}
	return s, nil
}

// Threshold returns the risk at which a case opens.
func (s *Service) Threshold() float64 { return s.threshold }

// List returns cases without their timelines, newest first.
func (s *Service) List(ctx context.Context, f Filter) ([]Case, error) { return s.store.List(ctx, f) }

// Get returns one case with its timeline; ErrNotFound where there is none.
func (s *Service) Get(ctx context.Context, id string) (*Case, error) { return s.store.Get(ctx, id) }

// OfUsagePoint returns the case of a usage point, nil where there is none.
func (s *Service) OfUsagePoint(ctx context.Context, usagePointID string) (*Case, error) {
	return s.store.BySubject(ctx, Subject{UsagePoint, usagePointID})
}

// AddNote writes a note into a case as a person's act. version is that of the
// case which the person had before them.
func (s *Service) AddNote(ctx context.Context, id string, version int, by, text string) (*Case, error) {
	return s.act(ctx, id, version, by, text, Event{Type: Noted, Note: &NoteBody{Text: strings.TrimSpace(text)}})
}

// Review concludes the desk review. recordsRuledOut says that wrong CT or PT
// ratio, meter exchange and wrong transformer mapping are not the cause.
func (s *Service) Review(ctx context.Context, id string, version int, by, text string, recordsRuledOut bool) (*Case, error) {
	return s.act(ctx, id, version, by, text, Event{
		Type:     DeskReviewed,
		Reviewed: &ReviewedBody{Text: strings.TrimSpace(text), RecordsRuledOut: recordsRuledOut},
	})
}

func (s *Service) act(ctx context.Context, id string, version int, by, text string, e Event) (*Case, error) {
	switch {
	case by == "" || by == Program:
		return nil, fmt.Errorf("case %s: %w: an act needs the person who does it; name one", id, ErrInvalid)
	case strings.TrimSpace(text) == "":
		return nil, fmt.Errorf("case %s: %w: the text is empty; write what was found", id, ErrInvalid)
	case len(text) > maxText:
		return nil, fmt.Errorf("case %s: %w: the text has %d bytes; write at most %d", id, ErrInvalid, len(text), maxText)
	}
	e.CaseID, e.Seq, e.At, e.By = id, version+1, s.clock().UTC(), by
	c, err := s.store.Append(ctx, id, version, []Event{e})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", e.Type, err)
	}
	s.log.InfoContext(ctx, "case act", "case", id, "act", string(e.Type), "version", c.Version)
	return c, nil
}
