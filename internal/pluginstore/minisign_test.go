package pluginstore

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func newKey(t testing.TB) *SecretKey {
	t.Helper()
	k, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func signed(t testing.TB, k *SecretKey, data string) []byte {
	t.Helper()
	s, err := k.Sign("manifest.json", []byte(data), time.Unix(1_700_000_000, 0))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// minisign runs Debian's program in a folder.
func minisign(t testing.TB, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("minisign", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("minisign %v: %v\n%s\nwhere it is missing, run: make peers", args, err, out)
	}
}

func TestWhatMinisignSignsIsAccepted(t *testing.T) {
	dir := t.TempDir()
	minisign(t, dir, "-G", "-W", "-p", "k.pub", "-s", "k.key")
	key, err := ReadKey(filepath.Join(dir, "k.pub"))
	if err != nil {
		t.Fatal(err)
	}
	data := strings.Repeat("a manifest\n", 1000)
	write(t, filepath.Join(dir, "manifest.json"), data, 0o600)
	for name, args := range map[string][]string{
		"hashed": {"-S"}, "legacy": {"-S", "-l"}, "with comments": {"-S", "-c", "who knows", "-t", "night owl 1.2.0, für alle"},
	} {
		t.Run(name, func(t *testing.T) {
			minisign(t, dir, append(args, "-s", "k.key", "-m", "manifest.json", "-x", "m.minisig")...)
			text, err := os.ReadFile(filepath.Join(dir, "m.minisig"))
			if err != nil {
				t.Fatal(err)
			}
			s, err := ParseSignature(text)
			if err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			if by, err := s.Verify([]byte(data), []*PublicKey{newKey(t).Public(), key}); err != nil || by.ID != key.ID {
				t.Fatal(by, err)
			}
			if _, err := s.Verify([]byte(data+"!"), []*PublicKey{key}); !errors.Is(err, ErrSignature) {
				t.Errorf("other data: %v", err)
			}
			if s.hashed == (name == "legacy") {
				t.Errorf("hashed %v", s.hashed)
			}
			if name == "with comments" && s.Trusted != "night owl 1.2.0, für alle" {
				t.Errorf("comment %q", s.Trusted)
			}
		})
	}
	// Its secret key is ours as well, and says the same of itself.
	secret, err := ReadSecretKey(filepath.Join(dir, "k.key"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "k.pub"))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(secret.Public().Text()); got != string(text) {
		t.Errorf("the public key is\n%s\nminisign's\n%s", got, text)
	}
}

func TestWhatWeSignMinisignAccepts(t *testing.T) {
	dir := t.TempDir()
	k := newKey(t)
	write(t, filepath.Join(dir, "k.pub"), string(k.Public().Text()), 0o600)
	write(t, filepath.Join(dir, "k.key"), string(k.Text()), 0o600)
	write(t, filepath.Join(dir, "manifest.json"), "{}", 0o600)
	write(t, filepath.Join(dir, "manifest.json.minisig"), string(signed(t, k, "{}")), 0o600)
	minisign(t, dir, "-V", "-p", "k.pub", "-m", "manifest.json")
	// The secret key that we make is one that minisign signs with.
	minisign(t, dir, "-S", "-s", "k.key", "-m", "manifest.json", "-x", "theirs")
	minisign(t, dir, "-V", "-p", "k.pub", "-m", "manifest.json", "-x", "theirs")
}

func TestSignaturesThatAreRefused(t *testing.T) {
	k, other := newKey(t), newKey(t)
	impostor := newKey(t)
	impostor.ID = k.ID
	good := string(signed(t, k, "data"))
	lines := strings.Split(good, "\n")
	swap := func(at int, line string) string {
		changed := append([]string(nil), lines...)
		changed[at] = line
		return strings.Join(changed, "\n")
	}
	for name, c := range map[string]struct {
		text string
		keys []*PublicKey
		want string
	}{
		"no keys":                  {good, nil, "names no key"},
		"another key":              {good, []*PublicKey{other.Public()}, "signed by " + k.ID.String()},
		"another key, same id":     {good, []*PublicKey{impostor.Public()}, "not over this file"},
		"signed by an impostor":    {string(signed(t, impostor, "data")), []*PublicKey{k.Public()}, "not over this file"},
		"other comment":            {swap(2, lines[2]+"!"), []*PublicKey{k.Public()}, "not over this file"},
		"signature of other data":  {string(signed(t, k, "dat")), []*PublicKey{k.Public()}, "not over this file"},
		"pure in place of hashed":  {strings.Replace(good, "\nRU", "\nRW", 1), []*PublicKey{k.Public()}, "not over this file"},
		"no global signature":      {strings.Join(lines[:3], "\n"), nil, "3 lines in place of 4"},
		"no untrusted comment":     {swap(0, "hello"), nil, "line 1 does not begin"},
		"no trusted comment":       {swap(2, "hello"), nil, "line 3: does not begin"},
		"control character":        {swap(2, trustedComment+"\x1b[2J"), nil, "control character"},
		"not Base64":               {swap(1, "!"), nil, "line 2: no signature of minisign: it is not Base64"},
		"short":                    {swap(3, "AAAA"), nil, "line 4: no signature of the trusted comment: it has 3 bytes in place of 64"},
		"unknown kind":             {strings.Replace(good, "\nRU", "\nAA", 1), nil, "of the kind"},
		"a comment without end":    {swap(2, trustedComment+strings.Repeat("a", 9000)), nil, "at most"},
		"a file without end":       {strings.Repeat("a", 20000), nil, "at most"},
		"nothing":                  {"", nil, "1 lines in place of 4"},
		"a key in its place":       {string(k.Public().Text()), nil, "2 lines in place of 4"},
		"the secret key, as it is": {string(k.Text()), nil, "2 lines in place of 4"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := ParseSignature([]byte(c.text))
			if err == nil {
				_, err = s.Verify([]byte("data"), c.keys)
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v; want %q", err, c.want)
			}
		})
	}
}

func TestSecretKeysThatAreRefused(t *testing.T) {
	text := string(newKey(t).Text())
	for name, c := range map[string][2]string{
		"with a password": {strings.Replace(text, "RWQAAEIy", "RWRTY0Iy", 1), "sign with minisign itself"},
		"damaged":         {text[:len(text)-8] + "AAAAAAA=\n"[1:], "line 2"},
		"a public key":    {string(newKey(t).Public().Text()), "42 bytes in place of 158"},
	} {
		if _, err := ParseSecretKey([]byte(c[0])); err == nil || !strings.Contains(err.Error(), c[1]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Changing any byte of what is signed, or of what is decoded of the signature,
// must be seen.
func TestAnyChangeIsSeen(t *testing.T) {
	k := newKey(t)
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOfN(rapid.Byte(), 1, 100).Draw(t, "data")
		text, err := k.Sign("m", data, time.Unix(rapid.Int64Range(0, 1<<40).Draw(t, "time"), 0))
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseSignature(text)
		if err != nil {
			t.Fatal(err)
		}
		keys := []*PublicKey{k.Public()}
		if _, err := s.Verify(data, keys); err != nil || !bytes.Equal(s.text(), text) {
			t.Fatalf("%v\n%s\n%s", err, s.text(), text)
		}
		bit := byte(1) << rapid.IntRange(0, 7).Draw(t, "bit")
		switch rapid.IntRange(0, 3).Draw(t, "where") {
		case 0:
			data[rapid.IntRange(0, len(data)-1).Draw(t, "byte")] ^= bit
		case 1:
			s.over[rapid.IntRange(0, 63).Draw(t, "byte")] ^= bit
		case 2:
			s.global[rapid.IntRange(0, 63).Draw(t, "byte")] ^= bit
		case 3:
			s.hashed = false
		}
		if _, err := s.Verify(data, keys); !errors.Is(err, ErrSignature) {
			t.Fatalf("accepted, %v", err)
		}
	})
}

func FuzzSignature(f *testing.F) {
	k := newKey(f)
	f.Add(signed(f, k, "data"))
	f.Add(k.Public().Text())
	f.Add([]byte("untrusted comment: \nRUQ=\ntrusted comment: \n\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := ParseSignature(data)
		if err != nil {
			return
		}
		again, err := ParseSignature(s.text())
		if err != nil || *again != *s {
			t.Fatalf("%+v became %+v, %v", s, again, err)
		}
		if _, err := s.Verify([]byte("something that nobody signed"), []*PublicKey{k.Public()}); err == nil {
			t.Fatal("a forgery")
		}
	})
}

func FuzzKey(f *testing.F) {
	k := newKey(f)
	f.Add(k.Public().Text())
	f.Add(k.Text())
	f.Add([]byte("untrusted comment: x\r\nRWQ=\r\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if p, err := ParseKey(data); err == nil {
			if again, err := ParseKey(p.Text()); err != nil || again.ID != p.ID || !again.key.Equal(p.key) {
				t.Fatalf("%+v became %+v, %v", p, again, err)
			}
		}
		if s, err := ParseSecretKey(data); err == nil {
			if again, err := ParseSecretKey(s.Text()); err != nil || again.ID != s.ID || !again.key.Equal(s.key) {
				t.Fatalf("a secret key changed: %v", err)
			}
		}
	})
}
