package opcua

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestOwn makes a certificate on the first use and keeps to it.
func TestOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	now := time.Now()
	opts := OwnOptions{Dir: dir, Hostname: "desk-1.example.org", Organisation: "Hill County Electric", Now: func() time.Time { return now }}
	o := NewOwn(opts)
	if id, err := o.Find(); id != nil || err != nil {
		t.Fatalf("found %+v, %v before one was made", id, err)
	}
	first, err := o.Identity()
	if err != nil {
		t.Fatal(err)
	}
	c := first.Leaf
	const uses = x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment
	if first.ApplicationURI != "urn:desk-1.example.org:gridwarden" || len(c.URIs) != 1 || c.URIs[0].String() != first.ApplicationURI ||
		len(c.DNSNames) != 1 || c.DNSNames[0] != "desk-1.example.org" || c.IsCA || !c.BasicConstraintsValid || c.KeyUsage&uses != uses ||
		c.Subject.Organization[0] != "Hill County Electric" || first.Key.N.BitLen() < 2048 || c.SignatureAlgorithm != x509.SHA256WithRSA ||
		c.NotAfter.Sub(now).Round(time.Hour) != DefaultValidity {
		t.Errorf("it says %+v", c)
	}
	private, err := filepath.Glob(filepath.Join(dir, ownPrivate, "*"))
	if err != nil || len(private) != 1 {
		t.Fatal(private, err)
	}
	if info, err := os.Stat(private[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key's file has mode %v, %v", info.Mode(), err)
	}
	again, err := NewOwn(OwnOptions{Dir: dir, Hostname: "renamed"}).Identity()
	if err != nil || !bytes.Equal(again.Certificate, first.Certificate) {
		t.Errorf("another certificate after a restart, %v", err)
	}
	for left, want := range map[time.Duration]string{61 * 24 * time.Hour: "", 59 * 24 * time.Hour: "in 59 days; run `gridwarden opcua cert renew`", -time.Hour: "expired on"} {
		now = c.NotAfter.Add(-left)
		warnings, err := o.Warnings()
		if err != nil || len(warnings) > 0 != (want != "") || want != "" && !strings.Contains(warnings[0], want) {
			t.Errorf("%v before its end: %q, %v", left, warnings, err)
		}
	}
	second, err := o.Renew()
	if err != nil || bytes.Equal(second.Certificate, first.Certificate) || second.Key.Equal(first.Key) || second.ApplicationURI != first.ApplicationURI {
		t.Fatalf("renewed: %v", err)
	}
	if found, err := NewOwn(OwnOptions{Dir: dir}).Find(); err != nil || !bytes.Equal(found.Certificate, second.Certificate) {
		t.Errorf("the new one is not found: %v", err)
	}
}

func TestOwnRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	id, err := NewOwn(OwnOptions{Dir: dir, Hostname: "h"}).Identity()
	if err != nil {
		t.Fatal(err)
	}
	keyOf := func(kind string, der []byte) string {
		file := filepath.Join(t.TempDir(), "k.pem")
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		t.Fatal(err)
	}
	good := keyOf("PRIVATE KEY", pkcs8)
	noURI := made{name: "x", key: id.Key, change: func(c *x509.Certificate) { c.URIs = nil }}.make(t)
	put(t, dir, "", "no-uri.der", noURI.Raw)
	put(t, dir, "", "junk", []byte("junk"))
	for name, c := range map[string]struct {
		opts OwnOptions
		want string
	}{
		"another URI":     {OwnOptions{Dir: dir, ApplicationURI: "urn:x:y"}, "is for the application URI urn:h:gridwarden, not urn:x:y"},
		"another key":     {OwnOptions{Certificate: id.File, Key: keyOf("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(rsaKey(t, 2048, 0)))}, "does not belong to"},
		"encrypted key":   {OwnOptions{Certificate: id.File, Key: keyOf("ENCRYPTED PRIVATE KEY", []byte("secret"))}, "is encrypted"},
		"no key":          {OwnOptions{Certificate: id.File, Key: filepath.Join(dir, "junk")}, "holds no RSA private key"},
		"no URI":          {OwnOptions{Certificate: filepath.Join(dir, "no-uri.der"), Key: good}, "names no application URI"},
		"no certificate":  {OwnOptions{Certificate: filepath.Join(dir, "junk"), Key: good}, "neither a certificate"},
		"no file":         {OwnOptions{Certificate: filepath.Join(dir, "nothing"), Key: good}, "no such file"},
		"key file absent": {OwnOptions{Certificate: id.File, Key: filepath.Join(dir, "nothing")}, "no such file"},
	} {
		_, err := NewOwn(c.opts).Identity()
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := NewOwn(OwnOptions{Certificate: id.File, Key: good}).Identity(); err != nil || got.ApplicationURI != id.ApplicationURI {
		t.Errorf("a pair from elsewhere: %v", err)
	}
	if _, err := NewOwn(OwnOptions{Certificate: id.File, Key: good}).Renew(); err == nil || !strings.Contains(err.Error(), "issued elsewhere") {
		t.Errorf("renewed what is not ours: %v", err)
	}
	if _, err := NewIdentity("no uri", time.Now(), time.Hour); err == nil {
		t.Error("a text was taken for an application URI")
	}
}

func FuzzReadKey(f *testing.F) {
	f.Add([]byte("-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n"))
	f.Add([]byte{0x30, 0x82})
	f.Fuzz(func(t *testing.T, data []byte) {
		file := filepath.Join(t.TempDir(), "k")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if key, err := readKey(file); err == nil && key.Validate() != nil {
			t.Fatal("a key that is none")
		}
	})
}
