package opcua

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"
)

// Peer is who a server claims to be.
type Peer struct {
	Host           string // name or address under which it was reached, or which its certificate must name instead
	ApplicationURI string // of the endpoint's description
}

// Refusal says why a certificate is not accepted.
type Refusal struct {
	Status ua.StatusCode // as OPC 10000-4, 6.1.3 names it
	Reason string
	Mend   string
}

// Error says what is wrong and what would mend it.
func (r *Refusal) Error() string {
	if r.Mend == "" {
		return r.Reason
	}
	return r.Reason + "; " + r.Mend
}

// Unwrap returns the status, for errors.Is.
func (r *Refusal) Unwrap() error { return r.Status }

// refuse makes a Refusal of "reason; mend".
func refuse(status ua.StatusCode, format string, args ...any) error {
	reason, mend, _ := strings.Cut(fmt.Errorf(format, args...).Error(), "; ")
	return &Refusal{Status: status, Reason: reason, Mend: mend}
}

// RSA keys of the policies in use (OPC 10000-7): 2048 to 4096 bits.
const (
	minKeyBits = 2048
	maxKeyBits = 4096
)

// suitable checks the key and signature of one certificate.
func suitable(c *x509.Certificate) error {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return refuse(ua.StatusBadCertificatePolicyCheckFailed, "its key is %s, and all policies in use want RSA; give the server an RSA certificate", c.PublicKeyAlgorithm)
	}
	if bits := key.N.BitLen(); bits < minKeyBits || bits > maxKeyBits {
		return refuse(ua.StatusBadCertificatePolicyCheckFailed, "its RSA key has %d bits; give the server a certificate with %d to %d", bits, minKeyBits, maxKeyBits)
	}
	switch c.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS,
		x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512:
		return nil
	}
	return refuse(ua.StatusBadCertificatePolicyCheckFailed, "it is signed with %s, which is no longer safe; give the server one signed with SHA-256 or better", c.SignatureAlgorithm)
}

// verify takes the steps of OPC 10000-4, 6.1.3: chain and signatures, keys,
// trust, validity, host name, application URI, usage, revocation.
func (h *held) verify(chain []*x509.Certificate, peer Peer, now time.Time, allowMissingCRL bool) error {
	leaf := chain[0]
	if err := suitable(leaf); err != nil {
		return err
	}
	path, err := h.path(leaf, chain[1:])
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(path, h.trusts) {
		// No mend here: the trust list names the command.
		return refuse(ua.StatusBadCertificateUntrusted, "it is not trusted")
	}
	for i, c := range path {
		if err := valid(c, i, now); err != nil {
			return err
		}
	}
	if err := names(leaf, peer); err != nil {
		return err
	}
	if err := usable(leaf); err != nil {
		return err
	}
	for i := range path[:len(path)-1] {
		if err := h.revocation(path[i], path[i+1], i, now, allowMissingCRL); err != nil {
			return err
		}
	}
	return nil
}

func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// path builds the chain from the server's certificate to a self-signed one.
// Authorities come from the trust list, or from the server, which may send
// those between itself and one that is known.
func (h *held) path(leaf *x509.Certificate, sent []*x509.Certificate) ([]*x509.Certificate, error) {
	path := []*x509.Certificate{leaf}
	for c := leaf; !selfSigned(c); c = path[len(path)-1] {
		var issuer *x509.Certificate
		var unfit error // of one that bears the name
		for _, pool := range [][]*x509.Certificate{h.trusted, h.issuers, sent} {
			for _, candidate := range pool {
				if issuer != nil || !bytes.Equal(candidate.RawSubject, c.RawIssuer) {
					continue
				}
				// Before the signature: a key of any size may have been sent, to keep us busy.
				if err := suitable(candidate); err != nil {
					unfit = err
				} else if c.CheckSignatureFrom(candidate) == nil {
					issuer = candidate
				}
			}
		}
		var r *Refusal
		switch {
		case issuer != nil:
		case errors.As(unfit, &r):
			return nil, refuse(r.Status, "of its authority %q: %s; %s", c.Issuer, r.Reason, r.Mend)
		case bytes.Equal(c.RawIssuer, c.RawSubject):
			return nil, refuse(ua.StatusBadCertificateInvalid, "its signature is wrong; give the server a new one")
		default:
			return nil, refuse(ua.StatusBadCertificateChainIncomplete,
				"the certificate of its authority %q is not known; get that from whoever runs the authority and add it with: gridwarden opcua trust add FILE (--issuer if not every server of that authority is to be trusted)", c.Issuer)
		}
		if len(path) == maxChain {
			return nil, refuse(ua.StatusBadCertificateChainIncomplete, "its chain of authorities is longer than %d; give the server a certificate nearer to its root", maxChain)
		}
		path = append(path, issuer)
	}
	return path, nil
}

// valid checks a certificate's time; level 0 is the server's own.
func valid(c *x509.Certificate, level int, now time.Time) error {
	status, whose := ua.StatusBadCertificateTimeInvalid, "it"
	if level > 0 {
		status, whose = ua.StatusBadCertificateIssuerTimeInvalid, fmt.Sprintf("the certificate of its authority %q", c.Subject)
	}
	switch {
	case now.Before(c.NotBefore):
		return refuse(status, "%s is not valid before %s; set the clocks right, or wait", whose, c.NotBefore.UTC().Format(time.RFC3339))
	case now.After(c.NotAfter):
		return refuse(status, "%s expired on %s; renew it at the server", whose, c.NotAfter.UTC().Format(time.RFC3339))
	}
	return nil
}

// names checks host name and application URI.
func names(c *x509.Certificate, peer Peer) error {
	var hosts []string
	found := false
	for _, name := range c.DNSNames {
		hosts = append(hosts, name)
		found = found || strings.EqualFold(strings.TrimSuffix(name, "."), strings.TrimSuffix(peer.Host, "."))
	}
	address := net.ParseIP(peer.Host)
	for _, ip := range c.IPAddresses {
		hosts = append(hosts, ip.String())
		found = found || address != nil && ip.Equal(address)
	}
	if !found {
		return refuse(ua.StatusBadCertificateHostNameInvalid,
			"it is for the hosts %q, not for %q; set the device's option %s to the name that it must have, or give the server another certificate", hosts, peer.Host, optServerName)
	}
	if len(c.URIs) == 0 || c.URIs[0].String() != peer.ApplicationURI {
		var uris []string
		for _, u := range c.URIs {
			uris = append(uris, u.String())
		}
		return refuse(ua.StatusBadCertificateURIInvalid,
			"it is for the applications %q, and the server calls itself %q; give the server a certificate with its own application URI", uris, peer.ApplicationURI)
	}
	return nil
}

// usable checks what the key may be used for.
func usable(c *x509.Certificate) error {
	const want = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment
	if c.KeyUsage&want != want {
		return refuse(ua.StatusBadCertificateUseNotAllowed, "its key may not be used for signing and key encipherment; give the server a certificate for an OPC UA application")
	}
	if len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) > 0 &&
		!slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny) {
		return refuse(ua.StatusBadCertificateUseNotAllowed, "it is not for servers; give the server a certificate with server authentication")
	}
	return nil
}

// revocation looks for c in the revocation lists of its issuer. Any list that
// the issuer signed counts; one that is not out of date must be there.
func (h *held) revocation(c, issuer *x509.Certificate, level int, now time.Time, allowMissing bool) error {
	revoked, unknown, whose := ua.StatusBadCertificateRevoked, ua.StatusBadCertificateRevocationUnknown, "it"
	if level > 0 {
		revoked, unknown = ua.StatusBadCertificateIssuerRevoked, ua.StatusBadCertificateIssuerRevocationUnknown
		whose = fmt.Sprintf("the certificate of its authority %q", c.Subject)
	}
	current, outdated := false, time.Time{}
	for _, crl := range h.crls {
		if !bytes.Equal(crl.RawIssuer, issuer.RawSubject) || crl.CheckSignatureFrom(issuer) != nil {
			continue
		}
		for _, entry := range crl.RevokedCertificateEntries {
			if entry.SerialNumber.Cmp(c.SerialNumber) == 0 {
				return refuse(revoked, "%s was revoked by %q on %s; give the server a new one", whose, issuer.Subject, entry.RevocationTime.UTC().Format(time.DateOnly))
			}
		}
		if crl.NextUpdate.IsZero() || now.Before(crl.NextUpdate) {
			current = true
		} else if crl.NextUpdate.After(outdated) {
			outdated = crl.NextUpdate
		}
	}
	switch {
	case current || allowMissing:
		return nil
	case !outdated.IsZero():
		return refuse(unknown, "the revocation list of %q is out of date since %s; add a new one with: gridwarden opcua trust add FILE, or set opcua.allow_missing_crl", issuer.Subject, outdated.UTC().Format(time.RFC3339))
	}
	return refuse(unknown, "there is no revocation list of %q; add one with: gridwarden opcua trust add FILE, or set opcua.allow_missing_crl", issuer.Subject)
}
