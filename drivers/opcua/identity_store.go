package opcua

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// RenewBefore is how long before its end a certificate of our own is warned of.
const RenewBefore = 60 * 24 * time.Hour

// DefaultValidity is how long a certificate of our own is made for.
const DefaultValidity = 5 * 365 * 24 * time.Hour

// Own finds the program's application instance certificate, and makes one on
// its first use. It may be used by several goroutines at once.
type Own struct {
	opts OwnOptions

	mu    sync.Mutex
	stamp string    // of the files that held was read from
	held  *Identity // nil where there was none
}

// OwnOptions say where the certificate is and what a new one is to say.
type OwnOptions struct {
	Dir            string        // PKI folder
	ApplicationURI string        // urn:HOST:gridwarden where empty
	Organisation   string        // "Gridwarden" where empty
	Validity       time.Duration // DefaultValidity where zero
	Certificate    string        // file of a certificate that was issued elsewhere; then Key too
	Key            string
	Hostname       string // os.Hostname where empty
	Now            func() time.Time
}

// NewOwn returns the certificate store. It touches no file yet.
func NewOwn(opts OwnOptions) *Own {
	if opts.Validity == 0 {
		opts.Validity = DefaultValidity
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Hostname == "" {
		if opts.Hostname, _ = os.Hostname(); opts.Hostname == "" {
			opts.Hostname = "localhost"
		}
	}
	return &Own{opts: opts}
}

// Identity returns the certificate and its key, made now where there is none.
func (o *Own) Identity() (*Identity, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	id, err := o.find()
	if err != nil || id != nil {
		return id, err
	}
	return o.make()
}

// Find is Identity, but returns nil where none was made yet.
func (o *Own) Find() (*Identity, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.find()
}

// Renew makes a new certificate with a new key. The one before stays in the
// folder and is no longer used.
func (o *Own) Renew() (*Identity, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.opts.Certificate != "" {
		return nil, fmt.Errorf("the certificate %s was issued elsewhere; have it renewed there and replace the file", o.opts.Certificate)
	}
	return o.make()
}

// find reads the certificate again where its files have changed.
func (o *Own) find() (*Identity, error) {
	files := []string{o.opts.Certificate, o.opts.Key}
	if o.opts.Certificate == "" {
		var err error
		if files, err = filepath.Glob(filepath.Join(o.opts.Dir, ownCerts, "*.der")); err != nil {
			return nil, fmt.Errorf("own certificate: %w", err)
		}
	}
	stamp := stampOf(files)
	if o.held != nil && stamp == o.stamp {
		return o.held, nil
	}
	id, err := o.read(files)
	o.stamp, o.held = stamp, id
	return id, err
}

func (o *Own) read(files []string) (*Identity, error) {
	if o.opts.Certificate != "" {
		return o.pair(o.opts.Certificate, o.opts.Key)
	}
	var best *Identity
	var problems []error
	for _, file := range files {
		key := filepath.Join(o.opts.Dir, ownPrivate, strings.TrimSuffix(filepath.Base(file), ".der")+".pem")
		id, err := o.pair(file, key)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		if best == nil || id.Leaf.NotBefore.After(best.Leaf.NotBefore) {
			best = id
		}
	}
	if best == nil {
		return nil, errors.Join(problems...)
	}
	return best, nil
}

// pair loads a certificate and its key and checks that they belong together.
func (o *Own) pair(certFile, keyFile string) (*Identity, error) {
	data, err := readBounded(certFile)
	if err != nil {
		return nil, fmt.Errorf("own certificate: %w", err)
	}
	certs, _, err := parseTrustFile(certFile, data)
	if err != nil {
		return nil, fmt.Errorf("own certificate: %w", err)
	}
	if len(certs) == 0 {
		return nil, fmt.Errorf("own certificate: %s holds none; name a file that does", certFile)
	}
	key, err := readKey(keyFile)
	if err != nil {
		return nil, fmt.Errorf("key of the own certificate: %w", err)
	}
	if err := suitable(certs[0]); err != nil {
		return nil, fmt.Errorf("own certificate %s: %w", certFile, err)
	}
	if !key.PublicKey.Equal(certs[0].PublicKey) {
		return nil, fmt.Errorf("own certificate: the key %s does not belong to %s; put the right one there, or remove both and give the new certificate to the servers", keyFile, certFile)
	}
	if len(certs[0].URIs) == 0 {
		return nil, fmt.Errorf("own certificate: %s names no application URI; have it issued with one as a subject alternative name", certFile)
	}
	uri := certs[0].URIs[0].String()
	if o.opts.ApplicationURI != "" && o.opts.ApplicationURI != uri {
		return nil, fmt.Errorf("own certificate: %s is for the application URI %s, not %s; set opcua.application_uri to the former, or run `gridwarden opcua cert renew`", certFile, uri, o.opts.ApplicationURI)
	}
	return &Identity{ApplicationURI: uri, Certificate: certs[0].Raw, Key: key, Leaf: certs[0], File: certFile}, nil
}

// make makes and stores a certificate: the key first, so that a certificate
// without its key cannot be left.
func (o *Own) make() (*Identity, error) {
	uri := o.opts.ApplicationURI
	if uri == "" {
		uri = (&url.URL{Scheme: "urn", Opaque: url.PathEscape(o.opts.Hostname) + ":gridwarden"}).String()
	}
	id, err := newIdentity(uri, o.opts.Organisation, o.opts.Hostname, o.opts.Now(), o.opts.Validity)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(id.Key)
	if err != nil {
		return nil, fmt.Errorf("own certificate: %w", err)
	}
	name := fileName("gridwarden", id.Certificate, "")
	block := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	if err := writeFile(filepath.Join(o.opts.Dir, ownPrivate, name+".pem"), block, 0o600); err != nil {
		return nil, fmt.Errorf("own certificate: %w", err)
	}
	id.File = filepath.Join(o.opts.Dir, ownCerts, name+".der")
	if err := writeFile(id.File, id.Certificate, 0o644); err != nil {
		return nil, fmt.Errorf("own certificate: %w", err)
	}
	return id, nil
}

// readKey reads an RSA key from a file in PEM or DER. No error shows any of it.
func readKey(file string) (*rsa.PrivateKey, error) {
	data, err := readBounded(file)
	if err != nil {
		return nil, err
	}
	der := data
	if bytes.Contains(data, []byte("-----BEGIN")) {
		der = nil
		for block, rest := pem.Decode(data); block != nil && der == nil; block, rest = pem.Decode(rest) {
			switch block.Type {
			case "PRIVATE KEY", "RSA PRIVATE KEY":
				der = block.Bytes
			case "ENCRYPTED PRIVATE KEY":
				return nil, fmt.Errorf("%s is encrypted; store it without a pass phrase, readable by the program's user alone", file)
			}
		}
	}
	if key, err := x509.ParsePKCS1PrivateKey(der); err == nil {
		return key, nil
	}
	if parsed, err := x509.ParsePKCS8PrivateKey(der); err == nil {
		if key, ok := parsed.(*rsa.PrivateKey); ok {
			return key, nil
		}
		return nil, fmt.Errorf("%s is no RSA key; OPC UA's policies want one of %d bits or more", file, minKeyBits)
	}
	return nil, fmt.Errorf("%s holds no RSA private key in PEM or DER; name the file that does", file)
}

// Expiry returns when the certificate ends; found is false where there is none
// that can be used.
func (o *Own) Expiry() (end time.Time, found bool) {
	id, err := o.Find()
	if err != nil || id == nil {
		return time.Time{}, false
	}
	return id.Leaf.NotAfter, true
}

// Warnings says what a person should see to: a certificate near its end.
func (o *Own) Warnings() ([]string, error) {
	id, err := o.Find()
	if err != nil || id == nil {
		return nil, err
	}
	left := id.Leaf.NotAfter.Sub(o.opts.Now())
	until := id.Leaf.NotAfter.UTC().Format(time.DateOnly)
	switch {
	case left <= 0:
		return []string{fmt.Sprintf("the own OPC UA certificate %s expired on %s; run `gridwarden opcua cert renew` and let the servers trust the new one", id.File, until)}, nil
	case left < RenewBefore:
		return []string{fmt.Sprintf("the own OPC UA certificate %s ends on %s, in %d days; run `gridwarden opcua cert renew` and let the servers trust the new one", id.File, until, int(left.Hours()/24))}, nil
	}
	return nil, nil
}
