package opcua

import (
	"bufio"
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
)

// secureServer is one server of the peer that testdata/peer/secure.js runs.
type secureServer struct {
	Certificate string   `json:"certificate"`
	Key         string   `json:"key"`
	URI         string   `json:"uri"`
	Policies    []string `json:"policies,omitempty"`
	Modes       []string `json:"modes,omitempty"`
	Trusted     string   `json:"trusted,omitempty"`
	Users       string   `json:"users,omitempty"`
	Whole       bool     `json:"whole,omitempty"`
}

// secureServers starts them and returns their addresses.
func secureServers(t testing.TB, list []secureServer) []string {
	t.Helper()
	const dir = "testdata/peer"
	if _, err := os.Stat(dir + "/node_modules/node-opcua"); err != nil {
		t.Fatalf("no node-opcua to test against (%v); npm ci --prefix drivers/opcua/%s", err, dir)
	}
	data, err := json.Marshal(list)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "servers.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("node", "secure.js", file)
	cmd.Dir = dir
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatalf("start node: %v; apt-get install nodejs npm", err)
	}
	drained := make(chan struct{})
	t.Cleanup(func() {
		_ = stdin.Close()
		<-drained
		if err := cmd.Wait(); err != nil {
			t.Logf("node-opcua: %v\n%s", err, stderr.String())
		}
	})
	var got struct{ Ports []int }
	lines := bufio.NewScanner(stdout)
	for len(got.Ports) != len(list) && lines.Scan() {
		_ = json.Unmarshal(lines.Bytes(), &got) // other lines are its log
	}
	go func() { // what it prints later must not fill the pipe
		defer close(drained)
		for lines.Scan() {
		}
	}()
	if len(got.Ports) != len(list) {
		_ = cmd.Process.Kill()
		t.Fatalf("the servers did not start:\n%s", stderr.String())
	}
	var out []string
	for _, port := range got.Ports {
		out = append(out, fmt.Sprintf("127.0.0.1:%d", port))
	}
	return out
}

// pemPair writes a certificate and its key as the peer reads them.
func pemPair(t testing.TB, c *x509.Certificate, key *rsa.PrivateKey) secureServer {
	t.Helper()
	dir := t.TempDir()
	s := secureServer{Certificate: filepath.Join(dir, "c.pem"), Key: filepath.Join(dir, "k.pem"), URI: serverURI}
	for file, block := range map[string]*pem.Block{
		s.Certificate: {Type: "CERTIFICATE", Bytes: c.Raw},
		s.Key:         {Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// reads reads one device at a server through a new driver.
func reads(t testing.TB, hostPort string, options map[string]string, opts Options) error {
	t.Helper()
	p := testProfile(t, "\n    - {quantity: voltage_a, node: \"ns=1;s=Value\"}")
	dev := testDevice(t, "sec", hostPort, p, options)
	dev.Timeout = 5 * time.Second
	d := New(opts)
	defer d.Close() // servers take few connections at once
	session, err := d.Session(dev)
	if err != nil {
		return err
	}
	defer session.Close()
	readings, err := session.Read(t.Context(), 0)
	if err == nil && readings[0].Value != 42 {
		t.Errorf("read %+v", readings)
	}
	return err
}

// TestPolicies opens sessions with every policy, mode and kind of user.
func TestPolicies(t *testing.T) {
	t.Parallel()
	key := rsaKey(t, 2048, 0)
	cert := made{name: "plc", key: key}.make(t)
	pki, users := t.TempDir(), t.TempDir()
	put(t, pki, trustedCerts, "plc.der", cert.Raw)
	own := NewOwn(OwnOptions{Dir: pki})
	id, err := own.Identity()
	if err != nil {
		t.Fatal(err)
	}
	clients := t.TempDir()
	put(t, clients, "", "ours.der", id.Certificate)
	userKey := rsaKey(t, 2048, 1)
	user := made{name: "reader", key: userKey, change: func(c *x509.Certificate) { c.URIs = nil }}.make(t)
	put(t, users, "", "reader.der", user.Raw)
	userFiles := pemPair(t, user, userKey)
	strangerFiles := pemPair(t, made{name: "stranger", key: rsaKey(t, 2048, 2)}.make(t), rsaKey(t, 2048, 2))
	secretFile := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(secretFile, []byte("let me read\n"), 0o600); err != nil {
		t.Fatal(err)
	}

	server := pemPair(t, cert, key)
	server.Policies, server.Modes = append([]string{"None"}, policies()...), []string{"None", "Sign", "SignAndEncrypt"}
	server.Trusted, server.Users = clients, users
	old := pemPair(t, cert, key)
	old.Policies, old.Modes = []string{"None", "Basic128Rsa15", "Basic256"}, []string{"None", "Sign", "SignAndEncrypt"}
	bare := pemPair(t, cert, key)
	bare.Policies, bare.Modes = []string{"None"}, []string{"None"}
	at := secureServers(t, []secureServer{server, old, bare})
	opts := Options{Own: own, Trust: NewTrustList(pki, TrustOptions{})}

	tokens := map[string]map[string]string{
		"anonymous":   {},
		"password":    {optUser: "reader", optPassword: "let me read"},
		"certificate": {optUserCert: userFiles.Certificate, optUserKey: userFiles.Key},
	}
	for _, policy := range append(policies(), "auto") {
		for _, mode := range []string{"sign", "sign_and_encrypt"} {
			for kind, token := range tokens {
				// Every kind of user under every policy, in one of the modes.
				if kind != "anonymous" && (policy == "auto" || (mode == "sign") != (policy == "Basic256Sha256")) {
					continue
				}
				options := map[string]string{optSecurity: policy, optSecurityMode: mode}
				maps.Copy(options, token)
				if err := reads(t, at[0], options, opts); err != nil {
					t.Errorf("%s, %s, %s: %v", policy, mode, kind, err)
				}
			}
		}
	}
	if err := reads(t, at[0], map[string]string{optUser: "reader", optPasswordFile: secretFile}, opts); err != nil {
		t.Errorf("password file: %v", err)
	}
	for name, c := range map[string]struct {
		at      string
		options map[string]string
		opts    Options
		want    string
	}{
		"wrong password":      {at[0], map[string]string{optUser: "reader", optPassword: "s3cret"}, opts, "BadUserAccessDenied"},
		"password unset":      {at[0], map[string]string{optUser: "reader", optPasswordEnv: "GRIDWARDEN_TEST_UNSET"}, opts, "GRIDWARDEN_TEST_UNSET is not set"},
		"password file away":  {at[0], map[string]string{optUser: "reader", optPasswordFile: secretFile + "x"}, opts, "password_file"},
		"unknown user's cert": {at[0], map[string]string{optUserCert: strangerFiles.Certificate, optUserKey: strangerFiles.Key}, opts, "BadIdentityToken"},
		"key of another":      {at[0], map[string]string{optUserCert: strangerFiles.Certificate, optUserKey: userFiles.Key}, opts, "does not belong to"},
		"we are unknown":      {at[0], nil, Options{Trust: opts.Trust}, "sec"},
		"obsolete only":       {at[1], nil, opts, "Basic256 sign_and_encrypt (obsolete)"},
		"none only":           {at[2], nil, opts, "offers no endpoint with any of the policies that are still safe"},
	} {
		err := reads(t, c.at, c.options, c.opts)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "let me") {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
	if err := reads(t, at[2], map[string]string{optSecurity: "none"}, Options{}); err != nil {
		t.Errorf("none, by name: %v", err)
	}
}

// TestServerCertificates reads from servers with good and bad certificates.
func TestServerCertificates(t *testing.T) {
	t.Parallel()
	key := rsaKey(t, 2048, 0)
	root := newAuthority(t, "Plant Root", 1, nil)
	hour := time.Now().Add(time.Hour)
	type server struct {
		name  string
		cert  *x509.Certificate
		key   *rsa.PrivateKey
		sent  *x509.Certificate // along with its own
		trust bool              // itself
		want  string            // "" = read
	}
	middle := newAuthority(t, "Plant Middle", 2, root)
	issued, revoked := made{name: "issued", key: key, by: root}.make(t), made{name: "revoked", key: key, by: root}.make(t)
	other, _ := url.Parse("urn:other")
	list := []server{
		{name: "self-signed and trusted", cert: made{name: "a", key: key}.make(t), trust: true},
		{name: "issued by a trusted authority", cert: issued},
		{name: "two levels, the middle one sent", cert: made{name: "deep", key: key, by: middle}.make(t), sent: middle.cert},
		{name: "revoked", cert: revoked, want: "was revoked"},
		{name: "untrusted", cert: made{name: "c", key: key}.make(t), want: "gridwarden opcua trust add "},
		{name: "expired", cert: made{name: "d", key: key, from: hour.Add(-48 * time.Hour), to: hour.Add(-2 * time.Hour)}.make(t), trust: true, want: "expired on"},
		{name: "not yet valid", cert: made{name: "e", key: key, from: hour, to: hour.Add(time.Hour)}.make(t), trust: true, want: "not valid before"},
		{name: "wrong URI", cert: made{name: "f", key: key, change: func(c *x509.Certificate) { c.URIs = []*url.URL{other} }}.make(t), trust: true, want: "and the server calls itself"},
		{name: "wrong host", cert: made{name: "g", key: key, change: func(c *x509.Certificate) { c.IPAddresses, c.DNSNames = nil, []string{"plc-7"} }}.make(t), trust: true, want: "server_name"},
		{name: "key too short", cert: made{name: "h", key: rsaKey(t, 1024, 0)}.make(t), key: rsaKey(t, 1024, 0), trust: true, want: "1024 bits"},
	}
	pki := t.TempDir()
	put(t, pki, trustedCerts, "root.der", root.cert.Raw)
	put(t, pki, trustedCRL, "root.crl", root.crl(t, hour, revoked))
	put(t, pki, issuersCRL, "middle.crl", middle.crl(t, hour))
	var servers []secureServer
	for _, s := range list {
		if s.key == nil {
			s.key = key
		}
		if s.trust {
			put(t, pki, trustedCerts, s.name, s.cert.Raw)
		}
		server := pemPair(t, s.cert, s.key)
		if s.sent != nil {
			chain := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.cert.Raw}), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.sent.Raw})...)
			if err := os.WriteFile(server.Certificate, chain, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		servers = append(servers, server)
	}
	at := secureServers(t, servers)
	opts := Options{Own: NewOwn(OwnOptions{Dir: pki}), Trust: NewTrustList(pki, TrustOptions{}), Recheck: 50 * time.Millisecond}
	for i, s := range list {
		err := reads(t, at[i], nil, opts)
		if (s.want == "") != (err == nil) || err != nil && (!strings.Contains(err.Error(), s.want) || !strings.Contains(err.Error(), Fingerprint(s.cert.Raw))) {
			t.Errorf("%s: %v; want %q", s.name, err, s.want)
		}
		switch s.name {
		case "wrong host":
			if err := reads(t, at[i], map[string]string{optServerName: "PLC-7"}, opts); err != nil {
				t.Errorf("by the name that it has: %v", err)
			}
		case "expired":
			if err := reads(t, at[i], map[string]string{optPin: Fingerprint(s.cert.Raw)}, opts); err != nil {
				t.Errorf("expired, but pinned: %v", err)
			}
		case "untrusted": // decided by a person, without a restart
			p := testProfile(t, "\n    - {quantity: voltage_a, node: \"ns=1;s=Value\"}")
			dev := testDevice(t, "later", at[i], p, nil)
			dev.Timeout = 5 * time.Second
			session := open(t, driver(t, opts), dev)
			if _, err := session.Read(t.Context(), 0); err == nil {
				t.Fatal("read from a server that nobody trusts")
			}
			if _, err := opts.Trust.AddRejected(Fingerprint(s.cert.Raw)[:minPrefix]); err != nil {
				t.Fatal(err)
			}
			deadline := time.Now().Add(time.Minute)
			for {
				_, err := session.Read(t.Context(), 0)
				if err == nil {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("still refused after it was trusted: %v", err)
				}
				time.Sleep(20 * time.Millisecond)
			}
			// And taken back: the open connection ends.
			if _, err := opts.Trust.Reject(Fingerprint(s.cert.Raw)); err != nil {
				t.Fatal(err)
			}
			for {
				_, err := session.Read(t.Context(), 0)
				if errors.Is(err, ua.StatusBadCertificateUntrusted) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("no longer trusted, but read with %v", err)
				}
				time.Sleep(20 * time.Millisecond)
			}
		}
	}
	if entries, err := opts.Trust.List(); err != nil || !hasFolder(entries, "own") || !hasFolder(entries, "rejected") {
		t.Errorf("%+v, %v", entries, err)
	}
}

func hasFolder(list []Entry, folder string) bool {
	for _, e := range list {
		if e.Folder == folder {
			return true
		}
	}
	return false
}

// TestOwnExpiry warns of our own certificate at a connection, once a day.
func TestOwnExpiry(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	now := time.Now()
	d := &dialer{opts: Options{
		Own:    NewOwn(OwnOptions{Dir: t.TempDir(), Validity: 30 * 24 * time.Hour, Now: func() time.Time { return now }}),
		Logger: slog.New(slog.NewTextHandler(&log, nil)), Now: func() time.Time { return now },
	}}
	for range 3 {
		if _, err := d.own(); err != nil {
			t.Fatal(err)
		}
		now = now.Add(10 * time.Hour)
	}
	if n := strings.Count(log.String(), "opcua cert renew"); n != 1 {
		t.Errorf("%d warnings:\n%s", n, log.String())
	}
	now = now.Add(20 * time.Hour)
	if _, err := d.own(); err != nil || strings.Count(log.String(), "in 27 days") != 1 {
		t.Errorf("%v\n%s", err, log.String())
	}
}
