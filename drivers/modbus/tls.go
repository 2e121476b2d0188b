package modbus

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/drivers"
)

// Modbus/TCP Security (MODBUS/TCP Security Protocol Specification v21): MBAP
// frames inside TLS 1.2 or later, on port 802, with certificates on both
// sides. What the client may do follows from the role in its certificate.
const (
	schemeTLS = "modbus+tls"
	tlsPort   = "802"
)

// Options of devices behind TLS: files in PEM, and the name in the server's
// certificate where it differs from the host.
const (
	optTLSCert = "tls_cert"
	optTLSKey  = "tls_key"
	optTLSCA   = "tls_ca"
	optTLSName = "tls_name"
)

// tlsSettings are what a device's options say about TLS.
type tlsSettings struct {
	cert, key, ca, name string
}

// tlsIdentity is what is in the files that the settings name.
type tlsIdentity struct {
	certificate tls.Certificate
	roots       *x509.CertPool // nil: the system's
	role        string         // "" where the certificate has none
}

// parseTLS reads a device's options. The files are not looked at.
func parseTLS(dev drivers.Device) (tlsSettings, error) {
	s := tlsSettings{dev.Options[optTLSCert], dev.Options[optTLSKey], dev.Options[optTLSCA], dev.Options[optTLSName]}
	if s.cert == "" || s.key == "" {
		return s, fmt.Errorf("device %s: Modbus/TCP Security asks for a certificate of the client; set %s and %s to its files", dev.ID, optTLSCert, optTLSKey)
	}
	return s, nil
}

// load reads the files and says what a server would refuse. It is called for
// each connection, so that a renewed certificate is taken up.
func (s tlsSettings) load(now time.Time) (*tlsIdentity, error) {
	id := new(tlsIdentity)
	certPEM, err := os.ReadFile(s.cert)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; name a certificate in PEM", optTLSCert, err)
	}
	keyPEM, err := os.ReadFile(s.key)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; name the certificate's private key in PEM, which the program's user can read", optTLSKey, err)
	}
	if id.certificate, err = tls.X509KeyPair(certPEM, keyPEM); err != nil {
		return nil, fmt.Errorf("%s %s and %s %s: %w; they must be PEM, and the key that of the certificate", optTLSCert, s.cert, optTLSKey, s.key, err)
	}
	leaf := id.certificate.Leaf
	forClients := func(u x509.ExtKeyUsage) bool { return u == x509.ExtKeyUsageClientAuth || u == x509.ExtKeyUsageAny }
	switch {
	case now.After(leaf.NotAfter):
		return nil, fmt.Errorf("%s %s expired on %s; have it renewed", optTLSCert, s.cert, leaf.NotAfter.UTC().Format(time.DateTime))
	case now.Before(leaf.NotBefore):
		return nil, fmt.Errorf("%s %s is valid from %s only; check this machine's clock", optTLSCert, s.cert, leaf.NotBefore.UTC().Format(time.DateTime))
	case len(leaf.ExtKeyUsage)+len(leaf.UnknownExtKeyUsage) > 0 && !slices.ContainsFunc(leaf.ExtKeyUsage, forClients):
		return nil, fmt.Errorf("%s %s is not for clients; have it issued with the extended key usage clientAuth", optTLSCert, s.cert)
	}
	if id.role, err = roleOf(leaf); err != nil {
		return nil, fmt.Errorf("%s %s: %w", optTLSCert, s.cert, err)
	}
	if s.ca == "" {
		return id, nil
	}
	caPEM, err := os.ReadFile(s.ca)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; name the certificates, in PEM, of who issues those of servers", optTLSCA, err)
	}
	id.roots = x509.NewCertPool()
	if !id.roots.AppendCertsFromPEM(caPEM) {
		return nil, fmt.Errorf("%s %s has no certificate in PEM; name those of who issues servers' certificates", optTLSCA, s.ca)
	}
	return id, nil
}

// dialTLS connects to a server and proves both sides to each other.
func dialTLS(ctx context.Context, dial func(ctx context.Context, network, addr string) (net.Conn, error), addr string, s tlsSettings) (net.Conn, error) {
	id, err := s.load(time.Now())
	if err != nil {
		return nil, &mendedError{err}
	}
	name := s.name
	if name == "" {
		if name, _, err = net.SplitHostPort(addr); err != nil {
			return nil, fmt.Errorf("address %s: %w", addr, err)
		}
	}
	nc, err := dial(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c := tls.Client(nc, &tls.Config{
		MinVersion: tls.VersionTLS12,
		// Of TLS 1.2: forward secrecy and authenticated encryption only.
		CipherSuites: []uint16{
			tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
			tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		},
		ServerName: name,
		RootCAs:    id.roots,
		// Given by a function, the certificate is sent whatever issuers the
		// server says it takes: it then says itself what it has against it.
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &id.certificate, nil },
	})
	if err := c.HandshakeContext(ctx); err != nil {
		_ = nc.Close()
		return nil, explainTLS(err, name)
	}
	return &tlsConn{Conn: c, name: name}, nil
}

// tlsConn says what a server's refusal means: in TLS 1.3 it comes only after
// the client's side of the handshake, with the first answer.
type tlsConn struct {
	*tls.Conn
	name string
}

func (c *tlsConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err == nil {
		return n, nil
	}
	return n, explainTLS(err, c.name)
}

// explainTLS adds the mend to what TLS has to object.
func explainTLS(err error, name string) error {
	var (
		unknown x509.UnknownAuthorityError
		invalid x509.CertificateInvalidError
		host    x509.HostnameError
		alert   tls.AlertError
		remote  *net.OpError
		record  tls.RecordHeaderError
		mend    string
	)
	switch {
	case errors.As(err, &unknown):
		mend = "name in " + optTLSCA + " the certificate of who issued the server's"
	case errors.As(err, &host):
		mend = fmt.Sprintf("the server's certificate is for %s, not for %s; set %s to a name in it if that is the right server", names(host.Certificate), name, optTLSName)
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		mend = "have the server's certificate renewed, or correct this machine's clock"
	case errors.As(err, &invalid) && invalid.Reason == x509.IncompatibleUsage:
		mend = "have the server's certificate issued with the extended key usage serverAuth"
	case errors.As(err, &invalid):
		mend = "have the server's certificate issued anew"
	case errors.As(err, &record):
		mend = "the port does not speak TLS; check it, Modbus/TCP Security has port " + tlsPort
	case errors.As(err, &remote) && remote.Op == "remote error" || errors.As(err, &alert):
		mend = "the server refuses; see that it trusts who issued " + optTLSCert + ", that this has not expired, and that it speaks TLS 1.2 or later"
	default:
		return err
	}
	return &mendedError{fmt.Errorf("%w; %s", err, mend)}
}

// names lists whom a certificate is for.
func names(c *x509.Certificate) string {
	list := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		list = append(list, ip.String())
	}
	if len(list) == 0 {
		return "no name"
	}
	return strings.Join(list, ", ")
}
