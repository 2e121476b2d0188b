package stream

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Topic names a stream; readings have one of their own form.
type Topic string

// Topics. Their names are stable: other programs may read the same server.
// Messages of a topic have the subject of its name in lower case and a key:
// meter_days.KEY.
const (
	Readings   Topic = "READINGS"    // readings as polled: PublishReadings, ReadReadings
	MeterDays  Topic = "METER_DAYS"  // meters whose day was closed, reopened or edited
	Findings   Topic = "FINDINGS"    // results of detection runs
	CaseEvents Topic = "CASE_EVENTS" // what happened to cases
	Work       Topic = "WORK"        // parts of detection runs: a queue, each taken once
	Dead       Topic = "DEAD"        // messages that a consumer could not use, with reasons
)

// Topics returns all topics in the order of the data's way.
func Topics() []Topic { return []Topic{Readings, MeterDays, Findings, CaseEvents, Work, Dead} }

const (
	readingsPrefix = "readings."
	claimsPrefix   = "claims."
	deadPrefix     = "dead."

	// The other topics keep a tenth of the readings' bytes each.
	topicShare    = 10
	topicMinBytes = 16 << 20
	workMaxAge    = 48 * time.Hour
	deadMaxAge    = 30 * 24 * time.Hour
	deadMaxBytes  = 256 << 20

	// duplicateWindow is how long JetStream remembers the ids of messages.
	// Topics have few messages, and the outbox may repeat itself after
	// minutes: they are remembered for longer.
	duplicateWindow      = 2 * time.Minute
	topicDuplicateWindow = time.Hour
)

// prefix is what subjects of the topic begin with.
func (t Topic) prefix() string { return strings.ToLower(string(t)) + "." }

// limits are the bytes and the age that the topic keeps.
func (c Config) limits(t Topic) (maxBytes int64, maxAge time.Duration) {
	share := max(c.MaxBytes/topicShare, topicMinBytes)
	switch t {
	case Readings:
		return c.MaxBytes, c.MaxAge
	case Dead:
		return deadMaxBytes, max(deadMaxAge, c.MaxAge)
	case Work:
		return share, min(workMaxAge, c.MaxAge)
	default:
		return share, c.MaxAge
	}
}

// storeBytes is the room that all streams may take together.
func (c Config) storeBytes() int64 {
	total := int64(0)
	for _, t := range Topics() {
		n, _ := c.limits(t)
		total += n
	}
	return total
}

// streamConfig is how the stream of a topic is made.
func (c Config) streamConfig(t Topic) jetstream.StreamConfig {
	maxBytes, maxAge := c.limits(t)
	out := jetstream.StreamConfig{
		Name: string(t), Subjects: []string{t.prefix() + ">"}, MaxBytes: maxBytes, MaxAge: maxAge, Replicas: c.Replicas,
		Storage: jetstream.FileStorage, Discard: jetstream.DiscardOld, Duplicates: min(topicDuplicateWindow, maxAge),
	}
	switch t {
	case Readings:
		out.Description = "readings as polled, and who may send them"
		out.Subjects = append(out.Subjects, claimsPrefix+">")
		out.Duplicates = min(duplicateWindow, maxAge)
		out.Sources = c.sources()
	case MeterDays:
		out.Description = "meters whose day was closed, reopened or edited"
	case Findings:
		out.Description = "results of detection runs"
	case CaseEvents:
		out.Description = "what happened to cases"
	case Work:
		out.Description = "parts of detection runs to be worked off"
		out.Retention = jetstream.WorkQueuePolicy
	case Dead:
		out.Description = "messages that a consumer could not use, with reasons"
	}
	return out
}

func (s *Stream) createStreams(ctx context.Context) error {
	if err := s.retireDeadReadings(ctx); err != nil {
		return err
	}
	for _, t := range Topics() {
		cfg := s.cfg.streamConfig(t)
		if err := s.createStream(ctx, cfg); err != nil {
			return s.createError(cfg.Name, err)
		}
	}
	if err := s.moveDeadReadings(ctx); err != nil {
		return err
	}
	return s.keepGuarantee(ctx)
}

// createAttempts is how often a stream is tried to be made: servers of a
// cluster that start together, or hosts that make the same stream at once, may
// let a request time out.
const createAttempts = 6

// createStream makes a stream or brings it up to date. Only requests that
// nobody answered are tried again.
func (s *Stream) createStream(ctx context.Context, cfg jetstream.StreamConfig) error {
	for attempt := 1; ; attempt++ {
		_, err := s.js.CreateOrUpdateStream(ctx, cfg)
		unanswered := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, nats.ErrTimeout) || errors.Is(err, nats.ErrNoResponders)
		if err == nil || !unanswered || s.cfg.embedded() || ctx.Err() != nil || attempt == createAttempts {
			return err //nolint:wrapcheck // createError does
		}
		s.log.Warn("the NATS servers did not answer; trying again", "stream", cfg.Name, "attempt", attempt, "error", err)
		if err := sleep(ctx, backoff(s.cfg, attempt)); err != nil {
			return err
		}
	}
}
