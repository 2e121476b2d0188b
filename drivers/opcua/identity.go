package opcua

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // RFC 5280 derives the key identifier so; nothing is signed with it
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"
)

// Identity is an application instance certificate with its key.
type Identity struct {
	ApplicationURI string
	Certificate    []byte // DER
	Key            *rsa.PrivateKey
	Leaf           *x509.Certificate
	File           string // "" where it is in memory only
}

// NewIdentity makes a self-signed application instance certificate that is
// kept nowhere.
func NewIdentity(applicationURI string, now time.Time, valid time.Duration) (*Identity, error) {
	return newIdentity(applicationURI, "", "localhost", now, valid)
}

// newIdentity makes a self-signed certificate as OPC 10000-6, 6.2.2 asks for:
// the application URI and the host in the subject alternative name, usable for
// signing and encrypting, by clients and servers, not an authority.
func newIdentity(applicationURI, organisation, host string, now time.Time, valid time.Duration) (*Identity, error) {
	uri, err := url.Parse(applicationURI)
	if err != nil || uri.Scheme == "" {
		return nil, fmt.Errorf("application URI %q is no URI; write one such as urn:host:gridwarden", applicationURI)
	}
	key, err := rsa.GenerateKey(rand.Reader, minKeyBits)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, fmt.Errorf("make a serial number: %w", err)
	}
	if organisation == "" {
		organisation = "Gridwarden"
	}
	keyID := sha1.Sum(x509.MarshalPKCS1PublicKey(&key.PublicKey))
	template := &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{CommonName: "Gridwarden", Organization: []string{organisation}},
		NotBefore:    now.Add(-time.Hour), NotAfter: now.Add(valid),
		SubjectKeyId: keyID[:], AuthorityKeyId: keyID[:],
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageKeyEncipherment |
			x509.KeyUsageDataEncipherment | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
		SignatureAlgorithm:    x509.SHA256WithRSA,
		URIs:                  []*url.URL{uri},
	}
	if ip := net.ParseIP(host); ip != nil {
		template.IPAddresses = []net.IP{ip}
	} else {
		template.DNSNames = []string{host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("make a certificate: %w", err)
	}
	return &Identity{ApplicationURI: uri.String(), Certificate: der, Key: key, Leaf: leaf}, nil
}

// Fingerprint returns the SHA-256 of a DER certificate in hex, as the option
// server_sha256 takes it.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:])
}
