package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gridwarden/gridwarden/internal/pluginstore"
	"github.com/gridwarden/gridwarden/internal/strictyaml"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Plugins names the detectors that may run, and within which limits.
type Plugins struct {
	BuiltIn    []string                  `yaml:"built_in"` // all where absent, none where empty
	Configs    map[string]map[string]any `yaml:"configs"`  // of built-in detectors, by name
	ThirdParty []Plugin                  `yaml:"third_party"`

	Folder string   `yaml:"folder"` // where signed plugins lie, a folder each with its manifest
	Keys   []string `yaml:"keys"`   // minisign public keys (files) of those who may sign
	Lock   string   `yaml:"lock"`   // which of them are admitted, by checksum; FOLDER/plugins.lock where empty
	Store  string   `yaml:"store"`  // where the binaries behind findings are kept; DATA_DIR/plugins where empty

	Shadow          []string      `yaml:"shadow"`           // findings of these are recorded, and open no cases
	Timeout         time.Duration `yaml:"timeout"`          // deadline of one detector's run
	Memory          string        `yaml:"memory"`           // the most that a third-party process may hold, such as 2GiB
	CPUs            float64       `yaml:"cpus"`             // the most that it may use on average in a run, in processors
	QuarantineAfter int           `yaml:"quarantine_after"` // failures in a row
}

// Plugin is one third-party detector, pinned by checksum.
type Plugin struct {
	Name   string         `yaml:"name"`
	Path   string         `yaml:"path"`
	SHA256 string         `yaml:"sha256"`
	Args   []string       `yaml:"args"`   // of the program, such as the script of an interpreter, which is pinned too
	Pinned []string       `yaml:"pinned"` // further files as PATH=SHA256 that must not change, such as that script
	Config map[string]any `yaml:"config"`
}

var (
	sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)
	byteSize  = regexp.MustCompile(`^(\d{1,15})([KMGT]iB)?$`)
)

// LockFile is the lock file of the plugins folder.
func (p *Plugins) LockFile() string { return cmp.Or(p.Lock, filepath.Join(p.Folder, "plugins.lock")) }

// StoreDir is the folder in which programs behind findings are kept.
func (c *Config) StoreDir() string {
	return cmp.Or(c.Plugins.Store, filepath.Join(c.DataDir, "plugins"))
}

// MemoryBytes is the limit in bytes; 0 is none.
func (p *Plugins) MemoryBytes() (int64, error) {
	m := byteSize.FindStringSubmatch(p.Memory)
	if m == nil {
		return 0, fmt.Errorf("%q is not a size; write it as 512MiB or 2GiB, or 0 for no limit", p.Memory)
	}
	const most = 16 << 40
	n, err := strconv.ParseInt(m[1], 10, 64)
	shift := 0
	if m[2] != "" {
		shift = 10 * (1 + strings.IndexByte("KMGT", m[2][0]))
	}
	if err != nil || n != 0 && (n > most>>shift || n<<shift < 32<<20) {
		return 0, fmt.Errorf("%s; give 32MiB to 16TiB, or 0 for no limit", p.Memory)
	}
	n <<= shift
	return n, nil
}

// PinnedFiles are the further files of a pinned plugin.
func (p *Plugin) PinnedFiles() []pluginstore.File {
	out := make([]pluginstore.File, 0, len(p.Pinned))
	for _, text := range p.Pinned {
		path, sum := splitPin(text)
		out = append(out, pluginstore.File{Path: path, SHA256: sum})
	}
	return out
}

// splitPin takes PATH=SHA256 apart.
func splitPin(text string) (path, sum string) {
	at := strings.LastIndexByte(text, '=')
	if at < 0 {
		return text, ""
	}
	return text[:at], text[at+1:]
}

func (p *Plugins) resolve(at func(*string)) {
	for _, path := range []*string{&p.Folder, &p.Lock, &p.Store} {
		at(path)
	}
	for i := range p.Keys {
		at(&p.Keys[i])
	}
	for i := range p.ThirdParty {
		t := &p.ThirdParty[i]
		at(&t.Path)
		for j, text := range t.Pinned {
			written, sum := splitPin(text)
			path := written
			at(&path)
			t.Pinned[j] = path + "=" + sum
			for k, arg := range t.Args {
				if arg == written {
					t.Args[k] = path
				}
			}
		}
	}
}

func (c *Config) checkPlugins(doc *strictyaml.Document) {
	p := &c.Plugins
	names := make(map[string]bool)
	for i := range p.ThirdParty {
		t := &p.ThirdParty[i]
		path := fmt.Sprintf("$.plugins.third_party[%d]", i)
		switch {
		case t.Name == "" || names[t.Name]:
			doc.Add(path+".name", "each plugin needs a name of its own")
		case !sdk.ValidCode(t.Name):
			doc.Add(path+".name", "%q is not a detector's name; take lower-case letters, digits and \"_\", as the plugin itself says", t.Name)
		}
		names[t.Name] = true
		t.check(doc, path)
	}
	c.checkPluginsFolder(doc)
	for name := range p.Configs {
		if !sdk.ValidCode(name) {
			doc.Add("$.plugins.configs."+name, "%q is not a detector's name; take one that `gridwarden plugins list` prints", name)
		}
	}
	for i, name := range p.Shadow {
		if !sdk.ValidCode(name) || slices.Index(p.Shadow, name) != i {
			doc.Add(fmt.Sprintf("$.plugins.shadow[%d]", i), "%q is not a detector's name or stands here twice; take one that `gridwarden plugins list` prints", name)
		}
	}
	if p.Timeout < time.Second {
		doc.Add("$.plugins.timeout", "%v; give at least 1s", p.Timeout)
	}
	if _, err := p.MemoryBytes(); err != nil {
		doc.Add("$.plugins.memory", "%v", err)
	}
	if !(p.CPUs == 0 || p.CPUs >= 0.05 && p.CPUs <= 4096) {
		doc.Add("$.plugins.cpus", "%v; give the number of processors, such as 0.5 or 2, or 0 for no limit", p.CPUs)
	}
	if p.QuarantineAfter < 1 || p.QuarantineAfter > 100 {
		doc.Add("$.plugins.quarantine_after", "%d; give 1 to 100 failures", p.QuarantineAfter)
	}
}

// check looks at what a pinned plugin consists of.
func (p *Plugin) check(doc *strictyaml.Document, at string) {
	if info, err := os.Stat(p.Path); err != nil || info.IsDir() {
		doc.Add(at+".path", "%s is not a file; name the plugin's executable", p.Path)
	}
	if !sha256Hex.MatchString(p.SHA256) {
		doc.Add(at+".sha256", "not a SHA-256 in 64 lower-case hex digits; take the output of sha256sum %s", p.Path)
	}
	seen := make(map[string]bool)
	for i, f := range p.PinnedFiles() {
		at := fmt.Sprintf("%s.pinned[%d]", at, i)
		switch info, err := os.Stat(f.Path); {
		case !sha256Hex.MatchString(f.SHA256):
			doc.Add(at, "not written as PATH=SHA256; take the output of sha256sum %s", f.Path)
		case err != nil || info.IsDir():
			doc.Add(at, "%s is not a file; name a file that the plugin runs or reads", f.Path)
		case seen[f.Path]:
			doc.Add(at, "%s stands here twice; pin each file once", f.Path)
		}
		seen[f.Path] = true
	}
}

func (c *Config) checkPluginsFolder(doc *strictyaml.Document) {
	p := &c.Plugins
	if p.Folder != "" {
		if info, err := os.Stat(p.Folder); err != nil || !info.IsDir() {
			doc.Add("$.plugins.folder", "%s is not a folder; name the one that holds a folder for each plugin", p.Folder)
		}
		if len(p.Keys) == 0 {
			doc.Add("$.plugins.folder", "plugins there must be signed, and no key is trusted; list public keys in plugins.keys")
		}
	} else if p.Lock != "" {
		doc.Add("$.plugins.lock", "there is no plugins folder for it; give plugins.folder too")
	}
	ids := make(map[pluginstore.KeyID]int)
	for i, file := range p.Keys {
		at := fmt.Sprintf("$.plugins.keys[%d]", i)
		key, err := pluginstore.ReadKey(file)
		if err != nil {
			doc.Add(at, "%v", err)
			continue
		}
		if other, twice := ids[key.ID]; twice {
			doc.Add(at, "key %s is already number %d of the list; list each key once", key.ID, other+1)
		}
		ids[key.ID] = i
	}
	if p.Store != "" {
		if _, err := pluginstore.Open(p.Store); err != nil {
			doc.Add("$.plugins.store", "%v", err)
		}
	}
	if info, err := os.Stat(p.Lock); p.Lock != "" && err == nil && info.IsDir() {
		doc.Add("$.plugins.lock", "%s is a folder; name a file, which `gridwarden plugins lock` writes", p.Lock)
	}
}
