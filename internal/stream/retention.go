package stream

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

const (
	retentionInterval = time.Minute
	// warnShare is the share of MaxAge or MaxBytes from which unread messages
	// are in danger.
	warnShare = 0.8
)

// watchRetention warns, until ctx is done, of unread messages that will soon
// be dropped, and renews claims before they are.
func (s *Stream) watchRetention(ctx context.Context, interval time.Duration) {
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			s.renewClaims(ctx)
			err := s.eachConsumer(ctx, now, func(r report) {
				if r.danger != "" {
					s.log.Warn("unread messages will soon be dropped: "+r.danger+"; bring the consumer back, or raise stream.retention", "topic", r.topic, "consumer", r.name, "backlog", r.backlog)
				}
			})
			if err != nil && ctx.Err() == nil {
				s.log.Warn("retention not checked", "error", err)
			}
		}
	}
}

// watchInterval is how often retention is looked at: often enough for short
// ages too.
func (c Config) watchInterval() time.Duration {
	return min(retentionInterval, max(c.MaxAge/(4*renewShare), time.Second))
}

// danger says in words why messages that a consumer has not read are about to
// be dropped, or "".
func (s *Stream) danger(ctx context.Context, topic Topic, p progress, now time.Time) (string, error) {
	if p.backlog == 0 {
		return "", nil
	}
	info, err := s.info(ctx, topic)
	if err != nil {
		return "", err
	}
	return dangerIn(info, p, now), nil
}

// dangerIn is danger in a stream of a known state. The limits are those of
// the stream itself.
func dangerIn(info *jetstream.StreamInfo, p progress, now time.Time) string {
	first, last := info.State.FirstSeq, info.State.LastSeq
	unread := max(first, p.unread)
	if p.backlog == 0 || info.State.Msgs == 0 || unread > last || !nearFirst(first, last, unread) {
		return ""
	}
	cfg := &info.Config
	if age := now.Sub(info.State.FirstTime); cfg.MaxAge > 0 && age > share(cfg.MaxAge) {
		return fmt.Sprintf("the oldest is %s old of %s", age.Round(time.Minute), cfg.MaxAge)
	}
	if used := int64(info.State.Bytes); cfg.MaxBytes > 0 && used > share(cfg.MaxBytes) {
		return fmt.Sprintf("the stream holds %d MB of %d MB", used>>20, cfg.MaxBytes>>20)
	}
	return ""
}

func share[T int64 | time.Duration](limit T) T { return T(float64(limit) * warnShare) }

// nearFirst reports whether unread lies in the oldest fifth of the stream,
// the part that goes next.
func nearFirst(first, last, unread uint64) bool {
	return float64(unread-first) < (1-warnShare)*float64(last-first+1)
}
