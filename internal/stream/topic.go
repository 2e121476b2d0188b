package stream

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Message is one message of a topic.
type Message struct {
	Key        string    // what follows the topic in its subject
	ID         string    // as it was published with
	Data       []byte    // not to be kept after the function returns, nor changed
	Seq        uint64    // position in the topic's stream
	Time       time.Time // when it was stored
	Deliveries int       // how often it was handed out, this time included
}

// poisonError is an error that no further try will mend.
type poisonError struct{ reason error }

// Error returns the reason.
func (p poisonError) Error() string { return p.reason.Error() }

// Unwrap returns the reason.
func (p poisonError) Unwrap() error { return p.reason }

// Poison marks an error that no further try will mend: a message whose
// function returns it goes to the dead letters with the reason.
func Poison(reason error) error { return poisonError{reason} }

// finalError is an error that ends the reading.
type finalError struct{ reason error }

// Error returns the reason.
func (f finalError) Error() string { return f.reason.Error() }

// Unwrap returns the reason.
func (f finalError) Unwrap() error { return f.reason }

// Final marks an error of a function upon which ReadReadings or Consume shall
// end and return the reason, for one that the reader has been fenced off.
func Final(reason error) error { return finalError{reason} }

// Publish stores a message of a topic and returns once it is acknowledged. An
// id that JetStream has seen within the last hour is not stored again; a
// sender that repeats itself later is, so consumers must bear repetitions.
// The key is one to eight parts of letters, digits, - and _ joined by dots.
func (s *Stream) Publish(ctx context.Context, topic Topic, key, id string, data []byte) error {
	if err := checkTopic(topic); err != nil {
		return err
	}
	if err := checkKey(key); err != nil {
		return fmt.Errorf("stream: %s: %w", topic, err)
	}
	if id == "" {
		return fmt.Errorf("stream: %s %s: a message without an id; give one that a repetition has too", topic, key)
	}
	if strings.ContainsAny(id, "\r\n") {
		return fmt.Errorf("stream: %s %s: the id %q has a line end; leave it out", topic, key, id)
	}
	if len(data) > maxMessage-maxHeaders {
		return fmt.Errorf("stream: %s %s: a message of %d bytes; cut it into parts of %d at most", topic, key, len(data), maxMessage-maxHeaders)
	}
	m := nats.NewMsg(topic.prefix() + key)
	m.Data = data
	m.Header.Set(jetstream.MsgIDHeader, id)
	return s.publish(ctx, []*nats.Msg{m})
}

const (
	// maxHeaders is left of JetStream's limit of a megabyte for headers.
	maxHeaders  = 8 << 10
	maxKeyParts = 8
	maxKeyBytes = 256
)

// checkTopic refuses topics that have forms and functions of their own.
func checkTopic(topic Topic) error {
	switch topic {
	case MeterDays, Findings, CaseEvents, Work:
		return nil
	}
	return fmt.Errorf("stream: messages of topic %q cannot be published or consumed so; use METER_DAYS, FINDINGS, CASE_EVENTS or WORK", topic)
}

func checkKey(key string) error {
	if len(key) > maxKeyBytes || strings.Count(key, ".") >= maxKeyParts {
		return fmt.Errorf("the key %q is too long; give at most %d parts and %d bytes", cut(key), maxKeyParts, maxKeyBytes)
	}
	for part := range strings.SplitSeq(key, ".") {
		if part == "" {
			return fmt.Errorf("the key %q has an empty part; use parts of letters, digits, - and _ joined by dots", key)
		}
		for _, r := range part {
			if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_') {
				return fmt.Errorf("the key %q has a %q; use parts of letters, digits, - and _ joined by dots", key, r)
			}
		}
	}
	return nil
}
