package detect

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// pseudonyms gives subjects the names under which detectors see them, and
// takes them back.
type pseudonyms struct {
	key  []byte
	real map[string]string // pseudonym → id
}

func newPseudonyms(key []byte) *pseudonyms {
	return &pseudonyms{key: key, real: make(map[string]string)}
}

// of returns the pseudonym of an id: 80 bits of HMAC-SHA256, so that without
// the key nobody can tell whose it is by trying ids.
func (p *pseudonyms) of(kind sdk.SubjectKind, id string) string {
	mac := hmac.New(sha256.New, p.key)
	mac.Write([]byte(kind))
	mac.Write([]byte{0})
	mac.Write([]byte(id))
	name := strings.ToLower(base32.StdEncoding.EncodeToString(mac.Sum(nil)[:10]))
	if kind == sdk.Transformer {
		name = "t-" + name
	} else {
		name = "u-" + name
	}
	p.real[name] = id
	return name
}

// id returns the real id behind a pseudonym, "" for none.
func (p *pseudonyms) id(pseudonym string) string { return p.real[pseudonym] }
