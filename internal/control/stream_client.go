package control

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// noLetterError is ErrNoLetter in the program's words.
type noLetterError struct{ error }

// Is makes it ErrNoLetter.
func (noLetterError) Is(target error) bool { return target == ErrNoLetter }

// A Client is a StreamService of the running program.
var _ StreamService = (*Client)(nil)

// Topics returns every topic of the program's stream.
func (c *Client) Topics(ctx context.Context) ([]Topic, error) {
	var list []Topic
	_, err := c.ask(ctx, http.MethodGet, "/stream", &list)
	return list, err
}

// Deployment returns what the program's stream guarantees, and its links.
func (c *Client) Deployment(ctx context.Context) (*Deployment, error) {
	var d Deployment
	if _, err := c.ask(ctx, http.MethodGet, "/stream/deployment", &d); err != nil {
		return nil, err
	}
	return &d, nil
}

// DeadLetters returns the dead letters after a number, at most limit and
// MaxLetters, without their contents.
func (c *Client) DeadLetters(ctx context.Context, after uint64, limit int) ([]DeadLetter, error) {
	query := url.Values{"after": {strconv.FormatUint(after, 10)}, "limit": {strconv.Itoa(limit)}}
	var list []DeadLetter
	_, err := c.ask(ctx, http.MethodGet, "/stream/dead?"+query.Encode(), &list)
	return list, err
}

// DeadLetter returns one dead letter, or an error that is ErrNoLetter.
func (c *Client) DeadLetter(ctx context.Context, seq uint64) (*DeadLetter, error) {
	var l DeadLetter
	if err := c.askLetter(ctx, http.MethodGet, seq, "", &l); err != nil {
		return nil, err
	}
	return &l, nil
}

// ReplayDead has the program publish a dead letter again where it came from.
func (c *Client) ReplayDead(ctx context.Context, seq uint64) error {
	return c.askLetter(ctx, http.MethodPost, seq, "/replay", &struct{}{})
}

// DiscardDead has the program remove a dead letter.
func (c *Client) DiscardDead(ctx context.Context, seq uint64) error {
	return c.askLetter(ctx, http.MethodDelete, seq, "", &struct{}{})
}

func (c *Client) askLetter(ctx context.Context, method string, seq uint64, what string, out any) error {
	status, err := c.ask(ctx, method, fmt.Sprintf("/stream/dead/%d%s", seq, what), out)
	if err != nil && status == http.StatusNotFound {
		return noLetterError{err}
	}
	return err
}
