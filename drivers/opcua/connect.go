package opcua

import (
	"context"
	"crypto/x509"
	"fmt"
	"sync"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

const (
	scheme         = "opc.tcp"
	applicationURI = "urn:gridwarden:client"
	maxNodes       = 1000 // of one read; servers with a lower limit say so
)

// dialer opens sessions for the endpoints of one driver.
type dialer struct {
	opts Options

	once     sync.Once
	identity *Identity
	err      error
}

// own returns the client's identity and makes one where none was given.
func (d *dialer) own() (*Identity, error) {
	d.once.Do(func() {
		if d.identity = d.opts.Identity; d.identity == nil {
			d.identity, d.err = NewIdentity(applicationURI, time.Now(), 365*24*time.Hour)
		}
	})
	return d.identity, d.err
}

// connection is one open session with what was learned about the server.
type connection struct {
	client *opcua.Client
	lost   <-chan struct{}       // closed when the connection broke
	nodes  map[string]*ua.NodeID // by text, resolved against this server's namespaces
	limit  int                   // nodes of one read
}

// dial opens a session. gopcua's own reconnect stays off: after a cut it
// leaves subscriptions silent.
func (d *dialer) dial(ctx context.Context, s settings) (c *connection, err error) {
	ctx, cancel := context.WithTimeout(ctx, d.opts.Connect)
	defer cancel()
	// gopcua goes on without a session when a server's signature is wrong,
	// and panics. A hostile server must cost no more than its own devices.
	defer func() {
		if r := recover(); r != nil {
			c, err = nil, fmt.Errorf("connect to %s: the server breaks the protocol (%v); check its certificate and version", s.url, r)
		}
	}()
	lost := make(chan struct{})
	var once sync.Once
	changed := func(state opcua.ConnState) {
		if state == opcua.Disconnected || state == opcua.Closed {
			once.Do(func() { close(lost) })
		}
	}
	opts := []opcua.Option{
		opcua.AutoReconnect(false), opcua.StateChangedFunc(changed), opcua.DialTimeout(d.opts.Connect), opcua.RequestTimeout(d.opts.Connect),
		opcua.ApplicationName("Gridwarden"), opcua.ApplicationURI(applicationURI), opcua.SessionTimeout(time.Minute),
	}
	if s.none {
		opts = append(opts, opcua.SecurityPolicy(ua.SecurityPolicyURINone), opcua.SecurityMode(ua.MessageSecurityModeNone))
	} else {
		secure, err := d.secure(ctx, s)
		if err != nil {
			return nil, err
		}
		opts = append(opts, secure...)
	}
	client, err := opcua.NewClient(s.url, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.url, err)
	}
	if err := client.Connect(ctx); err != nil {
		closeClient(client)
		return nil, fmt.Errorf("connect to %s: %w", s.url, err)
	}
	c = &connection{client: client, lost: lost, nodes: make(map[string]*ua.NodeID), limit: maxNodes}
	c.learnLimit(ctx)
	return c, nil
}

// secure chooses the server's endpoint, judges its certificate and returns
// the options for a session through it.
func (d *dialer) secure(ctx context.Context, s settings) ([]opcua.Option, error) {
	endpoints, err := opcua.GetEndpoints(ctx, s.url, opcua.DialTimeout(d.opts.Connect), opcua.RequestTimeout(d.opts.Connect))
	if err != nil {
		return nil, fmt.Errorf("ask %s for its endpoints: %w", s.url, err)
	}
	ep := choose(endpoints, s)
	if ep == nil {
		want := s.policy
		if want == "" {
			want = "any of the policies that are still safe"
		}
		return nil, fmt.Errorf("%s offers no endpoint with %s; enable one on the server or set the option %s to another policy", s.url, want, optSecurity)
	}
	if err := d.judge(s, ep.ServerCertificate); err != nil {
		return nil, err
	}
	own, err := d.own()
	if err != nil {
		return nil, err
	}
	token := ua.UserTokenTypeAnonymous
	opts := []opcua.Option{opcua.ApplicationURI(own.ApplicationURI), opcua.Certificate(own.Certificate), opcua.PrivateKey(own.Key)}
	if s.user != "" {
		token = ua.UserTokenTypeUserName
		opts = append(opts, opcua.AuthUsername(s.user, s.password))
	}
	return append(opts, opcua.SecurityFromEndpoint(ep, token)), nil
}

// choose returns the best endpoint that s allows, nil where there is none.
func choose(endpoints []*ua.EndpointDescription, s settings) *ua.EndpointDescription {
	for _, policy := range policies() {
		if s.policy != "" && s.policy != policy {
			continue
		}
		for _, ep := range endpoints {
			if ep != nil && ep.SecurityPolicyURI == ua.SecurityPolicyURIPrefix+policy && ep.SecurityMode == s.mode && len(ep.ServerCertificate) > 0 {
				return ep
			}
		}
	}
	return nil
}

// judge accepts a server's certificate by its pin or by the trust list.
func (d *dialer) judge(s settings, der []byte) error {
	found := Fingerprint(der)
	if s.pin != "" {
		if found != s.pin {
			return fmt.Errorf("%s shows a certificate with SHA-256 %s, not the pinned %s; find out why before changing %s", s.url, found, s.pin, optPin)
		}
		return nil
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return fmt.Errorf("%s shows a certificate that cannot be read: %w", s.url, err)
	}
	if d.opts.Trust == nil {
		return fmt.Errorf("%s shows a certificate that nobody has vouched for; compare it at the server and set the option %s to %s", s.url, optPin, found)
	}
	if err := d.opts.Trust(s.url, cert); err != nil {
		return fmt.Errorf("certificate of %s (SHA-256 %s): %w", s.url, found, err)
	}
	return nil
}

// learnLimit asks the server how many nodes one read may name. Servers that
// do not say are held to our own limit.
func (c *connection) learnLimit(ctx context.Context) {
	v, err := c.client.Node(ua.NewNumericNodeID(0, id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead)).Value(ctx)
	if err != nil || v == nil {
		return
	}
	if n, ok := v.Value().(uint32); ok && n > 0 && n < maxNodes {
		c.limit = int(n)
	}
}

// node resolves the text of a node id on this server.
func (c *connection) node(text string) (*ua.NodeID, error) {
	if n := c.nodes[text]; n != nil {
		return n, nil
	}
	x, err := ua.ParseExpandedNodeID(text, c.client.Namespaces())
	if err != nil {
		return nil, fmt.Errorf("node %q: %w; the server's namespaces are %q", text, err, c.client.Namespaces())
	}
	c.nodes[text] = x.NodeID
	return x.NodeID, nil
}

func (c *connection) close() { closeClient(c.client) }

// closeClient closes politely, but not for long: the network may be gone.
func closeClient(client *opcua.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), 250*time.Millisecond)
	defer cancel()
	_ = client.Close(ctx)
}
