package access

import (
	"crypto/rand"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Bounds on a password, in characters and bytes.
const (
	MinPassword      = 12
	maxPasswordBytes = 256
	minDistinct      = 6
)

// commonPasswords are parts that attackers try first; a password that is such
// a part with a few characters around it is refused.
var commonPasswords = [...]string{
	"password", "passwort", "123456", "qwerty", "letmein", "welcome", "admin", "iloveyou", "gridwarden", "changeme",
}

// checkPassword applies the policy: long rather than complicated (NIST SP
// 800-63B), not the login, not a word that is tried first.
func checkPassword(login, password string) error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("password: %w: "+format, append([]any{ErrInvalid}, args...)...)
	}
	if !utf8.ValidString(password) {
		return refuse("it is not UTF-8 text; type it anew")
	}
	normal := norm.NFC.String(password)
	length := utf8.RuneCountInString(normal)
	switch {
	case length < MinPassword:
		return refuse("it has %d characters; use at least %d, several words do well", length, MinPassword)
	case len(normal) > maxPasswordBytes:
		return refuse("it has %d bytes; use at most %d", len(normal), maxPasswordBytes)
	}
	distinct := map[rune]bool{}
	for _, r := range normal {
		distinct[r] = true
	}
	if len(distinct) < minDistinct {
		return refuse("it repeats %d characters; use at least %d different ones", len(distinct), minDistinct)
	}
	lower := strings.ToLower(normal)
	if len(login) >= 4 && strings.Contains(lower, login) {
		return refuse("it contains the login name; use something else")
	}
	for _, common := range commonPasswords {
		if strings.Contains(lower, common) && length-len(common) < MinPassword-4 {
			return refuse("it is built around %q, which is tried first; use several unrelated words", common)
		}
	}
	return nil
}

// passwordAlphabet leaves out what is mistaken for something else when read
// from a screen. Its length divides 256, so that bytes map evenly.
const passwordAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"

// GeneratePassword returns a random password of 100 bits for a first login,
// four groups of five.
func GeneratePassword() string {
	random := make([]byte, 20)
	_, _ = rand.Read(random) // never fails: it ends the program instead
	var b strings.Builder
	for i, r := range random {
		if i > 0 && i%5 == 0 {
			b.WriteByte('-')
		}
		b.WriteByte(passwordAlphabet[int(r)%len(passwordAlphabet)])
	}
	return b.String()
}
