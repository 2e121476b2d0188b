package opcua

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
)

// keys are made once: they are the slow part.
var keys = struct {
	sync.Mutex
	made map[int]*rsa.PrivateKey
}{made: make(map[int]*rsa.PrivateKey)}

func rsaKey(t testing.TB, bits, which int) *rsa.PrivateKey {
	t.Helper()
	keys.Lock()
	defer keys.Unlock()
	name := bits*10 + which
	if keys.made[name] == nil {
		k, err := rsa.GenerateKey(rand.Reader, bits)
		if err != nil {
			t.Fatal(err)
		}
		keys.made[name] = k
	}
	return keys.made[name]
}

const serverURI = "urn:gridwarden:test:server"

// authority is a test's certification authority.
type authority struct {
	cert *x509.Certificate
	key  *rsa.PrivateKey
}

func (a *authority) crl(t testing.TB, next time.Time, revoked ...*x509.Certificate) []byte {
	t.Helper()
	list := &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: next.Add(-48 * time.Hour), NextUpdate: next}
	for _, c := range revoked {
		list.RevokedCertificateEntries = append(list.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: next.Add(-50 * time.Hour)})
	}
	der, err := x509.CreateRevocationList(rand.Reader, list, a.cert, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// made is a certificate to be made, with defaults that are in order.
type made struct {
	name     string
	key      *rsa.PrivateKey
	by       *authority // itself where nil
	change   func(*x509.Certificate)
	ca       bool
	from, to time.Time
}

func (m made) make(t testing.TB) *x509.Certificate {
	t.Helper()
	uri, _ := url.Parse(serverURI)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: m.name, Organization: []string{"Test"}}, NotBefore: m.from, NotAfter: m.to,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true, URIs: []*url.URL{uri}, DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if c.NotBefore.IsZero() {
		c.NotBefore = time.Now().Add(-time.Hour)
	}
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(24 * time.Hour)
	}
	if m.ca {
		c.IsCA, c.KeyUsage, c.ExtKeyUsage, c.URIs, c.DNSNames, c.IPAddresses = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil, nil, nil, nil
	}
	if m.change != nil {
		m.change(c)
	}
	parent, signer := c, m.key
	if m.by != nil {
		parent, signer = m.by.cert, m.by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, m.key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func newAuthority(t testing.TB, name string, which int, by *authority) *authority {
	t.Helper()
	key := rsaKey(t, 2048, which)
	return &authority{cert: made{name: name, key: key, by: by, ca: true}.make(t), key: key}
}

// put writes a file of a PKI folder.
func put(t testing.TB, dir, folder, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, folder), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, folder, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	key := rsaKey(t, 2048, 0)
	root := newAuthority(t, "Root", 1, nil)
	middle := newAuthority(t, "Middle", 2, root)
	stranger := newAuthority(t, "Stranger", 3, nil)
	later := time.Now().Add(24 * time.Hour)
	self := made{name: "plc", key: key}.make(t)
	issued := made{name: "plc", key: key, by: root}.make(t)
	deep := made{name: "plc", key: key, by: middle}.make(t)
	change := func(f func(*x509.Certificate)) *x509.Certificate {
		return made{name: "plc", key: key, change: f}.make(t)
	}
	expired := made{name: "plc", key: key, from: time.Now().Add(-48 * time.Hour), to: time.Now().Add(-time.Hour)}.make(t)
	early := made{name: "plc", key: key, from: time.Now().Add(time.Hour), to: later}.make(t)
	noHost := change(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = nil, nil })
	otherHost := change(func(c *x509.Certificate) { c.DNSNames, c.IPAddresses = []string{"plc-7.example.org"}, nil })
	noURI := change(func(c *x509.Certificate) { c.URIs = nil })
	forClients := change(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	signOnly := change(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature })
	weak := made{name: "plc", key: rsaKey(t, 1024, 0)}.make(t)
	notCA := &authority{cert: made{name: "No CA", key: rsaKey(t, 2048, 4)}.make(t), key: rsaKey(t, 2048, 4)}
	byNotCA := made{name: "plc", key: key, by: notCA}.make(t)
	oldRoot := &authority{cert: made{name: "Old", key: rsaKey(t, 2048, 3), ca: true, from: time.Now().Add(-48 * time.Hour), to: time.Now().Add(-time.Hour)}.make(t), key: rsaKey(t, 2048, 3)}
	byOld := made{name: "plc", key: key, by: oldRoot}.make(t)
	weakRoot := &authority{cert: made{name: "Weak", key: rsaKey(t, 1024, 0), ca: true}.make(t), key: rsaKey(t, 1024, 0)}
	byWeak := made{name: "plc", key: key, by: weakRoot}.make(t)
	spaced := change(func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "urn", Opaque: "plc-7:Maker:UA Server 2"}} })
	forged := bytes.Clone(self.Raw)
	forged[len(forged)-1] ^= 1
	forgedCert, err := x509.ParseCertificate(forged)
	if err != nil {
		t.Fatal(err)
	}
	crl := func(a *authority, revoked ...*x509.Certificate) []byte { return a.crl(t, later, revoked...) }

	type files map[string][]byte // folder/name
	for _, c := range []struct {
		name    string
		files   files
		shown   [][]byte
		peer    Peer
		missing bool // allow a missing CRL
		want    ua.StatusCode
		says    string
	}{
		{name: "self-signed and trusted", files: files{"trusted/certs/a.der": self.Raw}, shown: [][]byte{self.Raw}},
		{name: "self-signed and trusted, in PEM", files: files{"trusted/certs/a.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: self.Raw})}, shown: [][]byte{self.Raw}},
		{name: "a URI with blanks, as some makers write it", files: files{"trusted/certs/a.der": spaced.Raw}, shown: [][]byte{spaced.Raw}, peer: Peer{ApplicationURI: "urn:plc-7:Maker:UA Server 2"}},
		{name: "by name", files: files{"trusted/certs/a.der": self.Raw}, shown: [][]byte{self.Raw}, peer: Peer{Host: "LocalHost."}},
		{name: "by another name that it must have", files: files{"trusted/certs/a.der": otherHost.Raw}, shown: [][]byte{otherHost.Raw}, peer: Peer{Host: "plc-7.example.org"}},
		{name: "issued by a trusted authority", files: files{"trusted/certs/r": root.cert.Raw, "trusted/crl/r": crl(root)}, shown: [][]byte{issued.Raw}},
		{name: "trusted itself, its authority known", files: files{"trusted/certs/a": issued.Raw, "issuers/certs/r": root.cert.Raw, "issuers/crl/r": crl(root)}, shown: [][]byte{issued.Raw}},
		{name: "two levels, the middle one sent", files: files{"trusted/certs/r": root.cert.Raw, "trusted/crl/r": crl(root), "issuers/crl/m": crl(middle)}, shown: [][]byte{deep.Raw, middle.cert.Raw}},
		{name: "no list, allowed", files: files{"trusted/certs/r": root.cert.Raw}, shown: [][]byte{issued.Raw}, missing: true},
		{name: "damaged files beside", files: files{"trusted/certs/a": self.Raw, "trusted/certs/b": []byte("junk"), "trusted/crl/c": {0x30}}, shown: [][]byte{self.Raw}},

		{name: "unknown", shown: [][]byte{self.Raw}, want: ua.StatusBadCertificateUntrusted, says: "gridwarden opcua trust add " + short(self)},
		{name: "an issuer is not trust", files: files{"issuers/certs/r": root.cert.Raw, "issuers/crl/r": crl(root)}, shown: [][]byte{issued.Raw}, want: ua.StatusBadCertificateUntrusted, says: "not trusted"},
		{name: "self-signed among the issuers", files: files{"issuers/certs/a": self.Raw}, shown: [][]byte{self.Raw}, want: ua.StatusBadCertificateUntrusted},
		{name: "unknown, own authority sent", files: files{"trusted/certs/r": root.cert.Raw}, shown: [][]byte{made{name: "plc", key: key, by: stranger}.make(t).Raw, stranger.cert.Raw}, want: ua.StatusBadCertificateUntrusted},
		{name: "authority unknown", files: files{"trusted/certs/a": issued.Raw}, shown: [][]byte{issued.Raw}, want: ua.StatusBadCertificateChainIncomplete, says: `"CN=Root,O=Test" is not known`},
		{name: "issued by what is no authority", files: files{"trusted/certs/a": notCA.cert.Raw}, shown: [][]byte{byNotCA.Raw}, want: ua.StatusBadCertificateChainIncomplete},
		{name: "signature forged", files: files{"trusted/certs/a": forged}, shown: [][]byte{forgedCert.Raw}, want: ua.StatusBadCertificateInvalid, says: "signature is wrong"},
		{name: "expired", files: files{"trusted/certs/a": expired.Raw}, shown: [][]byte{expired.Raw}, want: ua.StatusBadCertificateTimeInvalid, says: "expired on"},
		{name: "not yet valid", files: files{"trusted/certs/a": early.Raw}, shown: [][]byte{early.Raw}, want: ua.StatusBadCertificateTimeInvalid, says: "not valid before"},
		{name: "authority expired", files: files{"trusted/certs/a": oldRoot.cert.Raw}, shown: [][]byte{byOld.Raw}, want: ua.StatusBadCertificateIssuerTimeInvalid, says: "authority"},
		{name: "no host", files: files{"trusted/certs/a": noHost.Raw}, shown: [][]byte{noHost.Raw}, want: ua.StatusBadCertificateHostNameInvalid, says: "server_name"},
		{name: "wrong host", files: files{"trusted/certs/a": otherHost.Raw}, shown: [][]byte{otherHost.Raw}, want: ua.StatusBadCertificateHostNameInvalid, says: "plc-7.example.org"},
		{name: "no URI", files: files{"trusted/certs/a": noURI.Raw}, shown: [][]byte{noURI.Raw}, want: ua.StatusBadCertificateURIInvalid},
		{name: "wrong URI", files: files{"trusted/certs/a": self.Raw}, shown: [][]byte{self.Raw}, peer: Peer{ApplicationURI: "urn:other"}, want: ua.StatusBadCertificateURIInvalid, says: `"urn:other"`},
		{name: "for clients", files: files{"trusted/certs/a": forClients.Raw}, shown: [][]byte{forClients.Raw}, want: ua.StatusBadCertificateUseNotAllowed},
		{name: "for signing only", files: files{"trusted/certs/a": signOnly.Raw}, shown: [][]byte{signOnly.Raw}, want: ua.StatusBadCertificateUseNotAllowed},
		{name: "key too short", files: files{"trusted/certs/a": weak.Raw}, shown: [][]byte{weak.Raw}, want: ua.StatusBadCertificatePolicyCheckFailed, says: "1024 bits"},
		{name: "authority's key too short", files: files{"trusted/certs/a": byWeak.Raw}, shown: [][]byte{byWeak.Raw, weakRoot.cert.Raw}, want: ua.StatusBadCertificatePolicyCheckFailed, says: "of its authority"},
		{name: "no RSA", files: nil, shown: [][]byte{ecCertificate(t)}, want: ua.StatusBadCertificatePolicyCheckFailed, says: "ECDSA"},
		{name: "revoked", files: files{"trusted/certs/r": root.cert.Raw, "trusted/crl/r": crl(root, issued)}, shown: [][]byte{issued.Raw}, want: ua.StatusBadCertificateRevoked, says: "was revoked"},
		{name: "revoked, in an outdated list, a current one beside, missing ones allowed", missing: true,
			files: files{"trusted/certs/r": root.cert.Raw, "trusted/crl/r": root.crl(t, time.Now().Add(-time.Hour), issued), "trusted/crl/s": crl(root)}, shown: [][]byte{issued.Raw}, want: ua.StatusBadCertificateRevoked},
		{name: "revoked although trusted itself", files: files{"trusted/certs/a": issued.Raw, "issuers/certs/r": root.cert.Raw, "issuers/crl/r": crl(root, issued)}, shown: [][]byte{issued.Raw}, want: ua.StatusBadCertificateRevoked},
		{name: "middle revoked", files: files{"trusted/certs/r": root.cert.Raw, "trusted/crl/r": crl(root, middle.cert), "issuers/crl/m": crl(middle)}, shown: [][]byte{deep.Raw, middle.cert.Raw}, want: ua.StatusBadCertificateIssuerRevoked},
		{name: "no list", files: files{"trusted/certs/r": root.cert.Raw}, shown: [][]byte{issued.Raw}, want: ua.StatusBadCertificateRevocationUnknown, says: "allow_missing_crl"},
		{name: "list out of date", files: files{"trusted/certs/r": root.cert.Raw, "trusted/crl/r": root.crl(t, time.Now().Add(-time.Hour))}, shown: [][]byte{issued.Raw}, want: ua.StatusBadCertificateRevocationUnknown, says: "out of date since"},
		{name: "list of a stranger with the authority's name", files: files{"trusted/certs/r": root.cert.Raw, "trusted/crl/r": (&authority{cert: made{name: "Root", key: rsaKey(t, 2048, 3), ca: true}.make(t), key: rsaKey(t, 2048, 3)}).crl(t, later)},
			shown: [][]byte{issued.Raw}, want: ua.StatusBadCertificateRevocationUnknown},
		{name: "nothing shown", shown: nil, want: ua.StatusBadCertificateInvalid, says: "is missing"},
		{name: "junk shown", shown: [][]byte{[]byte("junk")}, want: ua.StatusBadCertificateInvalid, says: "cannot be read"},
		{name: "too much shown", shown: bytes.SplitAfter(bytes.Repeat([]byte("x"), 1<<20), []byte("y")), want: ua.StatusBadCertificateInvalid, says: "bytes long"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			for name, data := range c.files {
				put(t, dir, filepath.Dir(name), filepath.Base(name), data)
			}
			peer := c.peer
			if peer.Host == "" {
				peer.Host = "127.0.0.1"
			}
			if peer.ApplicationURI == "" {
				peer.ApplicationURI = serverURI
			}
			err := NewTrustList(dir, TrustOptions{AllowMissingCRL: c.missing}).Verify(bytes.Join(c.shown, nil), peer)
			if c.want == 0 {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%v; want %v, %q", err, c.want, c.says)
			}
			if !strings.Contains(err.Error(), "; ") {
				t.Errorf("no mend in %q", err)
			}
		})
	}
}

func ecCertificate(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "ec"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestTrustReload decides anew when files come and go.
func TestTrustReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cert := made{name: "a/../b\n", key: rsaKey(t, 2048, 0)}.make(t)
	peer := Peer{Host: "localhost", ApplicationURI: serverURI}
	l := NewTrustList(dir, TrustOptions{})
	if err := l.Verify(cert.Raw, peer); err == nil {
		t.Fatal("an unknown certificate was accepted")
	}
	files, err := filepath.Glob(filepath.Join(dir, rejectedCerts, "*"))
	if err != nil || len(files) != 1 || filepath.Base(files[0]) != "a____b__"+Fingerprint(cert.Raw)+".der" {
		t.Fatalf("kept as %q, %v", files, err)
	}
	added, err := l.AddRejected(strings.ToUpper(Fingerprint(cert.Raw)[:10]))
	if err != nil || added.Folder != "trusted" || added.ApplicationURI != serverURI {
		t.Fatalf("%+v, %v", added, err)
	}
	if err := l.Verify(cert.Raw, peer); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Reject(Fingerprint(cert.Raw)); err != nil {
		t.Fatal(err)
	}
	if err := l.Verify(cert.Raw, peer); !errors.Is(err, ua.StatusBadCertificateUntrusted) {
		t.Fatalf("rejected, but %v", err)
	}
	for prefix, want := range map[string]string{
		"0f": "is no fingerprint", "not hex at all": "is no fingerprint", "ffffffff00": "no certificate with fingerprint",
	} {
		if _, err := l.AddRejected(prefix); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", prefix, err)
		}
	}
}

// TestRejectedBounded keeps the newest rejected certificates only.
func TestRejectedBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := NewTrustList(dir, TrustOptions{})
	var last *x509.Certificate
	for range maxRejected + 5 {
		last = made{name: "x", key: rsaKey(t, 2048, 0)}.make(t)
		if err := l.keepRejected(last); err != nil {
			t.Fatal(err)
		}
	}
	list, err := l.List()
	if err != nil || len(list) != maxRejected {
		t.Fatalf("%d are kept, %v", len(list), err)
	}
	if _, err := l.AddRejected(Fingerprint(last.Raw)); err != nil {
		t.Error(err)
	}
}

func TestTrustFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l := NewTrustList(dir, TrustOptions{})
	root := newAuthority(t, "Root", 1, nil)
	leaf := made{name: "plc", key: rsaKey(t, 2048, 0), by: root}.make(t)
	weak := made{name: "plc", key: rsaKey(t, 1024, 0)}.make(t)
	block := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	add := func(name string, data []byte, issuer bool) ([]Entry, error) {
		put(t, dir, "in", name, data)
		return l.AddFile(filepath.Join(dir, "in", name), issuer)
	}
	for name, c := range map[string]struct {
		data   []byte
		issuer bool
		want   string
	}{
		"junk":                 {[]byte("junk"), false, "neither a certificate nor a revocation list"},
		"empty":                {nil, false, "neither a certificate"},
		"half PEM":             {[]byte("-----BEGIN CERTIFICATE-----\nAAAA"), false, "PEM is damaged"},
		"a key":                {block("PRIVATE KEY", []byte{1}), false, "holds a private key"},
		"too large":            {make([]byte, maxTrustFile+1), false, "larger than"},
		"leaf as issuer":       {leaf.Raw, true, "no authority's certificate"},
		"weak key":             {weak.Raw, false, "1024 bits"},
		"list without its CA":  {root.crl(t, time.Now().Add(time.Hour)), false, "add the authority's certificate first"},
		"one of two is broken": {append(block("CERTIFICATE", leaf.Raw), block("CERTIFICATE", []byte{2})...), false, "PEM block 2 is neither"},
	} {
		if _, err := add("bad", c.data, c.issuer); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if list, err := l.List(); err != nil || len(list) != 0 {
		t.Fatalf("something was taken from bad files: %+v, %v", list, err)
	}
	bundle := append(block("CERTIFICATE", root.cert.Raw), block("X509 CRL", root.crl(t, time.Now().Add(time.Hour)))...)
	got, err := add("good", bundle, true)
	if err != nil || len(got) != 2 || got[0].Kind != KindAuthority || got[1].Kind != KindRevocations || got[1].Folder != "issuers" {
		t.Fatalf("%+v, %v", got, err)
	}
	if _, err := add("leaf", leaf.Raw, false); err != nil {
		t.Fatal(err)
	}
	if err := l.Verify(leaf.Raw, Peer{Host: "localhost", ApplicationURI: serverURI}); err != nil {
		t.Error(err)
	}
	put(t, dir, trustedCerts, "broken", []byte("junk"))
	list, err := l.List()
	if err == nil || len(list) != 3 {
		t.Errorf("%+v, %v", list, err)
	}
	if _, err := l.Reject(Fingerprint(root.crl(t, time.Now().Add(time.Hour)))); err == nil {
		t.Error("an unknown list was rejected")
	}
}

func FuzzTrustFile(f *testing.F) {
	root := newAuthority(f, "Root", 1, nil)
	f.Add(root.cert.Raw)
	f.Add(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.cert.Raw}))
	f.Add(root.crl(f, time.Now()))
	f.Add([]byte("-----BEGIN CERTIFICATE-----"))
	f.Add([]byte{0x30, 0x84, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		certs, crls, err := parseTrustFile("f", data)
		if err == nil && len(certs)+len(crls) == 0 {
			t.Fatal("nothing was found and nothing is wrong")
		}
		for _, c := range certs {
			if strings.ContainsAny(fileName(c.Subject.CommonName, c.Raw, ".der"), "/\\\x00") {
				t.Fatal("an unsafe file name")
			}
		}
	})
}

func FuzzVerify(f *testing.F) {
	root := newAuthority(f, "Root", 1, nil)
	leaf := made{name: "plc", key: rsaKey(f, 2048, 0), by: root}.make(f)
	f.Add(leaf.Raw)
	f.Add(append(bytes.Clone(leaf.Raw), root.cert.Raw...))
	h := &held{trusted: []*x509.Certificate{root.cert}}
	f.Fuzz(func(t *testing.T, der []byte) {
		chain, err := parseChain(der)
		if err != nil {
			return
		}
		if err := h.verify(chain, Peer{Host: "localhost", ApplicationURI: serverURI}, time.Now(), true); err == nil && !bytes.Equal(chain[0].RawTBSCertificate, leaf.RawTBSCertificate) {
			t.Fatal("a certificate that nobody signed was accepted")
		}
	})
}
