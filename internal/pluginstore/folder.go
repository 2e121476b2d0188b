package pluginstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/gridwarden/gridwarden/plugins/sdk"
)

// maxPlugins is how many folders are looked at.
const maxPlugins = 256

// Plugin is one sub-folder of the plugins folder, with what was found there.
type Plugin struct {
	Name string // of the folder, quoted where it could not be a plugin's
	Dir  string

	Manifest *Manifest // nil where it cannot be read
	Sum      string    // SHA-256 of the manifest
	Key      KeyID     // of who signed it
	Signed   string    // trusted comment of the signature

	ManifestErr  error // why there is no manifest to go by
	SignatureErr error // why the signature counts for nothing

	text []byte // of the manifest, as signed
}

// Err returns why the plugin must not start, whatever the lock file says.
func (p *Plugin) Err() error {
	if p.ManifestErr != nil {
		return p.ManifestErr
	}
	return p.SignatureErr
}

// ReadFolder looks at each sub-folder of the plugins folder, by name. What is
// wrong with one of them is told by its Err. Folders whose name begins with a
// dot are left alone.
func ReadFolder(dir string, keys []*PublicKey) ([]*Plugin, error) {
	info, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("the plugins folder: %w; make it, or correct plugins.folder", err)
	}
	if info.Mode().Perm()&0o002 != 0 {
		return nil, fmt.Errorf("everybody may write the plugins folder %s; take that right away: chmod o-w %s", dir, dir)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("the plugins folder: %w; make it, or correct plugins.folder", err)
	}
	var out []*Plugin
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || !e.IsDir() && e.Type()&fs.ModeSymlink == 0 {
			continue
		}
		if len(out) == maxPlugins {
			return nil, fmt.Errorf("the plugins folder %s has more than %d sub-folders; keep one for each plugin there and nothing else", dir, maxPlugins)
		}
		out = append(out, ReadPlugin(filepath.Join(dir, e.Name()), keys))
	}
	return out, nil
}

// ReadPlugin looks at the folder of one plugin.
func ReadPlugin(dir string, keys []*PublicKey) *Plugin {
	name := filepath.Base(dir)
	p := &Plugin{Name: name, Dir: dir}
	if !sdk.ValidCode(name) {
		p.Name = strconv.QuoteToASCII(clip(name))
	}
	file, err := p.readManifest()
	if err == nil && p.Manifest.Name != name {
		err = fmt.Errorf("the folder is called %s, the plugin in it %q; give both one name", p.Name, p.Manifest.Name)
	}
	if err != nil {
		p.ManifestErr = fmt.Errorf("manifest: %w", err)
		return p
	}
	if p.SignatureErr = p.readSignature(file, keys); p.SignatureErr != nil {
		p.SignatureErr = fmt.Errorf("signature: %w", p.SignatureErr)
	}
	return p
}

func (p *Plugin) readManifest() (file string, err error) {
	root, err := openFolder(p.Dir)
	if err != nil {
		return "", err
	}
	defer root.Close() //nolint:errcheck // read only
	var f *os.File
	for _, name := range manifestNames() {
		g, err := openBelow(root, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		defer g.Close() //nolint:errcheck // read only
		if f != nil {
			return "", fmt.Errorf("%s holds two manifests, %s; keep one", p.Dir, strings.Join(manifestNames(), " and "))
		}
		f, file = g, name
	}
	if f == nil {
		return "", fmt.Errorf("%s holds no manifest.json; put the plugin there with its manifest, or remove the folder", p.Dir)
	}
	if p.text, err = readAll(f, filepath.Join(p.Dir, file), maxManifestBytes); err != nil {
		return "", err
	}
	if p.Manifest, err = ParseManifest(filepath.Join(p.Dir, file), p.text); err != nil {
		return "", err
	}
	sum := sha256.Sum256(p.text)
	p.Sum = hex.EncodeToString(sum[:])
	return file, nil
}

func (p *Plugin) readSignature(file string, keys []*PublicKey) error {
	root, err := openFolder(p.Dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // read only
	f, err := openBelow(root, file+signatureEnd)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: there is no %s; have whoever vouches for the plugin sign it: gridwarden plugins sign %s --key FILE", ErrSignature, file+signatureEnd, p.Dir)
	}
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // read only
	data, err := readAll(f, filepath.Join(p.Dir, file+signatureEnd), maxSignatureBytes)
	if err != nil {
		return err
	}
	s, err := ParseSignature(data)
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrSignature, file+signatureEnd, err)
	}
	by, err := s.Verify(p.text, keys)
	if err != nil {
		return err
	}
	p.Key, p.Signed = by.ID, s.Trusted
	return nil
}

// CheckFiles reads each file of the plugin and compares its checksum.
func (p *Plugin) CheckFiles(ctx context.Context) error {
	return p.eachFile(func(f File, from *os.File) error {
		sum, err := sumOf(ctx, from)
		if err == nil && sum != f.SHA256 {
			err = changed(f, sum)
		}
		return err
	})
}

// eachFile opens each file of the manifest in its folder.
func (p *Plugin) eachFile(do func(File, *os.File) error) error {
	root, err := openFolder(p.Dir)
	if err != nil {
		return err
	}
	defer root.Close() //nolint:errcheck // read only
	for _, f := range p.Manifest.All() {
		from, err := openBelow(root, f.Path)
		if err != nil {
			return fmt.Errorf("files: %w", err)
		}
		err = do(f, from)
		_ = from.Close() // read only
		if err != nil {
			return fmt.Errorf("files: %s: %w", filepath.Join(p.Dir, f.Path), err)
		}
	}
	return nil
}

// ErrChanged says that a file is not the one that was signed or pinned.
var ErrChanged = errors.New("changed")

func changed(f File, sum string) error {
	return fmt.Errorf("%w: it has the SHA-256 %s, and %s was signed or pinned; put the right file there, or have the new one signed and admitted", ErrChanged, sum, f.SHA256)
}

// openFolder opens a plugin's folder, which must be one and no link to one.
func openFolder(dir string) (*os.Root, error) {
	info, err := os.Lstat(dir)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the folder and what is wrong
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is a link or no folder; a plugin lies in a folder of its own, not elsewhere", dir)
	}
	if err := private(dir, info); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err //nolint:wrapcheck // it names the folder and what is wrong
	}
	if opened, err := root.Stat("."); err != nil || !os.SameFile(info, opened) {
		return nil, errors.Join(fmt.Errorf("%s was exchanged while it was looked at", dir), err, root.Close())
	}
	return root, nil
}

// openBelow opens a file below a folder: a regular one that not everybody may
// write, reached through no link.
func openBelow(root *os.Root, name string) (*os.File, error) {
	var last fs.FileInfo
	for at := 0; at >= 0; {
		next := strings.IndexByte(name[at:], '/')
		part := name
		if next >= 0 {
			part = name[:at+next]
			at += next + 1
		} else {
			at = -1
		}
		full := filepath.Join(root.Name(), part)
		info, err := root.Lstat(part)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", full, err)
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			return nil, fmt.Errorf("%s is a link; put the file itself there", full)
		}
		if err := private(full, info); err != nil {
			return nil, err
		}
		last = info
	}
	full := filepath.Join(root.Name(), name)
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", full, err)
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = fmt.Errorf("%s is not a regular file; put one there", full)
	case !os.SameFile(info, last):
		err = fmt.Errorf("%s was exchanged while it was looked at", full)
	case info.Size() > MaxProgramBytes:
		err = fmt.Errorf("%s has %d bytes; at most %d are taken", full, info.Size(), MaxProgramBytes)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// private refuses what everybody may write.
func private(name string, info fs.FileInfo) error {
	if info.Mode().Perm()&0o002 != 0 {
		return fmt.Errorf("everybody may write %s; take that right away: chmod o-w %s", name, name)
	}
	return nil
}
