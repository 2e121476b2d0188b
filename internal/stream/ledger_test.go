package stream

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"

	"github.com/gridwarden/gridwarden/plugins/sdk/meter"
)

// ledger is a file that keeps the values of readings together with the
// position up to which they were read, record by record: whole or not at all.
type ledger struct {
	file *os.File
	last uint64
	seen map[int]int // how often each value is in it
}

// A record: length and checksum of the rest, 4 bytes each, then the position
// and the values, 8 bytes each.
const ledgerHead = 8

// openLedger reads a file as far as it is whole and cuts off the rest.
func openLedger(path string) (*ledger, error) {
	l := &ledger{seen: make(map[int]int)}
	data, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	whole := 0
	for rest := data; len(rest) >= ledgerHead; rest = data[whole:] {
		n := int(binary.LittleEndian.Uint32(rest))
		if len(rest) < ledgerHead+n || crc32.ChecksumIEEE(rest[ledgerHead:ledgerHead+n]) != binary.LittleEndian.Uint32(rest[4:]) {
			break
		}
		l.count(rest[ledgerHead : ledgerHead+n])
		whole += ledgerHead + n
	}
	if l.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	if err := l.file.Truncate(int64(whole)); err != nil {
		return nil, err
	}
	_, err = l.file.Seek(0, 2)
	return l, err
}

func (l *ledger) count(body []byte) {
	l.last = binary.LittleEndian.Uint64(body)
	for v := body[8:]; len(v) > 0; v = v[8:] {
		l.seen[int(binary.LittleEndian.Uint64(v))]++
	}
}

// append writes one record in one piece.
func (l *ledger) append(rs []meter.Reading, last uint64) error {
	body := binary.LittleEndian.AppendUint64(nil, last)
	for i := range rs {
		body = binary.LittleEndian.AppendUint64(body, uint64(rs[i].Value))
	}
	var b bytes.Buffer
	b.Write(binary.LittleEndian.AppendUint32(nil, uint32(len(body))))
	b.Write(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(body)))
	b.Write(body)
	if _, err := l.file.Write(b.Bytes()); err != nil {
		return err
	}
	l.count(body)
	return nil
}

// holds reports whether every value is in it.
func (l *ledger) holds(values map[int]bool) bool {
	if len(l.seen) < len(values) {
		return false
	}
	for v := range values {
		if l.seen[v] == 0 {
			return false
		}
	}
	return true
}

func (l *ledger) close() { _ = l.file.Close() }
