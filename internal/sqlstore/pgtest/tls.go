package pgtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// CA names the file of the authority to trust: the server's own certificate,
// which is for 127.0.0.1.
func (c *Cluster) CA() string { return filepath.Join(c.dir, "server.crt") }

func (c *Cluster) key() string { return filepath.Join(c.dir, "server.key") }

// certify makes the certificate and the key.
func (c *Cluster) certify() error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("key of PostgreSQL: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "127.0.0.1"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return fmt.Errorf("certificate of PostgreSQL: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fmt.Errorf("key of PostgreSQL: %w", err)
	}
	for path, block := range map[string]*pem.Block{
		c.CA(): {Type: "CERTIFICATE", Bytes: cert}, c.key(): {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			return fmt.Errorf("certificate of PostgreSQL: %w", err)
		}
		if c.as == nil {
			continue
		}
		if err := os.Chown(path, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return fmt.Errorf("certificate of PostgreSQL: %w", err)
		}
	}
	return nil
}
