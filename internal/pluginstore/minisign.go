package pluginstore

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/blake2b"
)

// Bounds on the small files of minisign. Its own comments reach 1 and 8 KiB.
const (
	maxKeyBytes       = 4 << 10
	maxSignatureBytes = 16 << 10
	maxComment        = 8 << 10
)

// Marks of minisign's format (https://jedisct1.github.io/minisign).
const (
	algorithmPure    = "Ed" // the file itself is signed
	algorithmHashed  = "ED" // its BLAKE2b-512 is
	untrustedComment = "untrusted comment: "
	trustedComment   = "trusted comment: "
)

// ErrSignature says that a signature is missing or not by a key that is trusted.
var ErrSignature = errors.New("not signed by a trusted key")

// KeyID tells keys apart. It proves nothing: only the signature does.
type KeyID [8]byte

// String writes the id as minisign does.
func (id KeyID) String() string { return fmt.Sprintf("%016X", binary.LittleEndian.Uint64(id[:])) }

// PublicKey is a key that may sign plugins.
type PublicKey struct {
	ID  KeyID
	key ed25519.PublicKey
}

// Signature is a detached signature.
type Signature struct {
	ID      KeyID
	Trusted string // comment that is signed too

	hashed bool
	over   [ed25519.SignatureSize]byte // over the file
	global [ed25519.SignatureSize]byte // over that and the trusted comment
}

// ReadKey reads a file of a public key, such as `minisign -G` writes.
func ReadKey(path string) (*PublicKey, error) {
	data, err := readSmall(path, maxKeyBytes)
	if err != nil {
		return nil, fmt.Errorf("public key: %w; name the .pub file of whoever may sign", err)
	}
	key, err := ParseKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// ParseKey reads a public key.
func ParseKey(data []byte) (*PublicKey, error) {
	lines, err := comments(data, 2)
	if err != nil {
		return nil, fmt.Errorf("no public key of minisign: %w; make one with: gridwarden plugins keygen", err)
	}
	raw, err := decode(lines[1], 2+8+ed25519.PublicKeySize)
	if err != nil {
		return nil, fmt.Errorf("line 2: no public key of minisign: %w; take the file that ends in .pub", err)
	}
	if string(raw[:2]) != algorithmPure {
		return nil, fmt.Errorf("line 2: a key of the kind %q; only Ed25519 keys are known", raw[:2])
	}
	key := &PublicKey{key: bytes.Clone(raw[10:])}
	copy(key.ID[:], raw[2:])
	return key, nil
}

// Text writes the key as minisign does.
func (k *PublicKey) Text() []byte {
	raw := append([]byte(algorithmPure), k.ID[:]...)
	raw = append(raw, k.key...)
	return fmt.Appendf(nil, "%sminisign public key %s\n%s\n", untrustedComment, k.ID, base64.StdEncoding.EncodeToString(raw))
}

// ParseSignature reads a signature file.
func ParseSignature(data []byte) (*Signature, error) {
	if len(data) > maxSignatureBytes {
		return nil, fmt.Errorf("a signature of %d bytes; at most %d are read", len(data), maxSignatureBytes)
	}
	lines, err := comments(data, 4)
	if err != nil {
		return nil, fmt.Errorf("no signature of minisign: %w", err)
	}
	raw, err := decode(lines[1], 2+8+ed25519.SignatureSize)
	if err != nil {
		return nil, fmt.Errorf("line 2: no signature of minisign: %w", err)
	}
	s := &Signature{}
	switch string(raw[:2]) {
	case algorithmPure:
	case algorithmHashed:
		s.hashed = true
	default:
		return nil, fmt.Errorf("line 2: a signature of the kind %q; %q and %q are known", raw[:2], algorithmPure, algorithmHashed)
	}
	copy(s.ID[:], raw[2:])
	copy(s.over[:], raw[10:])
	comment, ok := strings.CutPrefix(lines[2], trustedComment)
	if !ok {
		return nil, fmt.Errorf("line 3: does not begin with %q", trustedComment)
	}
	if err := checkComment(comment); err != nil {
		return nil, fmt.Errorf("line 3: %w", err)
	}
	s.Trusted = comment
	if raw, err = decode(lines[3], ed25519.SignatureSize); err != nil {
		return nil, fmt.Errorf("line 4: no signature of the trusted comment: %w", err)
	}
	copy(s.global[:], raw)
	return s, nil
}

// Verify finds the key that made the signature over the data. The error is an
// ErrSignature that says why there is none.
func (s *Signature) Verify(data []byte, keys []*PublicKey) (*PublicKey, error) {
	if len(keys) == 0 {
		return nil, fmt.Errorf("%w: the configuration names no key; list those of the people who may sign in plugins.keys", ErrSignature)
	}
	known := false
	for _, k := range keys {
		if k.ID != s.ID {
			continue
		}
		known = true
		if ed25519.Verify(k.key, digest(data, s.hashed), s.over[:]) && ed25519.Verify(k.key, s.commented(), s.global[:]) {
			return k, nil
		}
	}
	if known {
		return nil, fmt.Errorf("%w: the signature by %s is not over this file; it was changed after it was signed, or the signature was", ErrSignature, s.ID)
	}
	return nil, fmt.Errorf("%w: it is signed by %s, which is none of plugins.keys; add that key's file if you trust whoever holds it", ErrSignature, s.ID)
}

// commented is what the global signature is over.
func (s *Signature) commented() []byte { return append(bytes.Clone(s.over[:]), s.Trusted...) }

// digest is what is signed for a file.
func digest(data []byte, hashed bool) []byte {
	if !hashed {
		return data
	}
	sum := blake2b.Sum512(data)
	return sum[:]
}

// comments splits a file into that many lines, the first an untrusted comment.
func comments(data []byte, n int) ([]string, error) {
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	if len(lines) != n {
		return nil, fmt.Errorf("it has %d lines in place of %d", len(lines), n)
	}
	if !strings.HasPrefix(lines[0], untrustedComment) {
		return nil, fmt.Errorf("line 1 does not begin with %q", untrustedComment)
	}
	return lines, nil
}

func decode(line string, size int) ([]byte, error) {
	raw, err := base64.StdEncoding.Strict().DecodeString(line)
	if err != nil {
		return nil, errors.New("it is not Base64")
	}
	if len(raw) != size {
		return nil, fmt.Errorf("it has %d bytes in place of %d", len(raw), size)
	}
	return raw, nil
}

// checkComment keeps out what a terminal or a log could be led astray by.
func checkComment(comment string) error {
	if len(comment) > maxComment {
		return fmt.Errorf("a comment of %d bytes; at most %d are taken", len(comment), maxComment)
	}
	if !utf8.ValidString(comment) {
		return errors.New("the comment is not UTF-8")
	}
	if at := strings.IndexFunc(comment, func(r rune) bool { return r != '\t' && !unicode.IsPrint(r) }); at >= 0 {
		return fmt.Errorf("the comment holds a control character at byte %d", at+1)
	}
	return nil
}

// readSmall reads a file that must be regular and small.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // read only
	return readAll(f, path, limit)
}

func readAll(f *os.File, path string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	if int64(len(data)) > limit {
		return nil, fmt.Errorf("%s has more than %d bytes; so large it is not read", path, limit)
	}
	return data, nil
}
