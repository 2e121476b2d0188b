package stream

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nkeys"
	"golang.org/x/crypto/bcrypt"
)

const (
	// maxSecretFile bounds credentials and users files.
	maxSecretFile = 1 << 20

	jwtMark = "-----BEGIN NATS USER JWT-----"
)

// clientConfig reads our end of a connection to a server. what is the setting
// that it comes from, for errors.
func (t TLS) clientConfig(what string) (*tls.Config, error) {
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if cfg.RootCAs, err = t.authorities(what); err != nil {
		return nil, err
	}
	if cfg.Certificates, err = t.pair(what); err != nil {
		return nil, err
	}
	return cfg, nil
}

// serverConfig reads our end of a listener, nil where there is no certificate.
func (t TLS) serverConfig(what string) (*tls.Config, error) {
	if t == (TLS{}) {
		return nil, nil //nolint:nilnil // no TLS is not an error
	}
	if t.Cert == "" {
		return nil, fmt.Errorf("stream: %s: a listener with TLS needs a certificate of its own; give cert and key", what)
	}
	cfg := &tls.Config{MinVersion: tls.VersionTLS12}
	var err error
	if cfg.Certificates, err = t.pair(what); err != nil {
		return nil, err
	}
	if cfg.ClientCAs, err = t.authorities(what); err != nil {
		return nil, err
	}
	if cfg.ClientCAs != nil {
		cfg.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return cfg, nil
}

func (t TLS) authorities(what string) (*x509.CertPool, error) {
	if t.CA == "" {
		return nil, nil //nolint:nilnil // the system's authorities
	}
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, fmt.Errorf("stream: %s.ca: %w", what, err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("stream: %s.ca: %s holds no certificate; give the authority's certificate as PEM", what, t.CA)
	}
	return pool, nil
}

func (t TLS) pair(what string) ([]tls.Certificate, error) {
	if t.Cert == "" && t.Key == "" {
		return nil, nil
	}
	if t.Cert == "" || t.Key == "" {
		return nil, fmt.Errorf("stream: %s: cert and key go together; give both or none", what)
	}
	pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fmt.Errorf("stream: %s: certificate %s with key %s: %w; give a PEM certificate and the key it was made for", what, t.Cert, t.Key, err)
	}
	return []tls.Certificate{pair}, nil
}

// credentials prove who we are: a NATS credentials file's JWT and seed, or a
// name with a password.
type credentials struct {
	file           string // of a JWT and seed; empty for a name and password
	name, password string
}

// readCredentials reads a NATS credentials file, or a file whose one line is
// NAME:PASSWORD. what is the setting that names the file.
func readCredentials(what, file string) (credentials, error) {
	data, err := readSecret(what, file)
	if err != nil {
		return credentials{}, err
	}
	c, err := parseCredentials(file, data)
	if err != nil {
		return credentials{}, fmt.Errorf("stream: %s: %w", what, err)
	}
	return c, nil
}

func parseCredentials(file string, data []byte) (credentials, error) {
	if bytes.Contains(data, []byte(jwtMark)) {
		if _, err := nkeysOf(data); err != nil {
			return credentials{}, fmt.Errorf("%s: %w; make it again, for example with: nsc generate creds", file, err)
		}
		return credentials{file: file}, nil
	}
	var found credentials
	err := eachLine(file, data, func(line string) error {
		if found.name != "" {
			return errors.New("a second name; one line of NAME:PASSWORD was expected")
		}
		name, password, ok := strings.Cut(line, ":")
		if !ok || name == "" || password == "" {
			return errors.New("neither a NATS credentials file nor NAME:PASSWORD; write one of them")
		}
		found = credentials{name: name, password: password}
		return nil
	})
	if err != nil {
		return credentials{}, err
	}
	if found.name == "" {
		return credentials{}, fmt.Errorf("%s: empty; write NAME:PASSWORD, or a NATS credentials file", file)
	}
	return found, nil
}

// option is the option of a NATS connection.
func (c credentials) option() nats.Option {
	if c.file != "" {
		return nats.UserCredentials(c.file)
	}
	return nats.UserInfo(c.name, c.password)
}

// readSecret reads a file that only its owner should be able to read.
func readSecret(what, file string) ([]byte, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("stream: %s: %w", what, err)
	}
	if info.Size() > maxSecretFile {
		return nil, fmt.Errorf("stream: %s: %s has %d bytes; at most %d were expected", what, file, info.Size(), maxSecretFile)
	}
	data, err := os.ReadFile(file) //nolint:gosec // the path comes from the configuration
	if err != nil {
		return nil, fmt.Errorf("stream: %s: %w", what, err)
	}
	return data, nil
}

// account is one line of the users file.
type account struct{ name, hash string }

// parseUsers reads lines of NAME:BCRYPT. Empty lines and lines that begin
// with # are passed over.
func parseUsers(file string, data []byte) ([]account, error) {
	var out []account
	seen := make(map[string]bool)
	err := eachLine(file, data, func(line string) error {
		name, hash, ok := strings.Cut(line, ":")
		if !ok {
			return errors.New("no colon; write NAME:BCRYPT")
		}
		if err := checkName("user", name); err != nil {
			return errors.New(strings.TrimPrefix(err.Error(), "stream: "))
		}
		if seen[name] {
			return fmt.Errorf("user %q stands here twice; leave one line", name)
		}
		seen[name] = true
		if _, err := bcrypt.Cost([]byte(hash)); err != nil {
			return fmt.Errorf("the password of %q is not a bcrypt hash; make one, for example with: htpasswd -nB %s", name, name)
		}
		out = append(out, account{name, hash})
		return nil
	})
	if err != nil {
		return nil, err
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: names nobody; write lines of NAME:BCRYPT", file)
	}
	return out, nil
}

// eachLine calls fn for every line that says something, and gives its errors
// the file and line.
func eachLine(file string, data []byte, fn func(line string) error) error {
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, maxSecretFile)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if err := fn(line); err != nil {
			return fmt.Errorf("%s:%d: %w", file, n, err)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// options are those of the connection to an external server.
func (c Config) options() ([]nats.Option, error) {
	opts := []nats.Option{nats.Name("gridwarden " + c.Source), nats.MaxReconnects(-1)}
	if c.TLS != (TLS{}) || strings.Contains(c.URL, "tls://") {
		cfg, err := c.TLS.clientConfig("stream.tls")
		if err != nil {
			return nil, err
		}
		opts = append(opts, nats.Secure(cfg))
	}
	if c.Credentials != "" {
		creds, err := readCredentials("stream.credentials", c.Credentials)
		if err != nil {
			return nil, err
		}
		opts = append(opts, creds.option())
	}
	return append(opts, c.Options...), nil
}

// nkeysOf checks the seed of a credentials file.
func nkeysOf(data []byte) (public string, err error) {
	if _, err := nkeys.ParseDecoratedJWT(data); err != nil {
		return "", fmt.Errorf("the JWT: %w", err)
	}
	pair, err := nkeys.ParseDecoratedNKey(data)
	if err != nil {
		return "", fmt.Errorf("the seed: %w", err)
	}
	defer pair.Wipe()
	if public, err = pair.PublicKey(); err != nil {
		return "", fmt.Errorf("the seed: %w", err)
	}
	return public, nil
}
