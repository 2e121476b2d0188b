package pluginstore

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/blake2b"
)

// Layout of minisign's secret key: "Ed", how it is locked ("Sc" by a password,
// two zeros not at all), "B2" for the checksum, 32 bytes of salt and two
// limits for the password, then id, key and checksum.
const (
	secretHead   = 2 + 2 + 2 + 32 + 8 + 8
	secretSize   = secretHead + 8 + ed25519.PrivateKeySize + blake2b.Size256
	lockedByWord = "Sc"
)

// SecretKey signs plugins.
type SecretKey struct {
	ID  KeyID
	key ed25519.PrivateKey
}

// NewKey makes a key that no password locks.
func NewKey() (*SecretKey, error) {
	k := &SecretKey{}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	if _, err := rand.Read(k.ID[:]); err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	k.key = key
	return k, nil
}

// ReadSecretKey reads a secret key without a password, such as `minisign -G -W`
// and `gridwarden plugins keygen` write.
func ReadSecretKey(path string) (*SecretKey, error) {
	data, err := readSmall(path, maxKeyBytes)
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	key, err := ParseSecretKey(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return key, nil
}

// ParseSecretKey reads a secret key without a password.
func ParseSecretKey(data []byte) (*SecretKey, error) {
	lines, err := comments(data, 2)
	if err != nil {
		return nil, fmt.Errorf("no secret key of minisign: %w", err)
	}
	raw, err := decode(lines[1], secretSize)
	if err != nil {
		return nil, fmt.Errorf("line 2: no secret key of minisign: %w", err)
	}
	switch kind, lock, sum := string(raw[:2]), raw[2:4], string(raw[4:6]); {
	case kind != algorithmPure || sum != "B2":
		return nil, fmt.Errorf("line 2: a key of the kind %q with the checksum %q; only Ed25519 with BLAKE2b is known", kind, sum)
	case string(lock) == lockedByWord:
		return nil, errors.New("line 2: a password locks this key; sign with minisign itself (minisign -S -s KEY -m DIR/manifest.json), or take a key without one (minisign -G -W)")
	case !bytes.Equal(lock, []byte{0, 0}):
		return nil, fmt.Errorf("line 2: the key is locked in a way %q that is not known", lock)
	}
	k := &SecretKey{key: bytes.Clone(raw[secretHead+8 : secretHead+8+ed25519.PrivateKeySize])}
	copy(k.ID[:], raw[secretHead:])
	// An unlocked key of older versions carries zeros for its checksum.
	found := raw[secretHead+8+ed25519.PrivateKeySize:]
	want := k.checksum()
	if subtle.ConstantTimeCompare(found, want[:]) != 1 && !bytes.Equal(found, make([]byte, blake2b.Size256)) {
		return nil, errors.New("line 2: the key is damaged: its checksum is wrong; take it from a copy")
	}
	if !bytes.Equal(ed25519.NewKeyFromSeed(k.key.Seed()), k.key) {
		return nil, errors.New("line 2: the key is damaged: its two halves do not belong together; take it from a copy")
	}
	return k, nil
}

func (k *SecretKey) checksum() [blake2b.Size256]byte {
	text := append([]byte(algorithmPure), k.ID[:]...)
	return blake2b.Sum256(append(text, k.key...))
}

// Text writes the key as minisign does, without a password.
func (k *SecretKey) Text() []byte {
	raw := make([]byte, secretHead, secretSize)
	copy(raw, algorithmPure)
	copy(raw[4:], "B2")
	sum := k.checksum()
	raw = append(append(append(raw, k.ID[:]...), k.key...), sum[:]...)
	return fmt.Appendf(nil, "%sminisign secret key %s, without a password\n%s\n", untrustedComment, k.ID, base64.StdEncoding.EncodeToString(raw))
}

// Public returns the public half.
func (k *SecretKey) Public() *PublicKey {
	return &PublicKey{ID: k.ID, key: bytes.Clone(k.key[ed25519.SeedSize:])}
}

// Sign signs a file of that name and content, as minisign does.
func (k *SecretKey) Sign(name string, data []byte, now time.Time) ([]byte, error) {
	trusted := fmt.Sprintf("timestamp:%d\tfile:%s\thashed", now.Unix(), name)
	if err := checkComment(trusted); err != nil {
		return nil, fmt.Errorf("signing %q: %w", name, err)
	}
	s := &Signature{ID: k.ID, Trusted: trusted, hashed: true}
	copy(s.over[:], ed25519.Sign(k.key, digest(data, true)))
	copy(s.global[:], ed25519.Sign(k.key, s.commented()))
	return s.text(), nil
}

func (s *Signature) text() []byte {
	kind := algorithmPure
	if s.hashed {
		kind = algorithmHashed
	}
	raw := append([]byte(kind), s.ID[:]...)
	raw = append(raw, s.over[:]...)
	return fmt.Appendf(nil, "%ssignature by %s\n%s\n%s%s\n%s\n", untrustedComment, s.ID, base64.StdEncoding.EncodeToString(raw),
		trustedComment, s.Trusted, base64.StdEncoding.EncodeToString(s.global[:]))
}
