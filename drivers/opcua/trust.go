package opcua

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"
)

// Folders of a PKI folder, as OPC 10000-12 and the stacks built on it lay
// them out.
const (
	trustedCerts  = "trusted/certs"
	trustedCRL    = "trusted/crl"
	issuersCerts  = "issuers/certs"
	issuersCRL    = "issuers/crl"
	rejectedCerts = "rejected/certs"
	ownCerts      = "own/certs"
	ownPrivate    = "own/private"
)

// Bounds on what a trust list reads and keeps.
const (
	maxTrustFile  = 8 << 20 // bytes; revocation lists can be long
	maxTrustFiles = 2000    // of one folder
	maxRejected   = 100     // files; the oldest go
)

// TrustList decides on servers' certificates by the files of a PKI folder. It
// sees changed files at the next decision. It may be used by several
// goroutines at once.
type TrustList struct {
	dir             string
	allowMissingCRL bool
	now             func() time.Time

	mu    sync.Mutex
	stamp string // of the files that held is made of
	held  *held
}

// TrustOptions are the settings of a trust list.
type TrustOptions struct {
	// AllowMissingCRL accepts certificates of an authority whose revocation
	// list is missing or out of date. A list that is there still counts.
	AllowMissingCRL bool
	Now             func() time.Time // time.Now where nil
}

// NewTrustList returns the trust list in a PKI folder, which need not exist
// yet: then nobody is trusted.
func NewTrustList(dir string, opts TrustOptions) *TrustList {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	return &TrustList{dir: dir, allowMissingCRL: opts.AllowMissingCRL, now: opts.Now}
}

// Dir is the PKI folder.
func (l *TrustList) Dir() string { return l.dir }

// held is what the files of a trust list say.
type held struct {
	trusted  []*x509.Certificate
	issuers  []*x509.Certificate
	crls     []*x509.RevocationList
	problems []error // files that cannot be read; they take nothing from the others
}

func (h *held) trusts(c *x509.Certificate) bool {
	return slices.ContainsFunc(h.trusted, func(t *x509.Certificate) bool { return bytes.Equal(t.Raw, c.Raw) })
}

// load returns what the files say now.
func (l *TrustList) load() (*held, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	stamp, err := l.stampFiles()
	if err != nil {
		return nil, err
	}
	if l.held != nil && stamp == l.stamp {
		return l.held, nil
	}
	h := new(held)
	for _, folder := range []string{trustedCerts, trustedCRL, issuersCerts, issuersCRL} {
		files, err := l.files(folder)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			data, err := readBounded(file)
			if err != nil {
				h.problems = append(h.problems, err)
				continue
			}
			certs, crls, err := parseTrustFile(file, data)
			h.problems = append(h.problems, err)
			switch folder {
			case trustedCerts:
				h.trusted = append(h.trusted, certs...)
			case issuersCerts:
				h.issuers = append(h.issuers, certs...)
			default:
				h.crls = append(h.crls, crls...)
			}
		}
	}
	h.problems = slices.DeleteFunc(h.problems, func(err error) bool { return err == nil })
	l.stamp, l.held = stamp, h
	return h, nil
}

// stampFiles sums up names, sizes and times of the files.
func (l *TrustList) stampFiles() (string, error) {
	var all []string
	for _, folder := range []string{trustedCerts, trustedCRL, issuersCerts, issuersCRL} {
		files, err := l.files(folder)
		if err != nil {
			return "", err
		}
		all = append(all, files...)
	}
	return stampOf(all), nil
}

// stampOf sums up files by name, size and time of change.
func stampOf(files []string) string {
	var b strings.Builder
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			fmt.Fprintln(&b, file, info.Size(), info.ModTime().UnixNano())
		}
	}
	return b.String()
}

// files lists the files of a folder; none where there is no folder.
func (l *TrustList) files(folder string) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(l.dir, folder))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("trust list: %w; let the program's user read the folder", err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if len(out) == maxTrustFiles {
			return nil, fmt.Errorf("trust list: more than %d files in %s; remove what is not needed", maxTrustFiles, filepath.Join(l.dir, folder))
		}
		out = append(out, filepath.Join(l.dir, folder, e.Name()))
	}
	return out, nil
}

// Verify decides on the certificate that a server shows: its own, followed by
// those of its authorities if it sends them, in DER. What is refused is kept
// among the rejected, and the error says how to trust it.
func (l *TrustList) Verify(der []byte, peer Peer) error {
	chain, err := parseChain(der)
	if err != nil {
		return refuse(ua.StatusBadCertificateInvalid, "it %w; give the server a new one", err)
	}
	h, err := l.load()
	if err != nil {
		return err
	}
	now := l.now()
	err = h.verify(chain, peer, now, l.allowMissingCRL)
	if err == nil {
		return nil
	}
	var r *Refusal
	if errors.As(err, &r) && (r.Status == ua.StatusBadCertificateUntrusted || r.Status == ua.StatusBadCertificateChainIncomplete) {
		if r.Mend == "" {
			r.Mend = fmt.Sprintf("compare it at the server, then run: gridwarden opcua trust add %s --pki %s", short(chain[0]), l.dir)
		}
		if keepErr := l.keepRejected(chain[0]); keepErr != nil {
			err = fmt.Errorf("%w; it could not be kept for a decision: %w", err, keepErr)
		}
	}
	if len(h.problems) > 0 {
		err = fmt.Errorf("%w (in the trust list: %w)", err, h.problems[0])
	}
	return err
}

// short is enough of a certificate's fingerprint to name it.
func short(c *x509.Certificate) string { return Fingerprint(c.Raw)[:16] }
