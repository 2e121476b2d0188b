package opcua

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers/opcua/client"
)

// own returns the client's identity and makes one where none was given. It is
// looked up at each connection: a renewed certificate is used from the next on.
func (d *dialer) own() (*Identity, error) {
	switch {
	case d.opts.Identity != nil:
		return d.opts.Identity, nil
	case d.opts.Own != nil:
		id, err := d.opts.Own.Identity()
		if err != nil {
			return nil, err
		}
		d.warn()
		return id, nil
	}
	d.once.Do(func() { d.identity, d.err = NewIdentity(applicationURI, time.Now(), 365*24*time.Hour) })
	return d.identity, d.err
}

// warn logs once a day that the own certificate is near its end.
func (d *dialer) warn() {
	now := d.opts.Now()
	d.mu.Lock()
	due := now.Sub(d.warned) >= 24*time.Hour
	if due {
		d.warned = now
	}
	d.mu.Unlock()
	if !due {
		return
	}
	warnings, err := d.opts.Own.Warnings()
	if err != nil {
		return // the connection fails on it and says so
	}
	for _, w := range warnings {
		d.opts.Logger.Warn("opcua", "warning", w)
	}
}

// secure chooses the server's endpoint, judges its certificate and completes
// what a session through it needs. What the server says here comes without
// protection; the session repeats it, and accept compares.
func (d *dialer) secure(ctx context.Context, s settings, cfg *client.Config) (*ua.EndpointDescription, error) {
	endpoints, err := client.Endpoints(ctx, s.url, d.opts.Connect)
	if err != nil {
		return nil, fmt.Errorf("ask %s for its endpoints: %w", s.url, err)
	}
	kind := s.tokenKind()
	ep, token, err := choose(endpoints, s, kind)
	if err != nil {
		return nil, fmt.Errorf("%s %w", s.url, err)
	}
	if err := d.judge(s, ep); err != nil {
		return nil, err
	}
	own, err := d.own()
	if err != nil {
		return nil, err
	}
	cfg.ApplicationURI, cfg.Certificate, cfg.Key = own.ApplicationURI, own.Certificate, own.Key
	cfg.PolicyURI, cfg.Mode, cfg.ServerCertificate = ep.SecurityPolicyURI, ep.SecurityMode, ep.ServerCertificate
	cfg.Token = client.Token{Kind: kind, PolicyID: token.PolicyID, PolicyURI: token.SecurityPolicyURI}
	switch kind {
	case ua.UserTokenTypeUserName:
		cfg.Token.User = s.user
		if cfg.Token.Password, err = s.secret(); err != nil {
			return nil, err
		}
	case ua.UserTokenTypeCertificate:
		cert, key, err := s.userPair()
		if err != nil {
			return nil, err
		}
		cfg.Token.Certificate, cfg.Token.Key = cert.Raw, key
	}
	cfg.Accept = func(now []*ua.EndpointDescription) error { return unchanged(ep, token, now, s) }
	return ep, nil
}

func (s *settings) tokenKind() ua.UserTokenType {
	switch {
	case s.user != "":
		return ua.UserTokenTypeUserName
	case s.userCert != "":
		return ua.UserTokenTypeCertificate
	}
	return ua.UserTokenTypeAnonymous
}

// policyName is a policy's name out of its URI.
func policyName(uri string) string { return strings.TrimPrefix(uri, ua.SecurityPolicyURIPrefix) }

// choose returns the best endpoint that s allows, with the policy of its user
// token. It never returns less than s asks for: the list may have been cut by
// somebody in between.
func choose(endpoints []*ua.EndpointDescription, s settings, kind ua.UserTokenType) (*ua.EndpointDescription, *ua.UserTokenPolicy, error) {
	var tokenErr error
	for _, policy := range policies() {
		if s.policy != "" && s.policy != policy {
			continue
		}
		for _, ep := range endpoints {
			if ep == nil || policyName(ep.SecurityPolicyURI) != policy || ep.SecurityMode != s.mode || len(ep.ServerCertificate) == 0 ||
				ep.TransportProfileURI != "" && ep.TransportProfileURI != transportBinary {
				continue
			}
			token, err := chooseToken(ep, kind)
			if err == nil {
				return ep, token, nil
			}
			if tokenErr == nil {
				tokenErr = err
			}
		}
	}
	if tokenErr != nil {
		return nil, nil, tokenErr
	}
	want := s.policy
	if want == "" {
		want = "any of the policies that are still safe (" + strings.Join(policies(), ", ") + ")"
	}
	return nil, nil, fmt.Errorf("offers no endpoint with %s in mode %s, only %s; enable one on the server, or change the options %s and %s",
		want, modeName(s.mode), offered(endpoints), optSecurity, optSecurityMode)
}

const transportBinary = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"

func modeName(m ua.MessageSecurityMode) string {
	switch m {
	case ua.MessageSecurityModeNone:
		return "none"
	case ua.MessageSecurityModeSign:
		return "sign"
	case ua.MessageSecurityModeSignAndEncrypt:
		return "sign_and_encrypt"
	}
	return "invalid"
}

// offered lists what a server offers, for a person.
func offered(endpoints []*ua.EndpointDescription) string {
	var out []string
	for _, ep := range endpoints {
		if ep == nil {
			continue
		}
		name := fmt.Sprintf("%.60q", policyName(ep.SecurityPolicyURI))
		name = strings.Trim(name, `"`)
		if ep.SecurityMode != ua.MessageSecurityModeNone {
			name += " " + modeName(ep.SecurityMode)
		}
		if obsolete(policyName(ep.SecurityPolicyURI)) != "" {
			name += " (obsolete)"
		}
		if !slices.Contains(out, name) && len(out) < 12 {
			out = append(out, name)
		}
	}
	if len(out) == 0 {
		return "nothing"
	}
	return strings.Join(out, ", ")
}

// chooseToken returns the endpoint's best policy for a kind of user token. A
// password may go without encryption of its own only through a channel that
// encrypts; an obsolete policy is never used.
func chooseToken(ep *ua.EndpointDescription, kind ua.UserTokenType) (*ua.UserTokenPolicy, error) {
	var plain *ua.UserTokenPolicy
	var seen []string
	for _, t := range ep.UserIdentityTokens {
		if t == nil || t.TokenType != kind {
			continue
		}
		uri := t.SecurityPolicyURI
		if uri == "" {
			uri = ep.SecurityPolicyURI
		}
		switch name := policyName(uri); {
		case kind == ua.UserTokenTypeAnonymous, slices.Contains(policies(), name):
			return t, nil
		case name == "None" && kind == ua.UserTokenTypeUserName && ep.SecurityMode == ua.MessageSecurityModeSignAndEncrypt:
			plain = t
		default:
			seen = append(seen, fmt.Sprintf("%.60q", name))
		}
	}
	what := map[ua.UserTokenType]string{
		ua.UserTokenTypeAnonymous: "anonymous sessions", ua.UserTokenTypeUserName: "user names", ua.UserTokenTypeCertificate: "user certificates",
	}[kind]
	switch {
	case plain != nil:
		return plain, nil
	case len(seen) > 0:
		return nil, fmt.Errorf("takes %s only under %s, which would not protect them; set another token policy on the server", what, strings.Join(seen, ", "))
	case kind == ua.UserTokenTypeAnonymous && len(ep.UserIdentityTokens) == 0:
		return &ua.UserTokenPolicy{TokenType: kind}, nil
	}
	return nil, fmt.Errorf("does not take %s there; enable them on the server, or change the options %s and %s", what, optUser, optUserCert)
}

// errDowngrade is what a list of endpoints was that somebody changed.
var errDowngrade = errors.New("the server's list of endpoints was changed on the way")

// unchanged compares what the session was built on with what the server says
// inside it (OPC 10000-4, 5.6.2): the endpoint must be there with the same
// token policy, and nothing better may have been hidden. A server that leaves
// the list out has said nothing against it.
func unchanged(used *ua.EndpointDescription, token *ua.UserTokenPolicy, now []*ua.EndpointDescription, s settings) error {
	if len(now) == 0 {
		return nil
	}
	best, _, err := choose(withCertificate(now, used), s, token.TokenType)
	if err != nil {
		return fmt.Errorf("%w: inside the session it %w", errDowngrade, err)
	}
	if best.SecurityPolicyURI != used.SecurityPolicyURI || best.SecurityMode != used.SecurityMode {
		return fmt.Errorf("%w: %s was hidden, and %s was offered; look for who is between",
			errDowngrade, policyName(best.SecurityPolicyURI), policyName(used.SecurityPolicyURI))
	}
	for _, ep := range now {
		if ep == nil || ep.SecurityPolicyURI != used.SecurityPolicyURI || ep.SecurityMode != used.SecurityMode {
			continue
		}
		if ep.Server != nil && used.Server != nil && ep.Server.ApplicationURI != used.Server.ApplicationURI {
			return fmt.Errorf("%w: the server calls itself %q inside the session, and %q outside; look for who is between",
				errDowngrade, ep.Server.ApplicationURI, used.Server.ApplicationURI)
		}
		if len(ep.UserIdentityTokens) == 0 && len(used.UserIdentityTokens) == 0 {
			return nil
		}
		for _, t := range ep.UserIdentityTokens {
			if t != nil && t.TokenType == token.TokenType && t.PolicyID == token.PolicyID && t.SecurityPolicyURI == token.SecurityPolicyURI {
				return nil
			}
		}
	}
	return fmt.Errorf("%w: the policy %q for the user is not there inside the session; look for who is between", errDowngrade, token.PolicyID)
}

// withCertificate gives endpoints that leave their certificate out, as the
// list within a session may, the one that the session was opened with.
func withCertificate(list []*ua.EndpointDescription, used *ua.EndpointDescription) []*ua.EndpointDescription {
	out := make([]*ua.EndpointDescription, 0, len(list))
	for _, ep := range list {
		if ep == nil {
			continue
		}
		full := *ep
		if len(full.ServerCertificate) == 0 {
			full.ServerCertificate = used.ServerCertificate
		}
		if len(full.UserIdentityTokens) == 0 {
			full.UserIdentityTokens = used.UserIdentityTokens
		}
		out = append(out, &full)
	}
	return out
}

// keepJudging ends a connection once its server is no longer trusted: its
// certificate has expired, was revoked or was moved to the rejected.
func (d *dialer) keepJudging(c *client.Client, s settings, ep *ua.EndpointDescription) {
	tick := time.NewTicker(d.opts.Recheck)
	defer tick.Stop()
	for {
		select {
		case <-c.Done():
			return
		case <-tick.C:
		}
		if err := d.judge(s, ep); err != nil {
			d.opts.Logger.Warn("opcua: connection ended", "error", err)
			c.Close()
			return
		}
	}
}

// judge accepts a server's certificate by its pin or by the trust list.
func (d *dialer) judge(s settings, ep *ua.EndpointDescription) error {
	chain, err := parseChain(ep.ServerCertificate)
	if err != nil {
		return fmt.Errorf("the certificate that %s shows %w; give the server a new one", s.url, err)
	}
	found := Fingerprint(chain[0].Raw)
	if s.pin != "" {
		if found != s.pin {
			return fmt.Errorf("%s shows a certificate with SHA-256 %s, not the pinned %s; find out why before changing %s", s.url, found, s.pin, optPin)
		}
		// The pin names the key itself, so that its dates and issuers say no more.
		if err := suitable(chain[0]); err != nil {
			return fmt.Errorf("certificate of %s (SHA-256 %s): %w", s.url, found, err)
		}
		return nil
	}
	if d.opts.Trust == nil {
		return fmt.Errorf("%s shows a certificate that nobody has vouched for; compare it at the server and set the option %s to %s", s.url, optPin, found)
	}
	peer := Peer{Host: s.host}
	if ep.Server != nil {
		peer.ApplicationURI = ep.Server.ApplicationURI
	}
	if err := d.opts.Trust.Verify(ep.ServerCertificate, peer); err != nil {
		return fmt.Errorf("certificate of %s (SHA-256 %s): %w", s.url, found, err)
	}
	return nil
}
