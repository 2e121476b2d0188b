package opcua

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// maxChain bounds the certificates that a server may send at once.
const maxChain = 8

// readBounded reads a file of a trust list, refusing one that is too large
// before it is read.
func readBounded(file string) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("%w; let the program's user read it", err)
	}
	defer func() { _ = f.Close() }()
	if info, err := f.Stat(); err == nil && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no regular file; remove it", file)
	}
	data, err := io.ReadAll(io.LimitReader(f, maxTrustFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	if len(data) > maxTrustFile {
		return nil, fmt.Errorf("%s is larger than %d MiB; remove it", file, maxTrustFile>>20)
	}
	return data, nil
}

// parseTrustFile reads certificates and revocation lists from a file in PEM or
// DER. What can be read is returned also beside an error.
func parseTrustFile(file string, data []byte) (certs []*x509.Certificate, crls []*x509.RevocationList, err error) {
	var problems []error
	one := func(what string, der []byte) {
		if crl, err := x509.ParseRevocationList(der); err == nil {
			crls = append(crls, crl)
			return
		}
		list, err := x509.ParseCertificates(der)
		if err != nil || len(list) == 0 {
			problems = append(problems, fmt.Errorf("%s: %s is neither a certificate nor a revocation list in DER or PEM; replace or remove it", file, what))
			return
		}
		certs = append(certs, list...)
	}
	if !bytes.Contains(data, []byte("-----BEGIN")) {
		one("it", data)
		return certs, crls, errors.Join(problems...)
	}
	rest := data
	for n := 1; ; n++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if n == 1 {
				problems = append(problems, fmt.Errorf("%s: its PEM is damaged; replace or remove it", file))
			}
			return certs, crls, errors.Join(problems...)
		}
		if strings.Contains(block.Type, "PRIVATE KEY") {
			problems = append(problems, fmt.Errorf("%s holds a private key, which does not belong in a trust list; remove it there", file))
			continue
		}
		one(fmt.Sprintf("PEM block %d", n), block.Bytes)
	}
}

// parseChain takes what a server shows apart: its certificate, then others.
func parseChain(der []byte) ([]*x509.Certificate, error) {
	if len(der) == 0 {
		return nil, errors.New("is missing")
	}
	if len(der) > maxChain*16<<10 {
		return nil, fmt.Errorf("is %d bytes long", len(der))
	}
	chain, err := x509.ParseCertificates(der)
	switch {
	case err != nil:
		return nil, fmt.Errorf("cannot be read: %w", err)
	case len(chain) == 0:
		return nil, errors.New("is missing")
	case len(chain) > maxChain:
		return nil, fmt.Errorf("comes with %d others", len(chain)-1)
	}
	return chain, nil
}

// fileName names a certificate's file: what a person recognises, made safe,
// and its whole fingerprint.
func fileName(name string, der []byte, extension string) string {
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
			return r
		}
		return '_'
	}, name)
	if len(safe) > 40 {
		safe = safe[:40]
	}
	if safe == "" {
		safe = "unnamed"
	}
	return safe + "_" + Fingerprint(der) + extension
}

// writeFile writes a file whole or not at all, making its folder.
func writeFile(file string, data []byte, mode os.FileMode) error {
	folder := filepath.Dir(file)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("%w; let the program's user write there", err)
	}
	f, err := os.CreateTemp(folder, ".new-*") // readable by its owner alone
	if err != nil {
		return fmt.Errorf("%w; let the program's user write there", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", file, err), os.Remove(f.Name()))
	}
	return nil
}

// keepRejected keeps a refused certificate for a person's decision. Of too
// many the oldest go: whoever can reach us must not fill the disk.
func (l *TrustList) keepRejected(c *x509.Certificate) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	file := filepath.Join(l.dir, rejectedCerts, fileName(c.Subject.CommonName, c.Raw, ".der"))
	if _, err := os.Stat(file); err == nil {
		return nil
	}
	files, err := l.files(rejectedCerts)
	if err != nil {
		return err
	}
	if len(files) >= maxRejected {
		age := make(map[string]int64, len(files))
		for _, f := range files {
			if info, err := os.Stat(f); err == nil {
				age[f] = info.ModTime().UnixNano()
			}
		}
		slices.SortFunc(files, func(a, b string) int { return int(min(1, max(-1, age[a]-age[b]))) })
		for _, f := range files[:len(files)-maxRejected+1] {
			if err := os.Remove(f); err != nil {
				return fmt.Errorf("make room among the rejected: %w", err)
			}
		}
	}
	return writeFile(file, c.Raw, 0o600)
}
