package opcua

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Entry is one certificate or revocation list of a PKI folder.
type Entry struct {
	Folder         string    `json:"folder"` // trusted, issuers, rejected or own
	Kind           string    `json:"kind"`   // application, authority or revocation list
	Subject        string    `json:"subject"`
	ApplicationURI string    `json:"application_uri,omitempty"`
	Hosts          []string  `json:"hosts,omitempty"`
	SHA256         string    `json:"sha256"`
	From           time.Time `json:"from"`  // of a revocation list, when it was made
	Until          time.Time `json:"until"` // of a revocation list, when the next is due
	File           string    `json:"file"`

	raw []byte
}

// Kinds of entries.
const (
	KindApplication = "application"
	KindAuthority   = "authority"
	KindRevocations = "revocation list"
)

func certEntry(folder, file string, c *x509.Certificate) Entry {
	e := Entry{
		Folder: folder, Kind: KindApplication, Subject: c.Subject.String(), Hosts: c.DNSNames,
		SHA256: Fingerprint(c.Raw), From: c.NotBefore, Until: c.NotAfter, File: file, raw: c.Raw,
	}
	if c.IsCA {
		e.Kind = KindAuthority
	}
	if len(c.URIs) > 0 {
		e.ApplicationURI = c.URIs[0].String()
	}
	for _, ip := range c.IPAddresses {
		e.Hosts = append(e.Hosts, ip.String())
	}
	return e
}

// List returns all that the PKI folder holds. Files that cannot be read are
// the error, beside the others.
func (l *TrustList) List() ([]Entry, error) {
	var out []Entry
	var problems []error
	for _, folder := range []string{trustedCerts, trustedCRL, issuersCerts, issuersCRL, rejectedCerts, ownCerts} {
		files, err := l.files(folder)
		if err != nil {
			return nil, err
		}
		where, _, _ := strings.Cut(folder, "/")
		for _, file := range files {
			data, err := readBounded(file)
			if err != nil {
				problems = append(problems, err)
				continue
			}
			certs, crls, err := parseTrustFile(file, data)
			problems = append(problems, err)
			for _, c := range certs {
				out = append(out, certEntry(where, file, c))
			}
			for _, crl := range crls {
				out = append(out, Entry{
					Folder: where, Kind: KindRevocations, Subject: crl.Issuer.String(), SHA256: Fingerprint(crl.Raw),
					From: crl.ThisUpdate, Until: crl.NextUpdate, File: file, raw: crl.Raw,
				})
			}
		}
	}
	return out, errors.Join(problems...)
}

// minPrefix is how much of a fingerprint must be given.
const minPrefix = 8

// find returns the one certificate of the named folders whose fingerprint
// begins with prefix.
func (l *TrustList) find(prefix string, folders ...string) (Entry, error) {
	want := strings.ToLower(strings.ReplaceAll(prefix, ":", ""))
	if len(want) < minPrefix || strings.Trim(want, "0123456789abcdef") != "" {
		return Entry{}, fmt.Errorf("%q is no fingerprint; give at least %d hex digits of the SHA-256 as `gridwarden opcua trust list --pki %s` shows it", prefix, minPrefix, l.dir)
	}
	all, _ := l.List() // files that cannot be read are none of those sought
	var found []Entry
	for _, e := range all {
		for _, folder := range folders {
			if e.Folder == folder && strings.HasPrefix(e.SHA256, want) && (len(found) == 0 || found[0].SHA256 != e.SHA256) {
				found = append(found, e)
			}
		}
	}
	switch len(found) {
	case 0:
		return Entry{}, fmt.Errorf("no certificate with fingerprint %s… among the %s in %s; `gridwarden opcua trust list --pki %s` shows what there is",
			want, strings.Join(folders, " and "), l.dir, l.dir)
	case 1:
		return found[0], nil
	}
	return Entry{}, fmt.Errorf("%d certificates have fingerprints beginning with %s; give more digits", len(found), want)
}

// AddRejected trusts the rejected certificate whose SHA-256 begins with
// prefix.
func (l *TrustList) AddRejected(prefix string) (Entry, error) {
	e, err := l.find(prefix, "rejected")
	if err != nil {
		return e, err
	}
	certs, err := x509.ParseCertificates(e.raw)
	if err != nil {
		return e, fmt.Errorf("%s: %w", e.File, err)
	}
	added, err := l.addCertificate(certs[0], trustedCerts)
	if err != nil {
		return e, err
	}
	if err := os.Remove(e.File); err != nil {
		return added, fmt.Errorf("trusted, but still among the rejected: %w", err)
	}
	return added, nil
}

// AddFile takes the certificates and revocation lists of a file into the
// trust list: certificates among the trusted, or, where issuer is true, among
// those that complete chains without being trusted themselves. Nothing is
// taken from a file that cannot be read whole.
func (l *TrustList) AddFile(file string, issuer bool) ([]Entry, error) {
	data, err := readBounded(file)
	if err != nil {
		return nil, err
	}
	certs, crls, err := parseTrustFile(file, data)
	if err != nil {
		return nil, err
	}
	folder := trustedCerts
	if issuer {
		folder = issuersCerts
	}
	for _, c := range certs {
		if issuer && !c.IsCA {
			return nil, fmt.Errorf("%s: %q is no authority's certificate; add it without --issuer", file, c.Subject)
		}
	}
	var out []Entry
	for _, c := range certs {
		e, err := l.addCertificate(c, folder)
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
	for _, crl := range crls {
		e, err := l.addRevocations(file, crl)
		if err != nil {
			return out, err
		}
		out = append(out, e)
	}
	return out, nil
}

func (l *TrustList) addCertificate(c *x509.Certificate, folder string) (Entry, error) {
	if err := suitable(c); err != nil {
		return Entry{}, fmt.Errorf("certificate of %q: %w", c.Subject, err)
	}
	file := filepath.Join(l.dir, folder, fileName(c.Subject.CommonName, c.Raw, ".der"))
	if err := writeFile(file, c.Raw, 0o644); err != nil {
		return Entry{}, err
	}
	where, _, _ := strings.Cut(folder, "/")
	return certEntry(where, file, c), nil
}

// addRevocations stores a revocation list beside its authority, whose
// signature it must bear.
func (l *TrustList) addRevocations(from string, crl *x509.RevocationList) (Entry, error) {
	h, err := l.load()
	if err != nil {
		return Entry{}, err
	}
	folder := ""
	for _, pool := range []struct {
		certs  []*x509.Certificate
		folder string
	}{{h.issuers, issuersCRL}, {h.trusted, trustedCRL}} {
		for _, c := range pool.certs {
			if bytes.Equal(c.RawSubject, crl.RawIssuer) && crl.CheckSignatureFrom(c) == nil {
				folder = pool.folder
			}
		}
	}
	if folder == "" {
		return Entry{}, fmt.Errorf("%s: no authority in %s has signed this revocation list of %q; add the authority's certificate first", from, l.dir, crl.Issuer)
	}
	file := filepath.Join(l.dir, folder, fileName(crl.Issuer.CommonName, crl.Raw, ".crl"))
	if err := writeFile(file, crl.Raw, 0o644); err != nil {
		return Entry{}, err
	}
	where, _, _ := strings.Cut(folder, "/")
	return Entry{
		Folder: where, Kind: KindRevocations, Subject: crl.Issuer.String(), SHA256: Fingerprint(crl.Raw),
		From: crl.ThisUpdate, Until: crl.NextUpdate, File: file,
	}, nil
}

// Reject moves the certificate whose SHA-256 begins with prefix from the
// trusted or the issuers to the rejected.
func (l *TrustList) Reject(prefix string) (Entry, error) {
	e, err := l.find(prefix, "trusted", "issuers")
	if err != nil {
		return e, err
	}
	if e.Kind == KindRevocations {
		return e, fmt.Errorf("%s is a revocation list; remove %s by hand if its authority goes too", short16(e.SHA256), e.File)
	}
	data, err := readBounded(e.File)
	if err != nil {
		return e, err
	}
	if certs, crls, _ := parseTrustFile(e.File, data); len(certs)+len(crls) > 1 {
		return e, fmt.Errorf("%s holds %d certificates and lists; split it, then reject one", e.File, len(certs)+len(crls))
	}
	certs, err := x509.ParseCertificates(e.raw)
	if err != nil {
		return e, fmt.Errorf("%s: %w", e.File, err)
	}
	if err := os.Remove(e.File); err != nil { // first: a certificate that stays trusted would be the worse half
		return e, fmt.Errorf("%w; let the program's user write there", err)
	}
	if err := l.keepRejected(certs[0]); err != nil {
		return e, fmt.Errorf("no longer trusted, but not kept: %w", err)
	}
	e.Folder = "rejected"
	return e, nil
}

func short16(fingerprint string) string { return fingerprint[:16] }
