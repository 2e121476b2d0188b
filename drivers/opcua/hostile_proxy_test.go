package opcua

import (
	"bufio"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// hostile stands between the driver and a server and breaks what the server
// says, chunk by chunk, in ways drawn from a fixed seed. While it is peaceful
// it forwards.
type hostile struct {
	addr, upstream string
	signed         bool // the traffic is signed: any bit of it may be flipped
	peaceful       atomic.Bool
	attacks        [len(attackNames)]atomic.Int64
	work           sync.WaitGroup

	// One attack alone, at one chunk, where it is not pass.
	only    attack
	at      int64
	counted atomic.Int64

	mu    sync.Mutex
	rng   *rand.Rand
	conns map[net.Conn]bool
	ended bool
}

// attack is what happens to a chunk of the server's.
type attack int

const (
	pass attack = iota
	drip
	truncate
	truncateAndHang
	wrongSequence
	wrongRequest
	wrongChannel
	wrongToken
	wrongHandle
	oversize
	undersize
	unknownType
	repeatChunk
	endlessChunks
	reset
	silence
	errorMessage
	poison
	openToClient
	randomBytes
	flip
	noAcknowledge
)

var attackNames = [...]string{
	"pass", "drip", "truncate", "truncate and hang", "wrong sequence number", "wrong request id", "wrong channel", "wrong token", "wrong request handle",
	"oversize", "undersize", "unknown type", "repeated chunk", "endless chunks", "reset", "silence", "error message", "poisoned values",
	"request to the client", "random bytes", "flipped bit", "no acknowledge",
}

func newHostile(t testing.TB, upstream string, seed uint64, signed bool) *hostile {
	t.Helper()
	h := &hostile{upstream: upstream, signed: signed, rng: rand.New(rand.NewPCG(seed, 1)), conns: make(map[net.Conn]bool)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = l.Addr().String()
	h.work.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h.work.Go(func() { h.serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		h.mu.Lock()
		h.ended = true
		for c := range h.conns {
			_ = c.Close()
		}
		h.mu.Unlock()
		h.work.Wait()
	})
	return h
}

// draw picks what happens to the next chunk: mostly nothing, so that the
// driver gets somewhere.
func (h *hostile) draw(first bool) (attack, uint64) {
	if h.only != pass {
		if h.counted.Add(1) != h.at {
			return pass, 0
		}
		h.attacks[h.only].Add(1)
		return h.only, uint64(h.at) * 0x9e3779b97f4a7c15
	}
	if h.peaceful.Load() {
		return pass, 0
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	a := pass
	switch {
	case first && h.rng.IntN(6) == 0:
		a = noAcknowledge
	case h.rng.IntN(12) == 0:
		a = attack(1 + h.rng.IntN(len(attackNames)-2))
		if a == flip && !h.signed {
			a = randomBytes
		}
		if h.signed && a == poison {
			a = flip
		}
	}
	h.attacks[a].Add(1)
	return a, h.rng.Uint64()
}

func (h *hostile) track(c net.Conn, on bool) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if on && h.ended {
		return false
	}
	if on {
		h.conns[c] = true
	} else {
		delete(h.conns, c)
	}
	return true
}

func (h *hostile) serve(client net.Conn) {
	defer client.Close()
	server, err := net.DialTimeout("tcp", h.upstream, time.Second)
	if err != nil {
		return
	}
	defer server.Close()
	if !h.track(client, true) || !h.track(server, true) {
		return
	}
	defer h.track(client, false)
	defer h.track(server, false)
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, client)
		_ = server.Close()
	})
	h.down(client, server)
	_ = client.Close()
	up.Wait()
}

// down forwards the server's chunks, or what becomes of them.
func (h *hostile) down(client, server net.Conn) {
	r := bufio.NewReader(server)
	for first := true; ; first = false {
		head := make([]byte, 8)
		if _, err := io.ReadFull(r, head); err != nil {
			return
		}
		size := binary.LittleEndian.Uint32(head[4:])
		if size < 8 || size > 1<<20 {
			return
		}
		chunk := append(head, make([]byte, size-8)...)
		if _, err := io.ReadFull(r, chunk[8:]); err != nil {
			return
		}
		a, n := h.draw(first)
		if !h.mangle(client, a, n, chunk) {
			return
		}
	}
}

// mangle sends what an attack makes of a chunk. It returns false where the
// connection is to end.
func (h *hostile) mangle(client net.Conn, a attack, n uint64, chunk []byte) bool {
	message := string(chunk[:3]) == "MSG" && len(chunk) > 44
	pick := int(n % uint64(len(chunk)))
	end := false
	switch a {
	case drip:
		for i := range min(len(chunk), 60) {
			if _, err := client.Write(chunk[i : i+1]); err != nil {
				return false
			}
			time.Sleep(time.Millisecond)
		}
		chunk = chunk[min(len(chunk), 60):]
	case truncate:
		chunk, end = chunk[:pick], true
	case truncateAndHang:
		_, _ = client.Write(chunk[:pick])
		return h.hang(client)
	case wrongSequence:
		if message {
			chunk[16] += byte(1 + n%200)
		}
	case wrongRequest:
		if message {
			chunk[20] += byte(1 + n%3)
		}
	case wrongChannel:
		chunk[8] ^= byte(1 + n%255)
	case wrongToken:
		if message {
			chunk[12] ^= byte(1 + n%255)
		}
	case wrongHandle:
		if message {
			chunk[36] ^= byte(1 + n%255)
		}
	case oversize:
		binary.LittleEndian.PutUint32(chunk[4:], uint32(0x10000+n%0xeffffff))
	case undersize:
		binary.LittleEndian.PutUint32(chunk[4:], uint32(n%16))
	case unknownType:
		copy(chunk, []string{"XXX", "HEL", "RHE", "msg"}[n%4])
	case repeatChunk:
		_, _ = client.Write(chunk)
	case endlessChunks:
		if message {
			chunk[3] = 'C'
			for range 2000 {
				if _, err := client.Write(chunk); err != nil {
					return false
				}
				binary.LittleEndian.PutUint32(chunk[16:], binary.LittleEndian.Uint32(chunk[16:])+1)
			}
		}
	case reset:
		_ = client.(*net.TCPConn).SetLinger(0)
		return false
	case silence, noAcknowledge:
		return h.hang(client)
	case errorMessage:
		chunk, end = []byte("ERRF\x14\x00\x00\x00\x00\x00\x82\x80\x04\x00\x00\x00gone"), true
	case poison:
		if message {
			chunk = poisoned(chunk, n)
		}
	case openToClient:
		if message {
			binary.LittleEndian.PutUint16(chunk[26:], id.OpenSecureChannelRequest_Encoding_DefaultBinary)
		}
	case randomBytes:
		chunk, end = chunk[:8], n%2 == 0
		for range 64 {
			n = n*6364136223846793005 + 1442695040888963407
			chunk = append(chunk, byte(n>>56))
		}
	case flip:
		chunk[pick] ^= 1 << (n >> 60 % 8)
	}
	_, err := client.Write(chunk)
	return err == nil && !end
}

// hang keeps the connection open and silent until the driver gives it up.
func (h *hostile) hang(client net.Conn) bool {
	buf := make([]byte, 4096)
	for !h.peaceful.Load() {
		_ = client.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := client.Read(buf); err != nil && !isTimeout(err) {
			break
		}
	}
	return false
}

func isTimeout(err error) bool {
	ne, ok := err.(net.Error) //nolint:errorlint // straight from the connection
	return ok && ne.Timeout()
}

// poisoned answers a read with one of the values that break decoders, under
// the right numbers.
func poisoned(chunk []byte, n uint64) []byte {
	bodies := [][]byte{
		{0x8b, 0xfe, 0xff, 0xff, 0xff},                            // an array of -2
		{0xcb, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0x7f},                // dimensions without end
		{0xcb, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0x40, 4, 0, 0, 0}, // whose product is 0
		{0x0c, 0xff, 0xff, 0xff, 0x7f},                            // a text of 2 GiB
		{0x3f},                                                    // a type that is none
	}
	nested := make([]byte, 30000)
	for i := range nested {
		nested[i] = 0x18
	}
	bodies = append(bodies, nested)
	header, err := ua.Encode(&ua.ResponseHeader{
		Timestamp: time.Now(), RequestHandle: binary.LittleEndian.Uint32(chunk[36:]), ServiceDiagnostics: &ua.DiagnosticInfo{}, AdditionalHeader: ua.NewExtensionObject(nil),
	})
	if err != nil {
		return chunk
	}
	out := append([]byte{}, chunk[:24]...)
	out = append(out, 1, 0)
	out = binary.LittleEndian.AppendUint16(out, id.ReadResponse_Encoding_DefaultBinary)
	out = append(out, header...)
	out = append(out, 4, 0, 0, 0) // as many values as were asked for
	for range 4 {
		out = append(append(out, 1), bodies[n%uint64(len(bodies))]...)
	}
	out = append(out, 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(out[4:], uint32(len(out)))
	return out
}
