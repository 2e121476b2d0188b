package opcua

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/gopcua/opcua/ua"
)

// middle is somebody between the driver and a server, who keeps what the
// driver says and changes what the server says, frame by frame.
type middle struct {
	addr   string
	change func(frame []byte) []byte

	mu   sync.Mutex
	sent bytes.Buffer
}

func newMiddle(t testing.TB, upstream string, change func([]byte) []byte) *middle {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m := &middle{addr: l.Addr().String(), change: change}
	var work sync.WaitGroup
	t.Cleanup(func() {
		_ = l.Close()
		work.Wait()
	})
	work.Go(func() {
		for {
			down, err := l.Accept()
			if err != nil {
				return
			}
			up, err := net.Dial("tcp", upstream)
			if err != nil {
				_ = down.Close()
				continue
			}
			work.Go(func() {
				defer up.Close()
				_, _ = io.Copy(up, io.TeeReader(down, m))
			})
			work.Go(func() {
				defer down.Close()
				head := make([]byte, 8)
				for {
					if _, err := io.ReadFull(up, head); err != nil {
						return
					}
					frame := make([]byte, max(8, binary.LittleEndian.Uint32(head[4:])))
					copy(frame, head)
					if _, err := io.ReadFull(up, frame[8:]); err != nil {
						return
					}
					if _, err := down.Write(m.change(frame)); err != nil {
						return
					}
				}
			})
		}
	})
	return m
}

// Write keeps what the driver sent.
func (m *middle) Write(b []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sent.Write(b)
}

func (m *middle) heard(text string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Contains(m.sent.Bytes(), []byte(text))
}

// TestDowngrade hides endpoints from the list that comes without protection.
func TestDowngrade(t *testing.T) {
	t.Parallel()
	key := rsaKey(t, 2048, 0)
	cert := made{name: "plc", key: key}.make(t)
	server := pemPair(t, cert, key)
	server.Policies, server.Modes = append([]string{"None"}, policies()...), []string{"None", "Sign", "SignAndEncrypt"}
	server.Whole = true // it reports that it was reached under another address
	at := secureServers(t, []secureServer{server})[0]
	hide := func(names ...string) func([]byte) []byte {
		return func(frame []byte) []byte {
			for _, name := range names {
				frame = bytes.ReplaceAll(frame, []byte("#"+name), []byte("#"+strings.Repeat("x", len(name))))
			}
			return frame
		}
	}
	options := map[string]string{optPin: Fingerprint(cert.Raw), optUser: "reader", optPassword: "let me read"}
	for name, c := range map[string]struct {
		change func([]byte) []byte
		mode   string
		want   string
	}{
		"nothing changed":   {hide(), "sign_and_encrypt", ""},
		"nothing encrypted": {hide(), "sign", ""},
		"the best hidden":   {hide("Aes256_Sha256_RsaPss"), "sign_and_encrypt", "Aes256_Sha256_RsaPss was hidden, and Basic256Sha256 was offered"},
		"all hidden":        {hide(policies()...), "sign_and_encrypt", "offers no endpoint with any of the policies that are still safe"},
	} {
		m := newMiddle(t, at, c.change)
		options[optSecurityMode] = c.mode
		err := reads(t, m.addr, options, Options{})
		if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
		if name == "the best hidden" && !errors.Is(err, errDowngrade) {
			t.Errorf("%s: %v", name, err)
		}
		if m.heard("let me read") || c.want != "" && m.heard("reader") {
			t.Errorf("%s: the password, or the user where none should have logged in, was on the wire", name)
		}
		if !m.heard(ua.SecurityPolicyURINone) { // the question for endpoints
			t.Errorf("%s: nothing was heard at all", name)
		}
	}
}
