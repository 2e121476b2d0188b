package detect

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Record is what is remembered of a plugin that fails, beyond the end of the
// host. It holds for one checksum: another program starts afresh.
type Record struct {
	SHA256      string    `json:"sha256"`
	Failures    int       `json:"failures"` // in a row
	LastError   string    `json:"last_error"`
	LastFailure time.Time `json:"last_failure"`
	Quarantined bool      `json:"quarantined"`
}

// Memory remembers which plugins have failed and which are in quarantine, in
// a small file. Its methods are safe for concurrent use.
type Memory struct {
	path string

	mu      sync.Mutex
	records map[string]Record // by name
}

// mostRecordBytes bounds the file of a Memory.
const mostRecordBytes = 1 << 20

// OpenMemory reads the file at path; one that is not there remembers nothing.
// An empty path remembers only as long as the Memory lives.
func OpenMemory(path string) (*Memory, error) {
	m := &Memory{path: path, records: make(map[string]Record)}
	if path == "" {
		return m, nil
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err == nil && info.Size() > mostRecordBytes {
		return nil, fmt.Errorf("%s: %d bytes are more than this file ever has; move it away, and the plugins start afresh", path, info.Size())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("what is remembered of plugins: %w", err)
	}
	if err := json.Unmarshal(data, &m.records); err != nil {
		return nil, fmt.Errorf("%s: %w; move the file away, and the plugins start afresh", path, err)
	}
	if m.records == nil {
		m.records = make(map[string]Record)
	}
	return m, nil
}

// Get returns what is remembered of a plugin with that checksum.
func (m *Memory) Get(name, sum string) (Record, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r, ok := m.records[name]
	return r, ok && r.SHA256 == sum
}

// Quarantined names the plugins in quarantine, whatever their checksum.
func (m *Memory) Quarantined() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []string
	for name, r := range m.records {
		if r.Quarantined {
			out = append(out, name)
		}
	}
	return out
}

// Put remembers a plugin.
func (m *Memory) Put(name string, r Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.records[name] = r
	return m.save()
}

// Forget lets a plugin start afresh; false where nothing is remembered of it.
func (m *Memory) Forget(name string) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.records[name]; !ok {
		return false, nil
	}
	delete(m.records, name)
	return true, m.save()
}

// save writes the file anew, whole or not at all.
func (m *Memory) save() error {
	if m.path == "" {
		return nil
	}
	data, err := json.MarshalIndent(m.records, "", "  ")
	if err != nil {
		return fmt.Errorf("what is remembered of plugins: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(m.path), ".plugins-*")
	if err != nil {
		return fmt.Errorf("what is remembered of plugins: %w; make the folder writable", err)
	}
	_, err = f.Write(append(data, '\n'))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("what is remembered of plugins: %w", err)
	}
	if err := os.Rename(f.Name(), m.path); err != nil {
		_ = os.Remove(f.Name())
		return fmt.Errorf("what is remembered of plugins: %w", err)
	}
	return nil
}
