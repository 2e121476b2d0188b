package opcua

import (
	"net/url"
	"strings"
	"testing"
	"time"

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
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"security": "Basic128Rsa15"}, want: `"Basic128Rsa15" is not possible; write auto, Aes256_Sha256_RsaPss`},
		{url: "opc.tcp://10.0.0.1:4840", options: map[string]string{"security": "Basic256"}, want: "is not possible"},
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
	ep := func(policy string, mode ua.MessageSecurityMode) *ua.EndpointDescription {
		return &ua.EndpointDescription{SecurityPolicyURI: ua.SecurityPolicyURIPrefix + policy, SecurityMode: mode, ServerCertificate: []byte{1}, SecurityLevel: 255}
	}
	both := ua.MessageSecurityModeSignAndEncrypt
	all := []*ua.EndpointDescription{
		nil, ep("None", ua.MessageSecurityModeNone), ep("Basic256", both), ep("Basic128Rsa15", both),
		ep("Aes128_Sha256_RsaOaep", both), ep("Basic256Sha256", ua.MessageSecurityModeSign), ep("Basic256Sha256", both),
	}
	if got := choose(all, settings{mode: both}); got == nil || got.SecurityPolicyURI != ua.SecurityPolicyURIBasic256Sha256 || got.SecurityMode != both {
		t.Errorf("%+v", got)
	}
	if got := choose(all, settings{mode: both, policy: "Aes128_Sha256_RsaOaep"}); got == nil || got.SecurityPolicyURI != ua.SecurityPolicyURIAes128Sha256RsaOaep {
		t.Errorf("%+v", got)
	}
	for _, s := range []settings{{mode: both, policy: "Aes256_Sha256_RsaPss"}, {mode: ua.MessageSecurityModeNone}} {
		if got := choose(all, s); got != nil {
			t.Errorf("%+v gets %+v", s, got)
		}
	}
	if got := choose(all[:4], settings{mode: both}); got != nil {
		t.Errorf("an obsolete policy was chosen: %+v", got)
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

func TestIdentity(t *testing.T) {
	if _, err := NewIdentity("no uri", time.Now(), time.Hour); err == nil {
		t.Error("a text was taken for an application URI")
	}
}
