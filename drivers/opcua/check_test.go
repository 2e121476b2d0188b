package opcua

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/gopcua/opcua/ua"

	"github.com/gridwarden/gridwarden/drivers"
)

func TestCheck(t *testing.T) {
	pin := strings.Repeat("0f", 32)
	p := testProfile(t, peerPoints)
	for _, c := range []struct {
		url     string
		options map[string]string
		want    string // "" = fine
	}{
		{url: "opc.tcp://127.0.0.1:4840", options: map[string]string{"security": "none"}},
		{url: "opc.tcp://localhost:4840/x", options: map[string]string{"security": "none"}},
		{url: "opc.tcp://[::1]:4840", options: map[string]string{"security": "none"}},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"security": "none", "allow_none": "true"}},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"server_sha256": pin}},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"server_sha256": strings.ToUpper(pin), "security": "Basic256Sha256", "security_mode": "sign", "user": "u", "password": "secret"}},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"security": "none"}, want: "allow_none to true"},
		{url: "opc.tcp://localhost.example.org:4840", options: map[string]string{"security": "none"}, want: "allow_none to true"},
		{url: "opc.tcp://127.0.0.1:4840", options: map[string]string{"security": "none", "user": "u", "password": "secret"}, want: "send the password readable"},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"security": "Basic128Rsa15"}, want: "Basic128Rsa15 is obsolete: its RSA padding"},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"security": "Basic256"}, want: "Basic256 is obsolete: it signs with SHA-1"},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"security": "Basic512"}, want: `"Basic512" is not possible; write auto, Aes256_Sha256_RsaPss`},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"user": "u", "password_file": "/run/secrets/p"}},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"user": "u", "password_env": "P", "server_name": "plc-7"}},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"user_cert": "u.der", "user_key": "u.pem"}},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"user": "u", "password": "secret", "password_env": "P"}, want: "keep one"},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"password": "secret"}, want: "but no user"},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"user_cert": "u.der"}, want: "go together"},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"user": "u", "user_cert": "u.der", "user_key": "u.pem"}, want: "keep one"},
		{url: "opc.tcp://127.0.0.1:4840", options: map[string]string{"security": "none", "user_cert": "u.der", "user_key": "u.pem"}, want: "cannot prove who the user is"},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"security_mode": "none"}, want: `security_mode is "none"`},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"server_sha256": "0f"}, want: "64 hex digits"},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"allow_none": "yes"}, want: "write true or false"},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"sercurity": "none"}, want: `option "sercurity" is not known`},
		{url: "opc.tcp://u:secret@10.0.0.1:4840", want: "set the options user and password"},
		{url: "http://10.0.0.1", want: "write opc.tcp://host:port/path"},
		{url: "opc.tcp:///x", want: "write opc.tcp://host:port/path"},
	} {
		u, err := url.Parse(c.url)
		if err != nil {
			t.Fatal(err)
		}
		options := map[string]string{optNode: "T1"}
		for k, v := range c.options {
			options[k] = v
		}
		err = New(Options{}).Check(drivers.Device{ID: "m", URL: u, Profile: p, Options: options})
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s %v: %v", c.url, c.options, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "device m")):
			t.Errorf("%s %v: %v; want %q", c.url, c.options, err, c.want)
		case err != nil && strings.Contains(err.Error(), "secret"):
			t.Errorf("a password is in the message: %v", err)
		}
	}
	u, _ := url.Parse("opc.tcp://127.0.0.1:4840")
	err := New(Options{}).Check(drivers.Device{ID: "m", URL: u, Profile: p, Options: map[string]string{"security": "none"}})
	if err == nil || !strings.Contains(err.Error(), "needs the option node") {
		t.Errorf("without a node: %v", err)
	}
}

// TestChoose takes the best endpoint that is still safe, never a lesser one.
func TestChoose(t *testing.T) {
	const both = ua.MessageSecurityModeSignAndEncrypt
	anonymous := []*ua.UserTokenPolicy{nil, {PolicyID: "a", TokenType: ua.UserTokenTypeAnonymous}}
	ep := func(policy string, mode ua.MessageSecurityMode) *ua.EndpointDescription {
		return &ua.EndpointDescription{
			SecurityPolicyURI: ua.SecurityPolicyURIPrefix + policy, SecurityMode: mode, ServerCertificate: []byte{1}, SecurityLevel: 255, UserIdentityTokens: anonymous,
		}
	}
	elsewhere := ep("Aes256_Sha256_RsaPss", both)
	elsewhere.TransportProfileURI = "http://opcfoundation.org/UA-Profile/Transport/https-uabinary"
	bare := ep("Aes256_Sha256_RsaPss", both)
	bare.ServerCertificate = nil
	all := []*ua.EndpointDescription{
		nil, ep("None", ua.MessageSecurityModeNone), ep("Basic256", both), ep("Basic128Rsa15", both), elsewhere, bare,
		ep("Aes128_Sha256_RsaOaep", both), ep("Basic256Sha256", ua.MessageSecurityModeSign), ep("Basic256Sha256", both),
	}
	for _, c := range []struct {
		list   []*ua.EndpointDescription
		s      settings
		policy string
		err    string
	}{
		{all, settings{mode: both}, "Basic256Sha256", ""},
		{all, settings{mode: both, policy: "Aes128_Sha256_RsaOaep"}, "Aes128_Sha256_RsaOaep", ""},
		{all, settings{mode: ua.MessageSecurityModeSign}, "Basic256Sha256", ""},
		{all, settings{mode: both, policy: "Aes256_Sha256_RsaPss"}, "", "offers no endpoint with Aes256_Sha256_RsaPss"},
		{all[:4], settings{mode: both}, "", "only None, Basic256 sign_and_encrypt (obsolete), Basic128Rsa15 sign_and_encrypt (obsolete)"},
		{all, settings{mode: ua.MessageSecurityModeNone}, "", "in mode none"},
		{nil, settings{mode: both}, "", "only nothing"},
		{[]*ua.EndpointDescription{ep("\n\x1b[2J"+strings.Repeat("x", 999), both)}, settings{mode: both}, "", `only \n\x1b[2Jxx`},
	} {
		got, _, err := choose(c.list, c.s, ua.UserTokenTypeAnonymous)
		switch {
		case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || len(err.Error()) > 600):
			t.Errorf("%+v: %+v, %v; want %q", c.s, got, err, c.err)
		case c.err == "" && (err != nil || policyName(got.SecurityPolicyURI) != c.policy || got.SecurityMode != c.s.mode):
			t.Errorf("%+v: %+v, %v", c.s, got, err)
		}
	}
}

// TestChooseToken protects passwords and proofs of keys.
func TestChooseToken(t *testing.T) {
	const prefix = ua.SecurityPolicyURIPrefix
	name, cert := ua.UserTokenTypeUserName, ua.UserTokenTypeCertificate
	for _, c := range []struct {
		mode   ua.MessageSecurityMode
		kind   ua.UserTokenType
		tokens []string // kind's token policies by their ids, which are their policies
		want   string   // "" = refused
	}{
		{ua.MessageSecurityModeSign, name, []string{"Basic256Sha256"}, "Basic256Sha256"},
		{ua.MessageSecurityModeSign, name, []string{""}, ""}, // the channel's own
		{ua.MessageSecurityModeSign, name, []string{"None", "Basic128Rsa15", "Basic256", "Aes256_Sha256_RsaPss"}, "Aes256_Sha256_RsaPss"},
		{ua.MessageSecurityModeSign, name, []string{"None"}, "refused"},
		{ua.MessageSecurityModeSign, name, []string{"Basic128Rsa15", "Basic256"}, "refused"},
		{ua.MessageSecurityModeSign, name, nil, "refused"},
		{ua.MessageSecurityModeSignAndEncrypt, name, []string{"None"}, "None"},
		{ua.MessageSecurityModeSignAndEncrypt, name, []string{"None", "Basic256Sha256"}, "Basic256Sha256"},
		{ua.MessageSecurityModeSignAndEncrypt, name, []string{"Basic128Rsa15"}, "refused"},
		{ua.MessageSecurityModeSignAndEncrypt, cert, []string{"None"}, "refused"},
		{ua.MessageSecurityModeSignAndEncrypt, cert, []string{""}, ""},
	} {
		ep := &ua.EndpointDescription{SecurityPolicyURI: prefix + "Basic256Sha256", SecurityMode: c.mode, UserIdentityTokens: []*ua.UserTokenPolicy{nil, {PolicyID: "other", TokenType: ua.UserTokenTypeAnonymous}}}
		for _, policy := range c.tokens {
			token := &ua.UserTokenPolicy{PolicyID: policy, TokenType: c.kind}
			if policy != "" {
				token.SecurityPolicyURI = prefix + policy
			}
			ep.UserIdentityTokens = append(ep.UserIdentityTokens, token)
		}
		got, err := chooseToken(ep, c.kind)
		if (c.want == "refused") != (err != nil) || err == nil && got.PolicyID != c.want {
			t.Errorf("%+v: %+v, %v", c, got, err)
		}
	}
}

// TestUnchanged finds a list of endpoints that was cut or changed on the way.
func TestUnchanged(t *testing.T) {
	const both = ua.MessageSecurityModeSignAndEncrypt
	ep := func(policy, uri, token string) *ua.EndpointDescription {
		return &ua.EndpointDescription{
			SecurityPolicyURI: ua.SecurityPolicyURIPrefix + policy, SecurityMode: both, ServerCertificate: []byte{1},
			Server: &ua.ApplicationDescription{ApplicationURI: uri}, UserIdentityTokens: []*ua.UserTokenPolicy{{PolicyID: token, TokenType: ua.UserTokenTypeAnonymous}},
		}
	}
	used := ep("Basic256Sha256", "urn:s", "a")
	lean := *used
	lean.ServerCertificate, lean.UserIdentityTokens = nil, nil
	for name, c := range map[string]struct {
		now  []*ua.EndpointDescription
		s    settings
		want string
	}{
		"the same":             {now: []*ua.EndpointDescription{ep("None", "urn:s", "a"), used}},
		"left out":             {},
		"a lesser one besides": {now: []*ua.EndpointDescription{used, ep("Aes128_Sha256_RsaOaep", "urn:s", "a")}},
		"another was named":    {now: []*ua.EndpointDescription{used, ep("Aes256_Sha256_RsaPss", "urn:s", "a")}, s: settings{policy: "Basic256Sha256"}},
		"without certificates": {now: []*ua.EndpointDescription{nil, {SecurityPolicyURI: used.SecurityPolicyURI, SecurityMode: both, UserIdentityTokens: used.UserIdentityTokens}}},
		"a better one":         {now: []*ua.EndpointDescription{used, ep("Aes256_Sha256_RsaPss", "urn:s", "a")}, want: "Aes256_Sha256_RsaPss was hidden"},
		"not there":            {now: []*ua.EndpointDescription{ep("Aes128_Sha256_RsaOaep", "urn:s", "a")}, want: "was hidden"},
		"None only":            {now: []*ua.EndpointDescription{{SecurityPolicyURI: ua.SecurityPolicyURINone, SecurityMode: ua.MessageSecurityModeNone}}, want: "offers no endpoint"},
		"another application":  {now: []*ua.EndpointDescription{ep("Basic256Sha256", "urn:t", "a")}, want: `calls itself "urn:t"`},
		"another token policy": {now: []*ua.EndpointDescription{ep("Basic256Sha256", "urn:s", "b")}, want: `the policy "a" for the user`},
	} {
		c.s.mode = both
		err := unchanged(used, used.UserIdentityTokens[0], c.now, c.s)
		if (c.want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), c.want) || !errors.Is(err, errDowngrade)) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

// TestTake joins what waits up to the limit of one read.
func TestTake(t *testing.T) {
	e := new(endpoint)
	for range 5 {
		e.waiting = append(e.waiting, &call{nodes: make([]string, 3*maxNodes/7)})
	}
	e.waiting = append(e.waiting, &call{nodes: make([]string, 2*maxNodes)})
	var sizes []int
	for batch := e.take(); len(batch) > 0; batch = e.take() {
		sizes = append(sizes, len(batch))
	}
	if len(sizes) != 4 || sizes[0] != 2 || sizes[1] != 2 || sizes[2] != 1 || sizes[3] != 1 {
		t.Errorf("batches of %v calls", sizes)
	}
}
