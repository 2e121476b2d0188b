package opcua

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers/opcua/client"
)

const (
	scheme         = "opc.tcp"
	applicationURI = "urn:gridwarden:client"
)

// dialer opens sessions for the endpoints of one driver.
type dialer struct {
	opts Options

	once     sync.Once
	identity *Identity
	err      error

	mu     sync.Mutex
	warned time.Time // of the own certificate's end
}

// dial opens a session.
func (d *dialer) dial(ctx context.Context, s settings) (*connection, error) {
	ctx, cancel := context.WithTimeout(ctx, d.opts.Connect)
	defer cancel()
	cfg := client.Config{
		URL: s.url, PolicyURI: ua.SecurityPolicyURINone, Mode: ua.MessageSecurityModeNone,
		ApplicationName: "Gridwarden", ApplicationURI: applicationURI, Timeout: d.opts.Connect,
		Token: client.Token{Kind: ua.UserTokenTypeAnonymous},
	}
	var ep *ua.EndpointDescription
	if !s.none {
		var err error
		if ep, err = d.secure(ctx, s, &cfg); err != nil {
			return nil, err
		}
	}
	c, err := client.Dial(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", s.url, err)
	}
	conn := newConnection(ctx, c)
	if !s.none && s.pin == "" {
		conn.work.Go(func() { d.keepJudging(c, s, ep) })
	}
	return conn, nil
}
