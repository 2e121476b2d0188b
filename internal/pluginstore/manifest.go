package pluginstore

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gridwarden/gridwarden/internal/strictyaml"
	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// Bounds on what a manifest may say.
const (
	maxManifestBytes = 256 << 10
	maxFiles         = 1000
	maxPathBytes     = 255
	maxArgs          = 100
	maxArgBytes      = 4 << 10
	maxDescription   = 1000 // bytes
)

// File is a file of a plugin.
type File struct {
	Path   string `yaml:"path" json:"path"`     // below the plugin's folder, with "/"
	SHA256 string `yaml:"sha256" json:"sha256"` // 64 hexadecimal digits
}

// Manifest says what a plugin is and which files it consists of.
type Manifest struct {
	Name        string   `yaml:"name" json:"name"`       // of the detector and of the folder
	Version     string   `yaml:"version" json:"version"` // that the detector says it has
	Description string   `yaml:"description" json:"description,omitempty"`
	Contract    int      `yaml:"contract" json:"contract,omitempty"` // least version of the detector contract; 1 where absent
	Executable  string   `yaml:"executable" json:"executable"`       // file that is started
	SHA256      string   `yaml:"sha256" json:"sha256"`               // of it
	Files       []File   `yaml:"files" json:"files,omitempty"`       // further ones: nothing else of the folder is there when it runs
	Args        []string `yaml:"args" json:"args,omitempty"`         // that it is started with, in a folder of these files
}

// All returns every file, the executable first.
func (m *Manifest) All() []File {
	return append([]File{{m.Executable, m.SHA256}}, m.Files...)
}

// alone reports whether the executable is all there is to the plugin.
func (m *Manifest) alone() bool { return len(m.Files) == 0 && len(m.Args) == 0 }

// Text writes the manifest as JSON.
func (m *Manifest) Text() ([]byte, error) {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("writing a manifest: %w", err)
	}
	return append(data, '\n'), nil
}

// ParseManifest reads a manifest, JSON or YAML. Errors name FILE:LINE:COL.
func ParseManifest(file string, data []byte) (*Manifest, error) {
	m, doc, err := decodeManifest(file, data)
	if err != nil {
		return nil, err
	}
	m.checkIdentity(doc)
	m.check(doc)
	if err := doc.Err(); err != nil {
		return nil, err
	}
	return m, nil
}

func decodeManifest(file string, data []byte) (*Manifest, *strictyaml.Document, error) {
	if len(data) > maxManifestBytes {
		return nil, nil, fmt.Errorf("%s:1:1: the manifest has %d bytes; at most %d are read", file, len(data), maxManifestBytes)
	}
	m := &Manifest{}
	doc, err := strictyaml.Decode(file, data, m)
	if err != nil {
		return nil, nil, err
	}
	return m, doc, nil
}

var version = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+-]{0,63}$`)

func (m *Manifest) checkIdentity(doc *strictyaml.Document) {
	if !sdk.ValidCode(m.Name) {
		doc.Add("$.name", "%q is not a plugin's name; write the detector's: lower-case letters, digits and \"_\"", clip(m.Name))
	}
	if !version.MatchString(m.Version) {
		doc.Add("$.version", "%q is not a version; write the detector's, such as 1.2.0", clip(m.Version))
	}
	if len(m.Description) > maxDescription || !printable(m.Description) {
		doc.Add("$.description", "longer than %d bytes or not plain text; say in a line or two what it finds", maxDescription)
	}
	if ours := int(sdk.Handshake().ProtocolVersion); m.Contract < 0 || m.Contract > ours { //nolint:gosec // a small constant
		doc.Add("$.contract", "it needs version %d of the detector contract, and this program speaks version %d; update the program, or take an older plugin", m.Contract, ours)
	}
}

// check looks at what the plugin consists of.
func (m *Manifest) check(doc *strictyaml.Document) {
	if len(m.Files) > maxFiles {
		doc.Add("$.files", "%d files; at most %d are taken: pack them into an archive", len(m.Files), maxFiles)
		return
	}
	if len(m.Args) > maxArgs {
		doc.Add("$.args", "%d arguments; at most %d are taken", len(m.Args), maxArgs)
		return
	}
	seen := make(map[string]bool)
	file := func(at, sumAt string, f File) {
		if what := wrongPath(f.Path); what != "" {
			doc.Add(at, "%q %s; name a file below the plugin's folder, such as lib/model.bin", clip(f.Path), what)
		}
		if seen[f.Path] {
			doc.Add(at, "%q stands here twice; list each file once", clip(f.Path))
		}
		for dir := path.Dir(f.Path); dir != "." && dir != "/"; dir = path.Dir(dir) {
			if seen[dir] {
				doc.Add(at, "%q lies below %q, which is a file; correct one of them", clip(f.Path), clip(dir))
			}
		}
		seen[f.Path] = true
		if !sha256Hex.MatchString(f.SHA256) {
			doc.Add(sumAt, "not a SHA-256 in 64 lower-case hex digits; take the output of sha256sum %s", clip(f.Path))
		}
	}
	file("$.executable", "$.sha256", File{m.Executable, m.SHA256})
	for i, f := range m.Files {
		at := fmt.Sprintf("$.files[%d]", i)
		file(at+".path", at+".sha256", f)
	}
	for i, arg := range m.Args {
		if len(arg) > maxArgBytes || !printable(arg) {
			doc.Add(fmt.Sprintf("$.args[%d]", i), "longer than %d bytes or not plain text; write an argument that can be read", maxArgBytes)
		}
	}
}

// wrongPath says what is wrong with a path below a plugin's folder, "" where
// nothing is.
func wrongPath(p string) string {
	switch {
	case p == "":
		return "names nothing"
	case len(p) > maxPathBytes:
		return fmt.Sprintf("is longer than %d bytes", maxPathBytes)
	case !printable(p) || strings.ContainsAny(p, `\:`):
		return "holds characters that no such name needs"
	case strings.HasPrefix(p, "/"):
		return "is an absolute path"
	case path.Clean(p) != p || p == "." || p == ".." || strings.HasPrefix(p, "../"):
		return "leads out of the folder or in circles"
	}
	for _, name := range manifestNames() {
		if p == name || p == name+signatureEnd {
			return "is the manifest or its signature"
		}
	}
	return ""
}

// printable reports whether a text is UTF-8 without control characters.
func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// clip shortens a text for a message.
func clip(s string) string { return clipTo(s, 80) }

const signatureEnd = ".minisig"

// manifestNames are the files that a manifest may be.
func manifestNames() []string { return []string{"manifest.json", "manifest.yaml"} }
