package client

import (
	"bufio"
	"context"
	"crypto/rsa"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"
)

// Config is what a connection needs. Certificates are DER.
type Config struct {
	URL             string // opc.tcp://host:port/path
	PolicyURI       string
	Mode            ua.MessageSecurityMode
	ApplicationURI  string
	ApplicationName string

	Certificate       []byte          // own; with Key, unless the policy is None
	Key               *rsa.PrivateKey // of Certificate
	ServerCertificate []byte          // of the endpoint, judged by the caller

	// Accept may refuse the endpoints that the server names within the session,
	// before the user's secret is sent; nil takes any.
	Accept func([]*ua.EndpointDescription) error

	Token          Token
	Timeout        time.Duration // of one request where the context says none; 5 s where zero
	SessionTimeout time.Duration // after which the server forgets us; a minute where zero
}

// Token is who the session is for.
type Token struct {
	Kind        ua.UserTokenType
	PolicyID    string // as the server calls it
	PolicyURI   string // that protects the secret; the channel's where empty
	User        string
	Password    string
	Certificate []byte
	Key         *rsa.PrivateKey
}

// Client is a connection with a session. Its methods may be called by any
// goroutine.
type Client struct {
	cfg        Config
	conn       net.Conn
	r          *bufio.Reader
	chunk      int // bytes of one chunk to the server
	asymmetric *uapolicy.EncryptionAlgorithm
	serverLeaf []byte
	work       sync.WaitGroup
	done       chan struct{} // closed once the connection is of no use

	sending  sync.Mutex // sequence numbers and writes
	sequence uint32

	mu       sync.Mutex
	pending  map[uint32]*Pending
	request  uint32
	err      error
	channel  uint32
	current  *token
	previous *token
	opening  *Pending // the one OpenSecureChannel that is under way

	// Set while connecting, constant afterwards.
	auth       *ua.NodeID
	endpoints  []*ua.EndpointDescription
	namespaces []string
	revised    time.Duration
}

var errClosed = errors.New("the connection was closed")

// Dial connects, opens a secure channel and a session, and reads the server's
// namespaces. Close the client.
func Dial(ctx context.Context, cfg Config) (*Client, error) {
	c, err := open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := c.session(ctx); err != nil {
		c.Close()
		return nil, err
	}
	if err := c.readNamespaces(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Endpoints asks a server, without security, which endpoints it offers.
func Endpoints(ctx context.Context, url string, timeout time.Duration) ([]*ua.EndpointDescription, error) {
	c, err := open(ctx, Config{URL: url, PolicyURI: ua.SecurityPolicyURINone, Mode: ua.MessageSecurityModeNone, Timeout: timeout})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	res, err := Call[ua.GetEndpointsResponse](ctx, c, &ua.GetEndpointsRequest{EndpointURL: url})
	if err != nil {
		return nil, fmt.Errorf("ask for the endpoints: %w", err)
	}
	return res.Endpoints, nil
}

// open connects and opens the secure channel.
func open(ctx context.Context, cfg Config) (*Client, error) {
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.SessionTimeout == 0 {
		cfg.SessionTimeout = time.Minute
	}
	u, err := url.Parse(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("server address: %w", err)
	}
	port := u.Port()
	if port == "" {
		port = "4840"
	}
	c := &Client{cfg: cfg, pending: make(map[uint32]*Pending), done: make(chan struct{})}
	if !cfg.insecure() {
		key, leaf, err := publicKey(cfg.ServerCertificate)
		if err != nil {
			return nil, err
		}
		c.serverLeaf = leaf
		if c.asymmetric, err = uapolicy.Asymmetric(cfg.PolicyURI, cfg.Key, key); err != nil {
			return nil, fmt.Errorf("policy %s: %w", cfg.PolicyURI, err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	var dialer net.Dialer
	if c.conn, err = dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port)); err != nil {
		return nil, err //nolint:wrapcheck // names the address itself
	}
	c.r = bufio.NewReaderSize(c.conn, chunkSize)
	if err := c.handshake(ctx); err != nil {
		_ = c.conn.Close()
		return nil, err
	}
	c.work.Go(c.receive)
	if err := c.openChannel(ctx, ua.SecurityTokenRequestTypeIssue); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// handshake exchanges Hello and Acknowledge.
func (c *Client) handshake(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = c.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	h, err := hello(c.cfg.URL)
	if err != nil {
		return err
	}
	if _, err := c.conn.Write(h); err != nil {
		return fmt.Errorf("send the Hello: %w", err)
	}
	c.chunk, err = acknowledge(c.r)
	if ctx.Err() != nil {
		return fmt.Errorf("no answer to the Hello in time (%v); check that an OPC UA server listens there", c.cfg.Timeout)
	}
	return err
}

// Done is closed once the connection is of no use any more; Err then says why.
func (c *Client) Done() <-chan struct{} { return c.done }

// Err says why the connection ended, nil while it has not.
func (c *Client) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Namespaces returns the server's namespace URIs by index, as they were at
// the time of connecting.
func (c *Client) Namespaces() []string { return c.namespaces }

// ServerEndpoints returns the endpoints that the server named within the
// session, for comparison with those that it named without security.
func (c *Client) ServerEndpoints() []*ua.EndpointDescription { return c.endpoints }

// fail ends the connection with a reason; the first one counts.
func (c *Client) fail(err error) {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = err
		close(c.done)
	}
	c.mu.Unlock()
	if first {
		_ = c.conn.Close()
	}
}

// polite is how long a server has to hear that we leave.
const polite = 250 * time.Millisecond

// Close ends session, channel and connection, and waits for the receiver.
func (c *Client) Close() {
	if c.Err() == nil && c.auth != nil {
		ctx, cancel := context.WithTimeout(context.Background(), polite)
		_, _ = Call[ua.CloseSessionResponse](ctx, c, &ua.CloseSessionRequest{DeleteSubscriptions: true})
		cancel()
	}
	c.mu.Lock()
	opened := c.err == nil && c.current != nil
	c.mu.Unlock()
	if opened {
		_, _ = c.send(&ua.CloseSecureChannelRequest{}, polite, nil)
	}
	c.fail(errClosed)
	c.work.Wait()
}
