package control

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// ErrNoLetter is said of a dead letter that there is not, or not any more.
var ErrNoLetter = errors.New("no such dead letter")

// StreamService is what a program with a stream answers besides.
type StreamService interface {
	// Topics returns every topic of the stream in the order of the data's way.
	Topics(ctx context.Context) ([]Topic, error)
	// Deployment returns what the stream guarantees, and its links.
	Deployment(ctx context.Context) (*Deployment, error)
	// DeadLetters returns the dead letters after a number, oldest first, at
	// most limit, without their contents.
	DeadLetters(ctx context.Context, after uint64, limit int) ([]DeadLetter, error)
	// DeadLetter returns one with its content, or an error that is ErrNoLetter.
	DeadLetter(ctx context.Context, seq uint64) (*DeadLetter, error)
	// ReplayDead publishes a dead letter again where it came from.
	ReplayDead(ctx context.Context, seq uint64) error
	// DiscardDead removes a dead letter.
	DiscardDead(ctx context.Context, seq uint64) error
}

// Deployment is what the stream guarantees, and its links to a hub or to leaf
// nodes.
type Deployment struct {
	Guarantee string `json:"guarantee"` // what an acknowledged reading survives, in a sentence
	Links     []Link `json:"links,omitempty"`
}

// Link is the connection between a leaf node and its hub, as seen from here.
type Link struct {
	Name      string `json:"name"` // the leaf's source; at the leaf "hub"
	Connected bool   `json:"connected"`
	Waiting   uint64 `json:"waiting"`           // messages that the hub has not taken over
	Exact     bool   `json:"exact"`             // or about so many, while the link is down
	Problem   string `json:"problem,omitempty"` // what is wrong, with the mend
}

// Topic is one stream and how its consumers do.
type Topic struct {
	Topic     string     `json:"topic"`
	Messages  uint64     `json:"messages"`
	Bytes     uint64     `json:"bytes"`
	MaxBytes  int64      `json:"max_bytes"`
	MaxAgeS   float64    `json:"max_age_s"`
	Replicas  int        `json:"replicas"`
	Oldest    time.Time  `json:"oldest,omitzero"` // when the oldest message was stored
	Consumers []Consumer `json:"consumers"`
}

// Consumer is how far a reader of a topic has come.
type Consumer struct {
	Name    string `json:"name"`
	Kind    string `json:"kind"` // acknowledging or positioned
	Backlog int64  `json:"backlog"`
	Unread  uint64 `json:"unread"`           // position of the first message that may be unread
	Danger  string `json:"danger,omitempty"` // why unread messages will soon be dropped
}

// DeadLetter is a message that a consumer could not use.
type DeadLetter struct {
	Seq      uint64    `json:"seq"`
	Time     time.Time `json:"time"` // when it was set aside
	Topic    string    `json:"topic"`
	Subject  string    `json:"subject"`
	ID       string    `json:"id,omitempty"`
	Consumer string    `json:"consumer"`
	Reason   string    `json:"reason"`
	Bytes    int       `json:"bytes"`

	// One of these is the content, where it was asked for: readings, a JSON
	// document, or what it begins with in hex, and why no more can be said.
	Readings  []LetterReading `json:"readings,omitempty"`
	JSON      json.RawMessage `json:"json,omitempty"`
	Hex       string          `json:"hex,omitempty"`
	Undecoded string          `json:"undecoded,omitempty"`
}

// LetterReading is one reading of a dead letter.
type LetterReading struct {
	Device      string    `json:"device"`
	Meter       string    `json:"meter"`
	Quantity    string    `json:"quantity"`
	Value       *float64  `json:"value"` // null where it is no number
	Unit        string    `json:"unit,omitempty"`
	Quality     string    `json:"quality"`
	Flags       []string  `json:"flags,omitempty"`
	Detail      string    `json:"detail,omitempty"`
	EventTime   time.Time `json:"event_time,omitzero"`
	ReceiveTime time.Time `json:"receive_time,omitzero"`
}
