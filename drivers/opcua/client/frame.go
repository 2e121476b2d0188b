package client

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uacp"
)

// What we take at most (OPC 10000-6, 7.1.2.3). A server that sends more has
// not kept to the limits that the Hello told it.
const (
	chunkSize   = 0xffff
	messageSize = 16 << 20
	chunkCount  = 4096
	headerSize  = 8      // type, chunk mark, size
	leastBuffer = 8192   // that the specification lets a peer have
	errorText   = 1 << 9 // bytes of a server's own words that are kept
)

// frame is one chunk or connection message as it came.
type frame struct {
	kind string // MSG, OPN, CLO, ACK, ERR
	mark byte   // F final, C more to come, A aborted
	data []byte // header included
}

// readFrame reads the next one. The slice is not used again.
func readFrame(r *bufio.Reader) (frame, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return frame{}, fmt.Errorf("the server ended the connection: %w", err)
	}
	f := frame{kind: string(head[:3]), mark: head[3]}
	size := binary.LittleEndian.Uint32(head[4:])
	switch f.kind {
	case "MSG", "OPN", "CLO", "ACK", "ERR":
	default:
		return frame{}, malformed("a message of type %q", head[:3])
	}
	if size < headerSize || size > chunkSize {
		return frame{}, malformed("a chunk of %d bytes; at most %d were agreed", size, chunkSize)
	}
	if f.mark != 'F' && (f.kind != "MSG" || f.mark != 'C' && f.mark != 'A') {
		return frame{}, malformed("a %s chunk marked %q", f.kind, f.mark)
	}
	f.data = make([]byte, size)
	copy(f.data, head[:])
	if _, err := io.ReadFull(r, f.data[headerSize:]); err != nil {
		return frame{}, fmt.Errorf("the server ended the connection within a chunk: %w", err)
	}
	if f.kind == "ERR" {
		d := decoder{b: f.data[headerSize:]}
		code, text := ua.StatusCode(d.uint32()), d.bytes()
		return frame{}, fmt.Errorf("the server refuses the connection: %w %s", code, text[:min(len(text), errorText)])
	}
	return f, nil
}

// hello makes the first message of a connection.
func hello(url string) ([]byte, error) {
	h := &uacp.Hello{ReceiveBufSize: chunkSize, SendBufSize: chunkSize, MaxMessageSize: messageSize, MaxChunkCount: chunkCount, EndpointURL: url}
	body, err := ua.Encode(h)
	if err != nil {
		return nil, fmt.Errorf("encode the Hello: %w", err)
	}
	return append(head("HEL", headerSize+len(body)), body...), nil
}

func head(kind string, size int) []byte {
	b := make([]byte, headerSize, size)
	copy(b, kind)
	b[3] = 'F'
	binary.LittleEndian.PutUint32(b[4:], uint32(size))
	return b
}

// acknowledge reads the server's answer to a Hello and returns how long a
// chunk to it may be.
func acknowledge(r *bufio.Reader) (int, error) {
	f, err := readFrame(r)
	if err != nil {
		return 0, err
	}
	if f.kind != "ACK" {
		return 0, malformed("a %s where an acknowledgement was due", f.kind)
	}
	d := decoder{b: f.data[headerSize:]}
	d.uint32() // version: any that answers version 0 speaks it
	receives := d.uint32()
	d.take(12)
	if d.err != nil {
		return 0, d.err
	}
	if receives < leastBuffer {
		return 0, malformed("a server that takes only %d bytes at once", receives)
	}
	return int(min(receives, chunkSize)), nil
}

// assembly joins the chunks of messages.
type assembly struct {
	parts map[uint32][]byte
	count map[uint32]int
	bytes int
}

var errTooLarge = errors.New("the server sends more than was agreed")

// add takes a chunk's body. It returns the message with its last chunk.
func (a *assembly) add(request uint32, mark byte, body []byte) (message []byte, complete bool, err error) {
	held := a.parts[request]
	if mark == 'F' && held == nil {
		return body, true, nil
	}
	if mark == 'A' {
		a.drop(request)
		return nil, false, nil
	}
	a.bytes += len(body)
	if a.parts == nil {
		a.parts, a.count = make(map[uint32][]byte), make(map[uint32]int)
	}
	a.count[request]++
	if a.bytes > messageSize || a.count[request] > chunkCount {
		return nil, false, fmt.Errorf("%w: %d bytes of unfinished answers", errTooLarge, a.bytes)
	}
	held = append(held, body...)
	if mark == 'F' {
		a.parts[request] = held
		a.drop(request)
		return held, true, nil
	}
	a.parts[request] = held
	return nil, false, nil
}

func (a *assembly) drop(request uint32) {
	a.bytes -= len(a.parts[request])
	delete(a.parts, request)
	delete(a.count, request)
}
