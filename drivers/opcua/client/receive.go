package client

import (
	"context"
	"encoding/binary"
	"fmt"
	"reflect"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// receive hands answers to those who wait, until the connection ends.
func (c *Client) receive() {
	var parts assembly
	var last uint32
	for first := true; ; first = false {
		f, err := readFrame(c.r)
		if err != nil {
			c.fail(err)
			return
		}
		sequence, request, body, err := c.take(f)
		if err != nil {
			c.fail(err)
			return
		}
		// Numbers rise by one, and begin again below 1024 (OPC 10000-6, 6.7.2.4).
		if !first && sequence != last+1 && (last < 1<<32-1-leastClosed || sequence >= leastClosed) {
			c.fail(malformed("sequence number %d after %d", sequence, last))
			return
		}
		last = sequence
		c.mu.Lock()
		p := c.pending[request]
		c.mu.Unlock()
		if p == nil { // nobody waits any more; nothing of it is kept
			parts.drop(request)
			continue
		}
		message, complete, err := parts.add(request, f.mark, body)
		switch {
		case err != nil:
			c.fail(err)
			return
		case f.mark == 'A':
			c.mu.Lock()
			delete(c.pending, request)
			c.mu.Unlock()
			close(p.answer)
		case complete:
			c.mu.Lock()
			delete(c.pending, request)
			c.mu.Unlock()
			p.answer <- message // has room for the one
		}
	}
}

// take verifies a chunk and takes it apart.
func (c *Client) take(f frame) (sequence, request uint32, body []byte, err error) {
	if len(f.data) < 16 {
		return 0, 0, nil, malformed("a %s of %d bytes", f.kind, len(f.data))
	}
	channel, tokenID := binary.LittleEndian.Uint32(f.data[8:]), binary.LittleEndian.Uint32(f.data[12:])
	c.mu.Lock()
	own, current, previous := c.channel, c.current, c.previous
	opening := c.opening
	c.mu.Unlock()
	switch f.kind {
	case "OPN":
		if opening == nil {
			return 0, 0, nil, malformed("an OPN that nobody asked for")
		}
		body, err = c.openOPN(f.data)
	case "MSG":
		if current == nil || channel != own {
			return 0, 0, nil, malformed("a message for channel %d", channel)
		}
		tok := current
		if tokenID != current.id {
			tok = previous
			if tok == nil || tok.id != tokenID || time.Now().After(tok.until) {
				return 0, 0, nil, insecure("it uses token %d, which does not hold", tokenID)
			}
		}
		if body = f.data[16:]; !c.cfg.insecure() {
			body, err = unprotect(tok.algo, f.data, 16, c.cfg.encrypted(), 0)
		}
	default:
		return 0, 0, nil, malformed("a %s within a channel", f.kind)
	}
	if err != nil {
		return 0, 0, nil, err
	}
	if len(body) < 8 {
		return 0, 0, nil, malformed("a chunk without a sequence header")
	}
	sequence, request, body = binary.LittleEndian.Uint32(body), binary.LittleEndian.Uint32(body[4:]), body[8:]
	// Only an OPN answers an OPN, and nothing else does.
	if (f.kind == "OPN") != (opening != nil && request == opening.id) {
		return 0, 0, nil, malformed("a %s answers request %d", f.kind, request)
	}
	if f.kind == "OPN" {
		c.mu.Lock()
		c.opening = nil
		c.mu.Unlock()
	}
	return sequence, request, body, nil
}

// response is a pointer to one of gopcua's response types.
type response[T any] interface {
	*T
	ua.Response
}

// Call sends a request and waits for the answer, at most as long as the
// context or, where that sets no end, Config.Timeout.
func Call[T any, P response[T]](ctx context.Context, c *Client, req ua.Request) (*T, error) {
	hint := c.cfg.Timeout
	if end, ok := ctx.Deadline(); ok {
		hint = time.Until(end)
	}
	p, err := c.Send(req, hint)
	if err != nil {
		return nil, err
	}
	return Wait[T, P](ctx, p)
}

// Wait takes the answer to a request, however long it takes where neither
// context nor hint set an end. A status code that is not good comes
// as the error. An answer that is none ends the connection.
func Wait[T any, P response[T]](ctx context.Context, p *Pending) (*T, error) {
	c := p.client
	var expired <-chan time.Time
	if _, ends := ctx.Deadline(); !ends && p.hint > 0 {
		t := time.NewTimer(p.hint + polite)
		defer t.Stop()
		expired = t.C
	}
	var body []byte
	var ok bool
	select {
	case body, ok = <-p.answer:
	case <-c.done:
		select { // it may have come with the last bytes
		case body, ok = <-p.answer:
		default:
			return nil, c.Err()
		}
	case <-expired:
		c.forget(p.id)
		return nil, fmt.Errorf("%w (%v)", ua.StatusBadTimeout, p.hint)
	case <-ctx.Done():
		c.forget(p.id)
		return nil, fmt.Errorf("wait for the server: %w", ctx.Err())
	}
	if !ok {
		return nil, fmt.Errorf("the server broke its answer off: %w", ua.StatusBadResponseTooLarge)
	}
	out := new(T)
	status, err := decodeResponse(body, P(out), p.id)
	if err != nil {
		c.fail(err)
		return nil, err
	}
	if status>>30 != 0 { // not of the good ones
		return nil, status
	}
	return out, nil
}

// decodeResponse reads an answer that must be of out's type, or a fault.
func decodeResponse(body []byte, out ua.Response, handle uint32) (ua.StatusCode, error) {
	kind := new(ua.ExpandedNodeID)
	d := decoder{b: body}
	d.leaf(kind)
	if d.err != nil {
		return 0, d.err
	}
	target := out
	switch got := kind.NodeID; {
	case got.Namespace() == 0 && got.IntID() == id.ServiceFault_Encoding_DefaultBinary:
		target = new(ua.ServiceFault)
	case got.Namespace() != 0 || got.IntID() != uint32(ua.ServiceTypeID(out)):
		return 0, malformed("a %v where a %v was due", got, reflect.TypeOf(out))
	}
	if err := Decode(d.b, target); err != nil {
		return 0, err
	}
	h := target.Header()
	if h == nil || h.RequestHandle != handle {
		return 0, malformed("an answer to another question")
	}
	if target != out && h.ServiceResult>>30 == 0 {
		return 0, malformed("a fault without a reason")
	}
	return h.ServiceResult, nil
}
