package backup

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
	"unicode"
)

// Format is the version of the archive that this program writes and reads.
const Format = 1

// Names of parts.
const (
	DatabasePart  = "database.dump"
	filesPrefix   = "files/"
	streamsPrefix = "streams/"
	manifestName  = "manifest.json"
)

// Bounds on what an archive may hold.
const (
	maxManifest  = 4 << 20
	maxDirectory = 8 << 20
	maxParts     = 10_000
	maxFile      = 16 << 20 // of the data folder
)

// Manifest says what a backup holds.
type Manifest struct {
	Format  int       `json:"format"`
	Program string    `json:"program"` // version that wrote it
	At      time.Time `json:"at"`
	Site    string    `json:"site"`
	Source  string    `json:"source"` // where it was taken: the data folder and what lies elsewhere
	Parts   []Part    `json:"parts"`  // in the order in which they were taken
}

// Part is one part of a backup.
type Part struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
	// About says in words what is in.
	About string `json:"about,omitempty"`
}

// Bytes of all parts.
func (m *Manifest) Bytes() (n int64) {
	for _, p := range m.Parts {
		n += p.Bytes
	}
	return n
}

// Files returns the names of the data folder's files in the backup.
func (m *Manifest) Files() []string { return m.named(filesPrefix) }

// Streams returns the topics whose snapshots are in the backup.
func (m *Manifest) Streams() []string { return m.named(streamsPrefix) }

func (m *Manifest) named(prefix string) (out []string) {
	for _, p := range m.Parts {
		if name, ok := strings.CutPrefix(p.Name, prefix); ok {
			out = append(out, name)
		}
	}
	return out
}

// errHostile is returned for names and sizes that this program does not write.
var errHostile = errors.New("this is no backup that gridwarden has written")

// readManifest reads a manifest, which may be anything.
func readManifest(r io.Reader) (*Manifest, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxManifest+1))
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if len(data) > maxManifest {
		return nil, fmt.Errorf("manifest: larger than %d bytes; %w", maxManifest, errHostile)
	}
	var format struct {
		Format int `json:"format"`
	}
	if err := json.Unmarshal(data, &format); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if format.Format != Format {
		return nil, fmt.Errorf("manifest: format %d; this program reads format %d: use the gridwarden that wrote the backup, or a newer one", format.Format, Format)
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	m := &Manifest{}
	if err := d.Decode(m); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return m, m.check()
}

func (m *Manifest) check() error {
	if len(m.Parts) > maxParts {
		return fmt.Errorf("manifest: %d parts; %w", len(m.Parts), errHostile)
	}
	seen := make(map[string]bool)
	for _, p := range m.Parts {
		if !validName(p.Name) || seen[p.Name] {
			return fmt.Errorf("manifest: part %q; %w", clip(p.Name), errHostile)
		}
		seen[p.Name] = true
		if sum, err := hex.DecodeString(p.SHA256); err != nil || len(sum) != 32 {
			return fmt.Errorf("manifest: part %s: checksum %q; %w", p.Name, clip(p.SHA256), errHostile)
		}
		if p.Bytes < 0 || strings.HasPrefix(p.Name, filesPrefix) && p.Bytes > maxFile {
			return fmt.Errorf("manifest: part %s: %d bytes; %w", p.Name, p.Bytes, errHostile)
		}
	}
	if !seen[DatabasePart] {
		return fmt.Errorf("manifest: without %s; %w", DatabasePart, errHostile)
	}
	return nil
}

// validName reports whether a part may have this name: one of those that this
// program writes, and nothing that leads out of a folder.
func validName(name string) bool {
	if name == DatabasePart {
		return true
	}
	if topic, ok := strings.CutPrefix(name, streamsPrefix); ok {
		return validTopic(topic)
	}
	file, ok := strings.CutPrefix(name, filesPrefix)
	return ok && validFile(file)
}

func validTopic(s string) bool {
	for _, r := range s {
		if (r < 'A' || r > 'Z') && r != '_' {
			return false
		}
	}
	return s != "" && len(s) < 64
}

// Files of the data folder that a backup holds; the last is a folder.
const (
	keyFile     = "pseudonym.key"
	importsFile = "imports.json"
	pkiFolder   = "pki"
)

// validFile reports whether this is one of the data folder's files that a
// backup holds.
func validFile(name string) bool {
	if name == keyFile || name == importsFile {
		return true
	}
	inPKI := strings.HasPrefix(name, pkiFolder+"/")
	if !inPKI || !fs.ValidPath(name) || len(name) > 512 || strings.Count(name, "/") > 8 {
		return false
	}
	for _, r := range name {
		if r == '\\' || r == ':' || r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// clip shortens what hostile files say.
func clip(s string) string {
	if len(s) > 80 {
		return s[:80] + "…"
	}
	return s
}
