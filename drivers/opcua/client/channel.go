package client

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gopcua/opcua/ua"
)

// Pending is a request that was sent.
type Pending struct {
	id     uint32
	client *Client
	hint   time.Duration
	answer chan []byte // the body, once
}

// Lifetime of a token that we ask for, and the shortest time between two.
const (
	lifetime    = time.Hour
	leastRenew  = time.Second
	leastClosed = 1 << 10 // sequence numbers begin again below this
)

// openChannel opens the secure channel, or renews its token.
func (c *Client) openChannel(ctx context.Context, kind ua.SecurityTokenRequestType) error {
	var nonce []byte
	if !c.cfg.insecure() {
		var err error
		if nonce, err = c.asymmetric.MakeNonce(); err != nil {
			return fmt.Errorf("make a nonce: %w", err)
		}
	}
	p, err := c.sendOPN(&ua.OpenSecureChannelRequest{RequestType: kind, SecurityMode: c.cfg.Mode, ClientNonce: nonce, RequestedLifetime: uint32(lifetime.Milliseconds())})
	if err != nil {
		return err
	}
	res, err := Wait[ua.OpenSecureChannelResponse](ctx, p)
	if err != nil {
		return fmt.Errorf("open a secure channel: %w", err)
	}
	algo, err := c.symmetric(nonce, res.ServerNonce)
	if err != nil {
		c.fail(err)
		return err
	}
	life := time.Duration(res.SecurityToken.RevisedLifetime) * time.Millisecond
	if life <= 0 || life > lifetime {
		life = lifetime
	}
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.current != nil && res.SecurityToken.ChannelID != c.channel {
		return malformed("channel %d became %d", c.channel, res.SecurityToken.ChannelID)
	}
	c.channel = res.SecurityToken.ChannelID
	c.previous, c.current = c.current, &token{
		id: res.SecurityToken.TokenID, algo: algo,
		renew: now.Add(max(life*3/4, leastRenew)), until: now.Add(max(life*5/4, 2*leastRenew)),
	}
	return nil
}

// register makes room for an answer.
func (c *Client) register(hint time.Duration) (*Pending, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	for {
		if c.request++; c.request != 0 && c.pending[c.request] == nil {
			break
		}
	}
	p := &Pending{id: c.request, client: c, hint: hint, answer: make(chan []byte, 1)}
	c.pending[p.id] = p
	return p, nil
}

func (c *Client) forget(id uint32) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.pending, id)
}

// encode writes type and body of a request.
func encode(req ua.Request, auth *ua.NodeID, handle uint32, hint time.Duration) ([]byte, error) {
	if !allowed(req) {
		return nil, fmt.Errorf("a %T is not a reading request; it is not sent", req)
	}
	if auth == nil {
		auth = ua.NewTwoByteNodeID(0)
	}
	req.SetHeader(&ua.RequestHeader{AuthenticationToken: auth, Timestamp: time.Now(), RequestHandle: handle, TimeoutHint: uint32(max(0, hint.Milliseconds()))})
	kind, err := ua.Encode(ua.NewFourByteExpandedNodeID(0, ua.ServiceTypeID(req)))
	if err != nil {
		return nil, fmt.Errorf("encode a %T: %w", req, err)
	}
	if r, ok := req.(*ua.ReadRequest); ok {
		return encodeRead(kind, r)
	}
	body, err := ua.Encode(req)
	if err != nil {
		return nil, fmt.Errorf("encode a %T: %w", req, err)
	}
	return append(kind, body...), nil
}

// encodeRead appends a ReadRequest, the one request that is long and frequent:
// gopcua's codec takes by reflection as long for it as a server for the answer.
func encodeRead(b []byte, r *ua.ReadRequest) ([]byte, error) {
	header, err := ua.Encode(r.RequestHeader)
	if err != nil {
		return nil, fmt.Errorf("encode a request's header: %w", err)
	}
	b = slices.Grow(b, len(header)+16+48*len(r.NodesToRead))
	b = append(b, header...)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(r.MaxAge))
	b = binary.LittleEndian.AppendUint32(b, uint32(r.TimestampsToReturn))
	b = binary.LittleEndian.AppendUint32(b, uint32(len(r.NodesToRead)))
	text := func(s string) {
		if s == "" {
			b = binary.LittleEndian.AppendUint32(b, 1<<32-1)
			return
		}
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(s))), s...)
	}
	for _, n := range r.NodesToRead {
		node, err := n.NodeID.Encode()
		if err != nil {
			return nil, fmt.Errorf("encode node %v: %w", n.NodeID, err)
		}
		b = append(b, node...)
		b = binary.LittleEndian.AppendUint32(b, uint32(n.AttributeID))
		text(n.IndexRange)
		b = binary.LittleEndian.AppendUint16(b, n.DataEncoding.NamespaceIndex)
		text(n.DataEncoding.Name)
	}
	return b, nil
}

// allowed lists the requests that can be sent at all: what reads, browses and
// subscribes, and what keeps the connection.
func allowed(req ua.Request) bool {
	switch req.(type) {
	case *ua.OpenSecureChannelRequest, *ua.CloseSecureChannelRequest, *ua.GetEndpointsRequest,
		*ua.CreateSessionRequest, *ua.ActivateSessionRequest, *ua.CloseSessionRequest,
		*ua.ReadRequest, *ua.HistoryReadRequest, *ua.BrowseRequest, *ua.BrowseNextRequest, *ua.TranslateBrowsePathsToNodeIDsRequest,
		*ua.CreateSubscriptionRequest, *ua.ModifySubscriptionRequest, *ua.DeleteSubscriptionsRequest, *ua.CreateMonitoredItemsRequest, *ua.DeleteMonitoredItemsRequest,
		*ua.PublishRequest, *ua.RepublishRequest:
		return true
	}
	return false
}

// next returns the next sequence number. sending is held.
func (c *Client) next() uint32 {
	if c.sequence++; c.sequence > 1<<32-1-leastClosed {
		c.sequence = 1
	}
	return c.sequence
}

func (c *Client) sendOPN(req *ua.OpenSecureChannelRequest) (*Pending, error) {
	p, err := c.register(c.cfg.Timeout)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	c.opening = p
	channel := c.channel
	c.mu.Unlock()
	body, err := encode(req, nil, p.id, c.cfg.Timeout)
	if err != nil {
		c.forget(p.id)
		return nil, err
	}
	b := binary.LittleEndian.AppendUint32(head("OPN", headerSize+len(body)+4096), channel)
	b = securityHeader(b, &c.cfg)
	clear := len(b)
	b = binary.LittleEndian.AppendUint32(b, c.next())
	b = binary.LittleEndian.AppendUint32(b, p.id)
	b = append(b, body...)
	if c.cfg.insecure() {
		binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	} else if b, err = protect(c.asymmetric, b, clear, true); err != nil {
		c.forget(p.id)
		return nil, err
	}
	return p, c.write(b, c.cfg.Timeout)
}

func (c *Client) write(b []byte, timeout time.Duration) error {
	_ = c.conn.SetWriteDeadline(time.Now().Add(timeout))
	if _, err := c.conn.Write(b); err != nil {
		err = fmt.Errorf("send to the server: %w", err)
		c.fail(err)
		return err
	}
	return nil
}

// Send sends a request; Wait takes its answer.
func (c *Client) Send(req ua.Request, hint time.Duration) (*Pending, error) {
	p, err := c.register(hint)
	if err != nil {
		return nil, err
	}
	return c.send(req, hint, p)
}

// send writes a request in as many chunks as it takes. Without p no answer is
// awaited. A token that is due is renewed first.
func (c *Client) send(req ua.Request, hint time.Duration, p *Pending) (_ *Pending, err error) {
	c.sending.Lock()
	defer c.sending.Unlock()
	var id uint32
	if p != nil {
		id = p.id
		defer func() {
			if err != nil {
				c.forget(id)
			}
		}()
	}
	c.mu.Lock()
	due := c.current != nil && time.Now().After(c.current.renew)
	c.mu.Unlock()
	if due {
		ctx, cancel := context.WithTimeout(context.Background(), c.cfg.Timeout)
		err := c.openChannel(ctx, ua.SecurityTokenRequestTypeRenew)
		cancel()
		if err != nil {
			err = fmt.Errorf("renew the channel's keys: %w", err)
			c.fail(err)
			return nil, err
		}
	}
	body, err := encode(req, c.auth, id, hint)
	if err != nil {
		return nil, err
	}
	kind := "MSG"
	if _, leaves := req.(*ua.CloseSecureChannelRequest); leaves {
		kind = "CLO"
	}
	c.mu.Lock()
	tok, channel := c.current, c.channel
	c.mu.Unlock()
	if tok == nil {
		return nil, errors.New("there is no secure channel")
	}
	// What padding and signature take is at most this.
	room := c.chunk - 24 - 512
	for first := true; first || len(body) > 0; first = false {
		part := body[:min(room, len(body))]
		body = body[len(part):]
		b := binary.LittleEndian.AppendUint32(head(kind, 24+len(part)+512), channel)
		b = binary.LittleEndian.AppendUint32(b, tok.id)
		b = binary.LittleEndian.AppendUint32(b, c.next())
		b = binary.LittleEndian.AppendUint32(b, id)
		b = append(b, part...)
		if len(body) > 0 {
			b[3] = 'C'
		}
		binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
		if !c.cfg.insecure() {
			if b, err = protect(tok.algo, b, 16, c.cfg.encrypted()); err != nil {
				return nil, err
			}
		}
		if err := c.write(b, c.cfg.Timeout); err != nil {
			return nil, err
		}
	}
	return p, nil
}
