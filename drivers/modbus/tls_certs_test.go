package modbus

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// authority issues certificates for tests.
type authority struct {
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string // its certificate
}

func newAuthority(t testing.TB, name string) *authority {
	t.Helper()
	a := &authority{dir: t.TempDir()}
	tmpl := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.cert, a.key = a.issue(t, tmpl)
	a.file = a.write(t, "ca.pem", "CERTIFICATE", a.cert.Raw)
	return a
}

// issue completes a template and signs it; the first is signed by itself.
func (a *authority) issue(t testing.TB, tmpl *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl.SerialNumber = big.NewInt(time.Now().UnixNano())
	if tmpl.NotBefore.IsZero() {
		tmpl.NotBefore = time.Now().Add(-time.Hour)
	}
	if tmpl.NotAfter.IsZero() {
		tmpl.NotAfter = time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = tmpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert, key
}

func (a *authority) write(t testing.TB, name, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(a.dir, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// roleExtension is what a certificate authority of a utility would add.
func roleExtension(value []byte) []pkix.Extension {
	return []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 50316, 802, 1}, Value: value}}
}

// utf8String is the DER of a short UTF8String, spelled out.
func utf8String(s string) []byte { return append([]byte{0x0C, byte(len(s))}, s...) }

// client issues a client's certificate, as options of a device. change may
// spoil it.
func (a *authority) client(t testing.TB, change func(*x509.Certificate)) map[string]string {
	t.Helper()
	tmpl := &x509.Certificate{
		Subject: pkix.Name{CommonName: "head end"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, ExtraExtensions: roleExtension(utf8String("reader")),
	}
	if change != nil {
		change(tmpl)
	}
	cert, key := a.issue(t, tmpl)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	name := cert.SerialNumber.String()
	return map[string]string{
		optTLSCert: a.write(t, name+".pem", "CERTIFICATE", cert.Raw),
		optTLSKey:  a.write(t, name+".key", "PRIVATE KEY", der),
		optTLSCA:   a.file,
	}
}

// server issues a server's certificate for 127.0.0.1 and meter.example.
func (a *authority) server(t testing.TB, change func(*x509.Certificate)) *tls.Config {
	t.Helper()
	tmpl := &x509.Certificate{
		Subject: pkix.Name{CommonName: "meter"}, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"meter.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	if change != nil {
		change(tmpl)
	}
	cert, key := a.issue(t, tmpl)
	clients := x509.NewCertPool()
	clients.AddCert(a.cert)
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw}, PrivateKey: key}},
		ClientAuth:   tls.RequireAndVerifyClientCert, ClientCAs: clients, MinVersion: tls.VersionTLS10,
	}
}

// serverFiles issues a server's certificate as files: certificate, key, and
// the authority of clients.
func (a *authority) serverFiles(t testing.TB) []string {
	t.Helper()
	c := a.server(t, nil).Certificates[0]
	der, err := x509.MarshalPKCS8PrivateKey(c.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return []string{
		a.write(t, "server.pem", "CERTIFICATE", c.Certificate[0]),
		a.write(t, "server.key", "PRIVATE KEY", der),
		a.file,
	}
}
