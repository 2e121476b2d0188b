package client

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"
)

// errInsecure is what a chunk is whose protection does not hold.
var errInsecure = errors.New("the security of a message does not hold")

func insecure(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errInsecure, fmt.Sprintf(format, args...))
}

// token is one set of symmetric keys of the channel.
type token struct {
	id    uint32
	algo  *uapolicy.EncryptionAlgorithm
	renew time.Time // when the next one is due
	until time.Time // when the server may forget it
}

// publicKey takes the key out of the first certificate of a chain.
func publicKey(der []byte) (*rsa.PublicKey, []byte, error) {
	list, err := x509.ParseCertificates(der)
	if err != nil || len(list) == 0 {
		return nil, nil, insecure("the server's certificate cannot be read: %v", err)
	}
	key, ok := list[0].PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, nil, insecure("the server's certificate holds a %T; the policies in use need RSA", list[0].PublicKey)
	}
	return key, list[0].Raw, nil
}

// protect pads, signs and encrypts a chunk whose first clear bytes stay
// readable. The chunk's size is put right.
func protect(algo *uapolicy.EncryptionAlgorithm, chunk []byte, clear int, encrypt bool) ([]byte, error) {
	size := len(chunk) + algo.SignatureLength()
	if encrypt {
		block := algo.PlaintextBlockSize()
		marks := 1
		if algo.BlockSize() > 256 {
			marks = 2
		}
		padding := (block - (size-clear+marks)%block) % block
		for range padding + 1 {
			chunk = append(chunk, byte(padding))
		}
		if marks == 2 {
			chunk = append(chunk, byte(padding>>8))
		}
		size = clear + (len(chunk)-clear+algo.SignatureLength())/block*algo.BlockSize()
	}
	binary.LittleEndian.PutUint32(chunk[4:], uint32(size))
	signature, err := algo.Signature(chunk)
	if err != nil {
		return nil, fmt.Errorf("sign a message: %w", err)
	}
	chunk = append(chunk, signature...)
	if !encrypt {
		return chunk, nil
	}
	secret, err := algo.Encrypt(chunk[clear:])
	if err != nil {
		return nil, fmt.Errorf("encrypt a message: %w", err)
	}
	return append(chunk[:clear:clear], secret...), nil
}

// unprotect decrypts and verifies a chunk and returns what follows its clear
// bytes. ownBlock is the size of the key that it was encrypted with.
func unprotect(algo *uapolicy.EncryptionAlgorithm, chunk []byte, clear int, encrypted bool, ownBlock int) (body []byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			body, err = nil, insecure("%v", r)
		}
	}()
	if clear > len(chunk) {
		return nil, malformed("a chunk of %d bytes", len(chunk))
	}
	if encrypted {
		plain, err := algo.Decrypt(chunk[clear:])
		if err != nil {
			return nil, insecure("it cannot be decrypted: %v", err)
		}
		chunk = append(chunk[:clear:clear], plain...)
	}
	end := len(chunk) - algo.RemoteSignatureLength()
	if end < clear {
		return nil, insecure("a chunk of %d bytes has no room for its signature", len(chunk))
	}
	if err := algo.VerifySignature(chunk[:end], chunk[end:]); err != nil {
		return nil, insecure("the signature is wrong: %v", err)
	}
	if encrypted {
		marks := 1
		if ownBlock > 256 {
			marks = 2
		}
		if end-marks < clear {
			return nil, insecure("there is no room for the padding")
		}
		padding := int(chunk[end-marks])
		if marks == 2 {
			padding = int(chunk[end-2]) | int(chunk[end-1])<<8
		}
		if end -= padding + marks; end < clear {
			return nil, insecure("%d bytes of padding are more than there are", padding)
		}
	}
	return chunk[clear:end], nil
}

// securityHeader writes the asymmetric security header (OPC 10000-6, 6.7.2.3).
func securityHeader(b []byte, cfg *Config) []byte {
	put := func(field []byte) {
		if len(field) == 0 {
			b = binary.LittleEndian.AppendUint32(b, 0xffffffff)
			return
		}
		b = append(binary.LittleEndian.AppendUint32(b, uint32(len(field))), field...)
	}
	put([]byte(cfg.PolicyURI))
	if cfg.insecure() {
		put(nil)
		put(nil)
		return b
	}
	put(cfg.Certificate)
	put(uapolicy.Thumbprint(cfg.ServerCertificate))
	return b
}

// openOPN takes the security header off an answer to OpenSecureChannel,
// holds it to what was agreed, and returns what it protects.
func (c *Client) openOPN(chunk []byte) ([]byte, error) {
	d := decoder{b: chunk}
	d.take(12)
	policy, sender, receiver := string(d.bytes()), d.bytes(), d.bytes()
	if d.err != nil {
		return nil, d.err
	}
	clear := len(chunk) - len(d.b)
	if policy != c.cfg.PolicyURI {
		return nil, insecure("the server answers with policy %q instead of %q", policy, c.cfg.PolicyURI)
	}
	if c.cfg.insecure() {
		return chunk[clear:], nil
	}
	_, leaf, err := publicKey(sender)
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(leaf, c.serverLeaf) {
		return nil, insecure("the server answers with another certificate than it showed")
	}
	if !bytes.Equal(receiver, uapolicy.Thumbprint(c.cfg.Certificate)) {
		return nil, insecure("the answer is meant for another client")
	}
	return unprotect(c.asymmetric, chunk, clear, true, c.cfg.Key.Size())
}

// symmetric derives the keys of a token.
func (c *Client) symmetric(own, theirs []byte) (*uapolicy.EncryptionAlgorithm, error) {
	if !c.cfg.insecure() && len(theirs) != c.asymmetric.NonceLength() {
		return nil, insecure("the server's nonce has %d bytes instead of %d", len(theirs), c.asymmetric.NonceLength())
	}
	algo, err := uapolicy.Symmetric(c.cfg.PolicyURI, own, theirs)
	if err != nil {
		return nil, fmt.Errorf("derive keys: %w", err)
	}
	return algo, nil
}

// encrypted tells whether messages are encrypted beside being signed.
func (c *Config) encrypted() bool { return c.Mode == ua.MessageSecurityModeSignAndEncrypt }

func (c *Config) insecure() bool { return c.PolicyURI == ua.SecurityPolicyURINone }
