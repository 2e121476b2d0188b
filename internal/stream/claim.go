package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// ErrClaimLost is returned to an owner whose claim is not the last one any
// more: another has claimed the partition, or retention has dropped the
// marker. Whoever still holds the lease claims again.
var ErrClaimLost = errors.New("the claim of the partition is lost")

// Headers by which JetStream compares the last message of another subject
// with what the sender expects there.
const (
	headerExpected        = jetstream.ExpectedLastSubjSeqHeader
	headerExpectedSubject = jetstream.ExpectedLastSubjSeqSubjHeader
	headerClaim           = "Gridwarden-Claim" // of a renewed marker: its token

	// renewShare: a marker is renewed when it has used the fourth part of the
	// bytes or the age after which retention would drop it.
	renewShare = 4
	// inProcessWait is how long a message waits for the one before it.
	inProcessWait = 2 * time.Millisecond
)

// Error codes of JetStream: the last sequence is another; and another message
// that is compared with the same subject is still on its way.
const (
	codeWrongSequence jetstream.ErrorCode = 10071
	codeInProcess     jetstream.ErrorCode = 10164
)

// claim is a partition that this process owns, as far as it knows.
type claim struct {
	subject string
	token   uint64
	turn    chan struct{} // holds one token: one message at a time; guards what follows

	marker uint64    // sequence of the last marker
	at     time.Time // when that was stored, by our clock
	lost   bool
}

// take waits for the turn.
func (c *claim) take(ctx context.Context) error {
	select {
	case <-c.turn:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *claim) give() { c.turn <- struct{}{} }

func (s *Stream) claimSubject(partition int) string {
	return claimsPrefix + s.cfg.Source + "." + strconv.Itoa(partition)
}

// Claim makes the caller the only one whose readings of the partition the
// stream takes, from the moment that it returns, and gives him the token that
// says so. Later claims have greater tokens. Who may claim is decided before,
// by a lease. The stream renews the claim, under the same token, long before
// retention would drop it, until Unclaim.
func (s *Stream) Claim(ctx context.Context, partition int) (token uint64, err error) {
	if v := s.conn.ConnectedServerVersion(); !comparesOtherSubjects(v) {
		return 0, fmt.Errorf("stream: the NATS server has version %s; several hosts need 2.12 or later, which refuses what a host sends that has lost its lease", v)
	}
	subject := s.claimSubject(partition)
	ack, err := s.js.PublishMsg(ctx, nats.NewMsg(subject))
	if err != nil {
		return 0, fmt.Errorf("stream: claim partition %d: %w; check %s", partition, err, s.place())
	}
	c := &claim{subject: subject, token: ack.Sequence, marker: ack.Sequence, at: time.Now(), turn: make(chan struct{}, 1)}
	c.give()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.claims[partition] = c
	return c.token, nil
}

// Unclaim forgets a claim: it is not renewed any more. The stream goes on
// refusing earlier ones.
func (s *Stream) Unclaim(partition int, token uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.claims[partition]; c != nil && c.token == token {
		delete(s.claims, partition)
	}
}

func (s *Stream) claimOf(partition int, token uint64) (*claim, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.claims[partition]
	return c, c != nil && c.token == token
}

// PublishClaimed stores readings of a partition as PublishReadings does, as
// long as token is of its last claim; otherwise the error is ErrClaimLost.
// After any error nothing more is sent, and what was stored before is whole
// messages from the beginning of readings.
//
// Messages go one after the other: a replicated stream takes no second
// message that is compared with the same subject before it has stored the
// first. Partitions do not wait for each other.
func (s *Stream) PublishClaimed(ctx context.Context, partition int, token uint64, readings []meter.Reading) error {
	if err := s.writable(); err != nil {
		return err
	}
	chunks, err := s.encode(readings)
	if err != nil {
		return err
	}
	c, ok := s.claimOf(partition, token)
	if !ok {
		return fmt.Errorf("stream: partition %d, token %d: %w", partition, token, ErrClaimLost)
	}
	if err := c.take(ctx); err != nil {
		return fmt.Errorf("stream: partition %d: %w", partition, err)
	}
	defer c.give()
	subject := s.readingsSubject(partition)
	for i, data := range chunks {
		ack, err := s.publishUnder(ctx, c, message(subject, data))
		if err != nil {
			return fmt.Errorf("stream: partition %d, token %d, after %d of %d messages: %w", partition, token, i, len(chunks), err)
		}
		s.renewWhereDue(ctx, partition, c, ack.Sequence)
	}
	return nil
}

// publishUnder stores m if c is still the last claim. The caller has the turn.
func (s *Stream) publishUnder(ctx context.Context, c *claim, m *nats.Msg) (*jetstream.PubAck, error) {
	inProcessUntil := time.Now().Add(publishTimeout)
	for attempt := 1; ; attempt++ {
		if c.lost {
			return nil, ErrClaimLost
		}
		m.Header.Set(headerExpectedSubject, c.subject)
		m.Header.Set(headerExpected, strconv.FormatUint(c.marker, 10))
		ack, err := s.publishMsg(ctx, m)
		wait := backoff(s.cfg, attempt)
		switch {
		case err == nil:
			return ack, nil
		case isCode(err, codeWrongSequence):
			if err := s.adopt(ctx, c); err != nil {
				return nil, err
			}
			wait = 0
		case isCode(err, codeInProcess) && time.Now().Before(inProcessUntil):
			attempt-- // nothing is wrong
			wait = inProcessWait
		case ctx.Err() != nil || attempt >= publishAttempts:
			return nil, fmt.Errorf("not acknowledged after %d attempts: %w; check the free space of %s and the server's log", attempt, err, s.place())
		}
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// publishMsg publishes m and waits for the acknowledgement, not for ever.
func (s *Stream) publishMsg(ctx context.Context, m *nats.Msg) (*jetstream.PubAck, error) {
	ctx, cancel := context.WithTimeout(ctx, publishTimeout)
	defer cancel()
	return s.js.PublishMsg(ctx, m) //nolint:wrapcheck // the callers decide on it
}

// adopt looks whether the last marker is one that c was renewed with, without
// being told; otherwise c is lost.
func (s *Stream) adopt(ctx context.Context, c *claim) error {
	c.lost = true
	str, err := s.js.Stream(ctx, string(Readings))
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrClaimLost, err)
	}
	last, err := str.GetLastMsgForSubject(ctx, c.subject)
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("%w: the stream has no marker of it any more", ErrClaimLost)
	}
	if err != nil {
		return fmt.Errorf("%w (%w)", ErrClaimLost, err)
	}
	if last.Sequence <= c.marker || last.Header.Get(headerClaim) != strconv.FormatUint(c.token, 10) {
		return fmt.Errorf("%w: another has claimed it with token %d", ErrClaimLost, last.Sequence)
	}
	c.marker, c.at, c.lost = last.Sequence, last.Time, false
	return nil
}

// renewWhereDue renews a claim whose marker retention might drop before
// long; last is a late position of the stream. The caller has the turn. What
// fails is tried again later, there is time.
func (s *Stream) renewWhereDue(ctx context.Context, partition int, c *claim, last uint64) {
	behind := last > c.marker && last-c.marker > s.cfg.renewAfter()
	if c.lost || !behind && time.Since(c.at) < s.cfg.MaxAge/renewShare {
		return
	}
	m := nats.NewMsg(c.subject)
	m.Header.Set(headerClaim, strconv.FormatUint(c.token, 10))
	ack, err := s.publishUnder(ctx, c, m)
	if err != nil {
		s.log.Warn("claim not renewed", "partition", partition, "token", c.token, "error", err)
		return
	}
	c.marker, c.at = ack.Sequence, time.Now()
}

// renewAfter is the number of messages after which a marker is renewed. All
// of them may be as large as batches become.
func (c Config) renewAfter() uint64 {
	return uint64(max(1, c.MaxBytes/renewShare/int64(max(c.MessageBytes, DefaultMessageBytes))))
}

// renewClaims renews the claims of partitions that nothing is published of.
func (s *Stream) renewClaims(ctx context.Context) {
	s.mu.Lock()
	claims := make(map[int]*claim, len(s.claims))
	for partition, c := range s.claims {
		claims[partition] = c
	}
	s.mu.Unlock()
	if len(claims) == 0 {
		return
	}
	info, err := s.info(ctx, Readings)
	if err != nil {
		s.log.Warn("claims not renewed, trying again", "error", err)
		return
	}
	for partition, c := range claims {
		if c.take(ctx) != nil {
			return
		}
		s.renewWhereDue(ctx, partition, c, info.State.LastSeq)
		c.give()
	}
}

// isCode reports whether err is JetStream's error of a code.
func isCode(err error, code jetstream.ErrorCode) bool {
	api, ok := errors.AsType[*jetstream.APIError](err)
	return ok && api.ErrorCode == code
}

// comparesOtherSubjects reports whether a NATS server compares messages with
// the last one of another subject, and one after the other when it is
// clustered too: from version 2.12 on.
func comparesOtherSubjects(version string) bool {
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d.", &major, &minor); err != nil {
		return false
	}
	return major > 2 || major == 2 && minor >= 12
}
